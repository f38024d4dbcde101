//! The ids of collections, items and CMS locales.

use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DIGITS: usize = 24;

/// 24 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ObjectId([u8; DIGITS]);

impl ObjectId {
    fn parse(text: &str) -> Option<Self> {
        let mut digits: [u8; DIGITS] = text.as_bytes().try_into().ok()?;
        digits.make_ascii_lowercase();
        digits
            .iter()
            .all(u8::is_ascii_hexdigit)
            .then_some(Self(digits))
    }

    fn as_str(&self) -> &str {
        // Only ASCII digits get in, so the default is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

macro_rules! checked_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ObjectId);

        impl $name {
            /// Parses an id: 24 hexadecimal digits. Upper-case digits are accepted and become lower case.
            ///
            /// # Errors
            ///
            /// [`ParseIdError`] if the text is anything else.
            pub fn new(text: impl AsRef<str>) -> Result<Self, ParseIdError> {
                let text = text.as_ref();
                ObjectId::parse(text)
                    .map(Self)
                    .ok_or_else(|| ParseIdError::new($kind, text))
            }

            /// Returns the 24 digits in lower case.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = ParseIdError;

            fn try_from(text: &str) -> Result<Self, ParseIdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                Self::new(text)
            }
        }

        impl TryFrom<&ReceivedId> for $name {
            type Error = ParseIdError;

            fn try_from(id: &ReceivedId) -> Result<Self, ParseIdError> {
                Self::new(id.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

checked_id! {
    /// The id of a collection: 24 hexadecimal digits.
    ///
    /// ```
    /// use webflow_cms::CollectionId;
    ///
    /// let id = CollectionId::new("580E63FC8C9A982AC9B8B745")?;
    /// assert_eq!(id.as_str(), "580e63fc8c9a982ac9b8b745");
    /// assert!(CollectionId::new("../items").is_err());
    /// # Ok::<_, webflow_cms::Error>(())
    /// ```
    CollectionId, "collection id"
}

checked_id! {
    /// The id of an item: 24 hexadecimal digits, shared by all locales of the item.
    ///
    /// ```
    /// use webflow_cms::ItemId;
    ///
    /// let id: ItemId = "66f6ed9576ddacf3149d5ea6".parse()?;
    /// assert_eq!(id.to_string(), "66f6ed9576ddacf3149d5ea6");
    /// # Ok::<_, webflow_cms::Error>(())
    /// ```
    ItemId, "item id"
}

checked_id! {
    /// The id of a locale in the CMS: 24 hexadecimal digits.
    ///
    /// A locale of a site has two ids. This is the one that Webflow's site description calls `cmsLocaleId`. The other
    /// one, `id` (or `localeId`), belongs to pages, and the CMS does not know it.
    ///
    /// ```
    /// use webflow_cms::CmsLocaleId;
    ///
    /// let french = CmsLocaleId::new("66f6e966c9e1dc700a857ca4")?;
    /// assert!(CmsLocaleId::new("").is_err());
    /// # Ok::<_, webflow_cms::Error>(())
    /// ```
    CmsLocaleId, "CMS locale id"
}

/// The error of a text that is not an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseIdError {
    kind: &'static str,
    text: Box<str>,
}

impl ParseIdError {
    fn new(kind: &'static str, text: &str) -> Self {
        const MAX_CHARACTERS: usize = 64;
        let text = match text.char_indices().nth(MAX_CHARACTERS) {
            None => text.into(),
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        };
        Self { kind, text }
    }

    /// Returns the kind of id that was expected: `collection id`, `item id` or `CMS locale id`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns the first 64 characters of the text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {:?} is not 24 hexadecimal digits",
            self.kind, self.text
        )
    }
}

impl Error for ParseIdError {}

/// The target of an update: an item and a locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// The item.
    pub id: ItemId,
    /// The locale. `None` is the primary locale.
    pub locale: Option<CmsLocaleId>,
}

impl fmt::Display for ItemKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.locale {
            None => write!(formatter, "{}", self.id),
            Some(locale) => write!(formatter, "{} in {locale}", self.id),
        }
    }
}

/// An entry of a batch with the same item and locale as an earlier entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DuplicateKey {
    /// The item and locale of both entries.
    pub key: ItemKey,
    /// The position of the earlier entry, counted from 0.
    pub first: usize,
    /// The position of the entry that repeats it, counted from 0.
    pub index: usize,
}

/// An id in a response, in any form.
///
/// An id of an unknown form does not make a response invalid, so it is kept as received. Comparisons with
/// [`ItemId`] and [`CmsLocaleId`] ignore case. `ItemId::try_from(&received)` checks the form.
///
/// ```
/// use webflow_cms::ItemId;
/// use webflow_cms::id::ReceivedId;
///
/// let received: ReceivedId = serde_json::from_str("\"66F6ED9576DDACF3149D5EA6\"")?;
/// assert_eq!(received.as_str(), "66F6ED9576DDACF3149D5EA6");
/// assert_eq!(ItemId::try_from(&received)?.as_str(), "66f6ed9576ddacf3149d5ea6");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ReceivedId(Text);

#[derive(Clone)]
enum Text {
    Inline([u8; DIGITS]),
    Other(Box<str>),
}

impl ReceivedId {
    /// Returns the id as received.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Inline(digits) => std::str::from_utf8(digits).unwrap_or_default(),
            Text::Other(text) => text,
        }
    }

    /// Returns the id as an item id, if it has the form of one.
    pub(crate) fn checked(&self) -> Option<ItemId> {
        ObjectId::parse(self.as_str()).map(ItemId)
    }

    pub(crate) fn is(&self, text: &str) -> bool {
        self.as_str().eq_ignore_ascii_case(text)
    }
}

impl From<&str> for ReceivedId {
    fn from(text: &str) -> Self {
        match <[u8; DIGITS]>::try_from(text.as_bytes()) {
            Ok(bytes) if text.is_ascii() => Self(Text::Inline(bytes)),
            _ => Self(Text::Other(text.into())),
        }
    }
}

impl From<ItemId> for ReceivedId {
    fn from(id: ItemId) -> Self {
        Self(Text::Inline(id.0.0))
    }
}

impl From<CmsLocaleId> for ReceivedId {
    fn from(id: CmsLocaleId) -> Self {
        Self(Text::Inline(id.0.0))
    }
}

impl PartialEq for ReceivedId {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.as_str())
    }
}

impl Eq for ReceivedId {}

impl Hash for ReceivedId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str()
            .bytes()
            .for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
    }
}

impl PartialEq<ItemId> for ReceivedId {
    fn eq(&self, id: &ItemId) -> bool {
        self.is(id.as_str())
    }
}

impl PartialEq<CmsLocaleId> for ReceivedId {
    fn eq(&self, id: &CmsLocaleId) -> bool {
        self.is(id.as_str())
    }
}

impl fmt::Display for ReceivedId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for ReceivedId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ReceivedId({:?})", self.as_str())
    }
}

impl Serialize for ReceivedId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ReceivedId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = ReceivedId;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an id")
            }

            fn visit_str<E>(self, text: &str) -> Result<ReceivedId, E> {
                Ok(ReceivedId::from(text))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}
