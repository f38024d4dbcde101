//! The fingerprint by which a journal recognizes an update.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash3_64;

use crate::id::ItemKey;

pub(super) const KEY: usize = 6;
const CONTENT: usize = 5;
const LEN: usize = KEY + CONTENT;

/// Identifies an update by the item and locale that it addresses, and by its content.
///
/// Both parts are truncated XXH3-64 hashes, of 48 and 40 bits, so that a million of them take 12 MB. Among a million
/// keys, two share a fingerprint in one of 500 journals; an update that does is sent once more than necessary. A
/// corrected update is mistaken for the recorded one of its own key once in 2⁴⁰ corrections. The hashes do not
/// protect against somebody who wants two updates to look the same.
///
/// The order of the fields counts. Fields from a `HashMap` have another order in each run, and so another fingerprint.
/// A `BTreeMap`, a struct and a `serde_json::Value` keep theirs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fingerprint([u8; LEN]);

impl Fingerprint {
    pub(super) const EMPTY: Self = Self([0; LEN]);

    /// The number of hexadecimal digits of its text.
    pub(super) const DIGITS: usize = 2 * LEN;

    /// Computes the fingerprint of an update from the line of [`ItemUpdate::to_json`](crate::ItemUpdate::to_json).
    pub(crate) fn new(key: ItemKey, line: &str) -> Self {
        let mut address = [0; 48];
        let (id, locale) = address.split_at_mut(24);
        copy(id, key.id.as_str());
        if let Some(name) = &key.locale {
            copy(locale, name.as_str());
        }
        let (key, content) = (
            XxHash3_64::oneshot(&address),
            XxHash3_64::oneshot(line.as_bytes()),
        );
        let mut bytes = [0; LEN];
        for (byte, hashed) in bytes
            .iter_mut()
            .zip(key.to_be_bytes().into_iter().take(KEY))
        {
            *byte = hashed;
        }
        for (byte, hashed) in bytes.iter_mut().skip(KEY).zip(content.to_be_bytes()) {
            *byte = hashed;
        }
        Self(bytes)
    }

    /// Returns the part for the item and the locale.
    pub(super) fn key(&self) -> [u8; KEY] {
        let [a, b, c, d, e, f, ..] = self.0;
        [a, b, c, d, e, f]
    }

    /// Parses the text that `Display` writes, and no other form.
    pub(super) fn from_hex(text: &[u8]) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        if text.len() != Self::DIGITS {
            return None;
        }
        let mut bytes = [0; LEN];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks(2)) {
            let [high, low] = pair else { return None };
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }

    #[cfg(test)]
    pub(super) fn from_numbers(key: u32, content: u32) -> Self {
        let mut bytes = [0; LEN];
        bytes[2..KEY].copy_from_slice(&key.to_be_bytes());
        bytes[KEY + 1..].copy_from_slice(&content.to_be_bytes());
        Self(bytes)
    }
}

fn copy(to: &mut [u8], text: &str) {
    for (to, from) in to.iter_mut().zip(text.bytes()) {
        *to = from;
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({self})")
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::from_hex(text.as_bytes())
            .ok_or_else(|| serde::de::Error::custom("it is not 22 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ItemUpdate;

    fn fingerprint(line: &str) -> Fingerprint {
        let update = ItemUpdate::from_json(line).expect("an update");
        Fingerprint::new(update.key(), line)
    }

    #[test]
    fn the_fingerprint_of_an_update_is_the_same_for_ever() {
        let bare = fingerprint(r#"{"id":"66f6ed9576ddacf3149d5ea6"}"#);
        let french = fingerprint(
            r#"{"id":"66f6ed9576ddacf3149d5ea6","cmsLocaleId":"66f6e966c9e1dc700a857ca4"}"#,
        );
        let named = fingerprint(r#"{"id":"66f6ed9576ddacf3149d5ea6","fieldData":{"name":"é"}}"#);
        let all = [bare, french, named].map(|fingerprint| fingerprint.to_string());
        assert_eq!(
            all,
            [
                "a809abf26df9333aaa4a55",
                "f6a4abbb24e3cf3bade460",
                "a809abf26df94b29b8f171",
            ]
        );
        assert_eq!(bare.key(), named.key(), "one item in one locale");
        assert_ne!(bare.key(), french.key(), "another locale");
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_written_and_in_no_other_form() {
        for (key, content) in [(0, 0), (1, u32::MAX), (u32::MAX, 0x0123_4567)] {
            let fingerprint = Fingerprint::from_numbers(key, content);
            let text = fingerprint.to_string();
            assert_eq!(Fingerprint::from_hex(text.as_bytes()), Some(fingerprint));
        }
        for text in [
            "",
            "0123456789ABCDEF012345",
            "0123456789abcdef01234",
            "0123456789abcdef0123456",
            "+123456789abcdef012345",
        ] {
            assert_eq!(Fingerprint::from_hex(text.as_bytes()), None, "{text}");
        }
    }
}
