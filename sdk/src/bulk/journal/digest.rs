//! A fingerprint of what is sent for an item.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash3_64;

use crate::{Error, ItemUpdate};

/// A fingerprint of an item update, by which a resumed run notices that its input is another one.
///
/// It is XXH3-64 of the line that [`ItemUpdate::to_json`] writes, the same on every platform and in every version of
/// this crate. What was sent at a position is compared with what is there now, one to one, so that 64 bits let a
/// change pass unnoticed once in 2⁶⁴ changes. It is no protection against somebody who wants two updates to look alike.
///
/// The order of the fields counts. Fields that come from a `HashMap` have another order in each run, and so another
/// digest; a `BTreeMap`, a struct and a `serde_json::Value` keep theirs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest(u64);

impl Digest {
    /// How many hexadecimal digits it is written with.
    pub(super) const DIGITS: usize = 16;

    /// The digest of an update.
    ///
    /// # Errors
    ///
    /// As [`ItemUpdate::to_json`].
    pub fn of(update: &ItemUpdate) -> Result<Self, Error> {
        Ok(Self::of_line(&update.to_json()?))
    }

    /// The digest of the line that an update becomes.
    pub(crate) fn of_line(line: &str) -> Self {
        Self(XxHash3_64::oneshot(line.as_bytes()))
    }

    /// Reads what `Display` writes, and nothing else.
    pub(super) fn from_hex(text: &[u8]) -> Option<Self> {
        if text.len() != Self::DIGITS {
            return None;
        }
        text.iter()
            .try_fold(0, |number, digit| {
                let digit = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                Some(number << 4 | u64::from(digit))
            })
            .map(Self)
    }

    #[cfg(test)]
    pub(super) fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hex;

        impl serde::de::Visitor<'_> for Hex {
            type Value = Digest;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("16 hexadecimal digits")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
                Digest::from_hex(text.as_bytes())
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_an_update_is_the_same_for_ever() {
        // From the reference implementation of XXH3, for an empty text and for one beyond 240 bytes.
        assert_eq!(Digest::of_line("").to_string(), "2d06800538d394c2");
        let long = "webflow".repeat(100);
        assert_eq!(Digest::of_line(&long).to_string(), "dcbebcfa865fde1e");

        let line = r#"{"id":"66f6ed9576ddacf3149d5ea6","cmsLocaleId":"66f6e966c9e1dc700a857ca4","isArchived":false,"isDraft":true,"fieldData":{"name":"Lampe Étoile","price":99.50,"old":null}}"#;
        let update = ItemUpdate::from_json(line).expect("an update");
        let digest = Digest::of(&update).expect("a digest");
        assert_eq!(digest, Digest::of_line(line));
        assert_eq!(digest.to_string(), "e5657b993b450a52");
    }

    #[test]
    fn a_digest_is_read_as_it_is_written_and_in_no_other_form() {
        for number in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let text = Digest(number).to_string();
            assert_eq!(Digest::from_hex(text.as_bytes()), Some(Digest(number)));
        }
        for text in [
            "",
            "0123456789ABCDEF",
            "0123456789abcde",
            "0123456789abcdef0",
            "+123456789abcdef",
        ] {
            assert_eq!(Digest::from_hex(text.as_bytes()), None, "{text}");
        }
    }
}
