//! Whether refusals speak of single items, or of everything: the token, the collection or the site.
//!
//! The status does not tell: a 404 can be about one item that has no variant in a locale, and about a collection that
//! does not exist. So what is refused is taken apart, and as soon as anything is accepted, refusals speak of items. After
//! six refusals in a row that are alike, items of different batches are asked alone, one at a time. If all of them are
//! refused like the others, it is concluded that everything is: after 12 refusals, at least 3 of them of an item alone.

use super::engine::GroupId;
use crate::error::Error;

/// After how many refusals in a row items are asked alone.
const SUSPICIOUS: u32 = 6;

/// After how many refusals in a row it is concluded that everything is refused, provided that enough were of an item alone.
const CONCLUSIVE: u32 = 12;
const ALONE: usize = 3;

/// What was refused since something was accepted.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    alike: Option<Signature>,
    /// How many requests were refused.
    refused: u32,
    /// The groups of which an item was refused alone, one for each such item.
    alone: Vec<GroupId>,
}

impl Evidence {
    /// Whether items are to be asked alone.
    pub(crate) fn is_suspicious(&self) -> bool {
        self.refused >= SUSPICIOUS
    }

    /// Whether an item of this group was refused alone.
    pub(crate) fn has_asked(&self, group: GroupId) -> bool {
        self.alone.contains(&group)
    }

    /// A request was refused, with so many items of a group. Whether it is unlike the refusals before it, so that those
    /// speak of items.
    pub(crate) fn refused(&mut self, group: GroupId, items: usize, error: &Error) -> bool {
        let signature = Signature::of(error);
        let is_unlike = self.alike.as_ref().is_some_and(|alike| *alike != signature);
        if is_unlike {
            self.clear();
        }
        self.alike = Some(signature);
        self.refused += 1;
        if items == 1 {
            self.alone.push(group);
        }
        is_unlike
    }

    /// Something was accepted, or there is nothing left to be asked.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many items were refused alone, and how many requests in all.
    pub(crate) fn refusals(&self) -> (usize, u32) {
        (self.alone.len(), self.refused)
    }

    /// Whether it can be concluded that everything is refused.
    pub(crate) fn is_conclusive(&self) -> bool {
        self.refused >= CONCLUSIVE && self.alone.len() >= ALONE
    }
}

/// What two refusals have in common that speak of the same.
#[derive(Debug, PartialEq, Eq)]
struct Signature {
    status: Option<u16>,
    code: Option<Box<str>>,
    /// Without the numbers and ids in it.
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

/// A text without what looks like a number or an id in it.
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

    /// Takes a batch of 100 apart until items are asked alone, as a run does of which nothing is accepted; how many requests
    /// it takes to conclude, and how many of them with an item alone.
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
    fn refusals_that_differ_in_ids_and_numbers_only_are_alike() {
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
    fn refusals_that_are_unlike_speak_of_items() {
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
        assert!(evidence.is_suspicious() && evidence.has_asked(3));
        evidence.clear();
        assert!(!evidence.is_suspicious() && !evidence.has_asked(3));
        evidence.refused(11, 1, &refusal(404, "no"));
        assert!(!evidence.is_conclusive());
    }

    #[test]
    fn batches_that_were_never_asked_in_part_conclude_nothing() {
        let mut evidence = Evidence::default();
        for number in 0..50 {
            evidence.refused(number, 100, &refusal(403, "no"));
            assert!(!evidence.is_conclusive());
        }
    }
}
