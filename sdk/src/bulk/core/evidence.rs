//! The evidence whether refusals are about single items, or about everything: the token, the collection or the site.
//!
//! The status does not distinguish them: a 404 can be about an item without a variant in a locale, and about a
//! collection that does not exist. So a refused batch is split, and once anything is accepted, refusals are about
//! items. After six consecutive refusals with the same error, items of different batches are sent alone, one at a time.
//! If all of them are refused with that error, everything is: after 12 refusals, at least 3 of them with a single item.

use super::group::GroupId;
use crate::error::Error;

/// The number of consecutive refusals after which items are sent alone.
const SUSPICIOUS: u32 = 6;

/// The number of consecutive refusals that prove that everything is refused, if [`ALONE`] of them had a single item.
const CONCLUSIVE: u32 = 12;
const ALONE: usize = 3;

/// The refusals since the last success.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    alike: Option<Signature>,
    /// The number of refused requests.
    refused: u32,
    /// The group of each item that was refused alone.
    alone: Vec<GroupId>,
}

impl Evidence {
    /// Returns `true` if items should be sent alone.
    pub(crate) fn is_suspicious(&self) -> bool {
        self.refused >= SUSPICIOUS
    }

    /// Returns `true` if an item of this group was refused alone.
    pub(crate) fn has_sent_alone(&self, group: GroupId) -> bool {
        self.alone.contains(&group)
    }

    /// Adds the refusal of a request with this number of items of a group. Returns `true` if it differs from the
    /// refusals before it, which are then about items.
    pub(crate) fn refused(&mut self, group: GroupId, items: usize, error: &Error) -> bool {
        let signature = Signature::of(error);
        let differs = self.alike.as_ref().is_some_and(|alike| *alike != signature);
        if differs {
            self.clear();
        }
        self.alike = Some(signature);
        self.refused += 1;
        if items == 1 {
            self.alone.push(group);
        }
        differs
    }

    /// Removes all evidence, after a success or when no request remains.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the number of items that were refused alone, and of requests that were refused.
    pub(crate) fn refusals(&self) -> (usize, u32) {
        (self.alone.len(), self.refused)
    }

    /// Returns `true` if everything is refused.
    pub(crate) fn is_conclusive(&self) -> bool {
        self.refused >= CONCLUSIVE && self.alone.len() >= ALONE
    }
}

/// The part of a refusal by which two of them count as the same.
#[derive(Debug, PartialEq, Eq)]
struct Signature {
    status: Option<u16>,
    code: Option<Box<str>>,
    /// Without numbers and ids.
    text: String,
}

impl Signature {
    fn of(error: &Error) -> Self {
        let details = error.details().iter();
        let texts = details
            .flat_map(|detail| [detail.field(), detail.message()])
            .chain([error.message()])
            .flatten();
        Self {
            status: error.status().map(|status| status.as_u16()),
            code: error.code().map(Box::from),
            text: texts.map(without_ids).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// Removes the words of a text that look like numbers or ids.
fn without_ids(text: &str) -> String {
    let words = text.split_inclusive(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| !is_like_an_id(word)).collect()
}

fn is_like_an_id(word: &str) -> bool {
    let letters = word.trim_end_matches(|end: char| !end.is_ascii_alphanumeric());
    word.bytes().any(|byte| byte.is_ascii_digit())
        || (letters.len() >= 4 && letters.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::http::body::{Body, End};
    use crate::http::refusal::Head;
    use crate::http::token::Token;

    fn refusal(status: u16, message: &str) -> Error {
        let token = Token::new("b7c1d0").expect("a token");
        let head = Head {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            token: &token,
            now: std::time::UNIX_EPOCH,
            request: b"",
        };
        let body = serde_json::json!({"code": "a_code", "message": message});
        let body = Body {
            bytes: body.to_string().into(),
            end: End::Complete,
        };
        Error::refused(&head, body)
    }

    /// Splits a batch of 100 until items are sent alone, as a run does if nothing is accepted. Returns the number of
    /// refused items and requests at the conclusion.
    fn concluded_after(refusals: impl Iterator<Item = Error>) -> Option<(usize, u32)> {
        let mut evidence = Evidence::default();
        let mut items = 100;
        for (number, error) in (0..).zip(refusals) {
            if evidence.is_suspicious() {
                items = 1;
            }
            evidence.refused(number, items, &error);
            items = items.div_ceil(2);
            if evidence.is_conclusive() {
                return Some(evidence.refusals());
            }
        }
        None
    }

    #[test]
    fn a_missing_collection_is_concluded_after_twelve_requests() {
        let same = (0..100).map(|_| refusal(404, "Requested resource not found"));
        let (alone, refused) = concluded_after(same).expect("a conclusion");
        assert_eq!(refused, 12);
        assert!(alone >= 3);
    }

    #[test]
    fn refusals_that_differ_in_ids_and_numbers_only_are_the_same() {
        let named = (0..100).map(|number| {
            refusal(
                404,
                &format!(
                    "item 66f6ed95{number:016x} not found (ray {number:08x}-abcd-{number:04x})"
                ),
            )
        });
        assert_eq!(concluded_after(named).map(|(_, refused)| refused), Some(12));
    }

    #[test]
    fn different_refusals_are_about_items() {
        let mut evidence = Evidence::default();
        for number in 0..100 {
            let (one, other) = (
                refusal(400, "the name is too long"),
                refusal(400, "the slug is taken"),
            );
            let error = if number % 2 == 0 { one } else { other };
            assert_eq!(evidence.refused(number, 1, &error), number > 0);
            assert!(!evidence.is_conclusive() && !evidence.is_suspicious());
        }
        let statuses = [404, 409].into_iter().cycle().take(100);
        assert_eq!(
            concluded_after(statuses.map(|status| refusal(status, "no"))),
            None
        );
    }

    #[test]
    fn whatever_is_accepted_clears_the_evidence() {
        let mut evidence = Evidence::default();
        for number in 0..11 {
            evidence.refused(number, 1, &refusal(404, "no"));
        }
        assert!(evidence.is_suspicious() && evidence.has_sent_alone(3));
        evidence.clear();
        assert!(!evidence.is_suspicious() && !evidence.has_sent_alone(3));
        evidence.refused(11, 1, &refusal(404, "no"));
        assert!(!evidence.is_conclusive());
    }

    #[test]
    fn batches_that_were_never_split_conclude_nothing() {
        let mut evidence = Evidence::default();
        for number in 0..50 {
            evidence.refused(number, 100, &refusal(403, "no"));
            assert!(!evidence.is_conclusive());
        }
    }
}
