//! What can be refused before anything is sent.

use std::fmt;

use crate::id::{CmsLocaleId, DuplicateKey, ParseIdError};
use crate::spec::MAX_ITEMS;

/// Input that was refused before anything was sent: what, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidInput {
    /// A collection, item or CMS locale id that is not 24 hexadecimal digits.
    Id(
        /// The text, and the kind of id that was expected.
        ParseIdError,
    ),
    /// A token without a character.
    EmptyToken,
    /// A token with a character that is not visible ASCII.
    InvalidToken {
        /// Where the first such byte is, counted from 0.
        position: usize,
    },
    /// A batch without an item update.
    EmptyBatch,
    /// A batch with more than [`Batch::MAX_ITEMS`](crate::Batch::MAX_ITEMS) item updates.
    BatchTooLarge {
        /// How many there are.
        len: usize,
    },
    /// A batch that holds the same item in the same locale more than once.
    DuplicateKeys(
        /// Each entry that repeats an earlier one.
        Vec<DuplicateKey>,
    ),
    /// Fields that do not serialize to a JSON object.
    FieldsNotAnObject,
    /// A field, or a member of an object in one, that is set more than once.
    DuplicateField {
        /// The field's slug, or the path to the member, such as `dimensions.width`.
        field: Box<str>,
    },
    /// A number that is not finite, which JSON would turn into `null`, which clears a field; or one in JSON text that is
    /// too large for a 64-bit float, and infinite to most who read it.
    NotFinite {
        /// The path to the number, such as `dimensions.width`.
        path: Box<str>,
    },
    /// A field with a value of another type than the OpenAPI document gives it.
    WrongFieldType {
        /// The field's slug.
        field: Box<str>,
        /// The documented type, with its article: `a string`.
        expected: &'static str,
        /// The type of the value, such as `a number` or `null`.
        found: &'static str,
    },
    /// A string in JSON text that escapes half of a surrogate pair without the other, such as `"\ud83d"`: no valid
    /// Unicode, and refused by many readers of JSON.
    UnpairedSurrogate {
        /// The path to the string, such as `dimensions.unit`.
        path: Box<str>,
    },
    /// A field in which arrays and objects are nested too deeply for common readers of JSON.
    NestedTooDeep {
        /// The field's slug.
        field: Box<str>,
        /// How many levels there may be.
        most: usize,
    },
    /// A field whose own serialization failed.
    Unserializable {
        /// The path to the value.
        path: Box<str>,
        /// What its serialization said.
        reason: Box<str>,
    },
    /// JSON text that is no item update.
    InvalidItemUpdate {
        /// Where the text is wrong, in bytes from 1. A byte order mark before the text does not count.
        column: usize,
        /// Why, with the name of the member where it is about one.
        reason: Box<str>,
    },
    /// A base URL that cannot be used.
    BaseUrl {
        /// Why.
        reason: &'static str,
    },
    /// A base URL without encryption to a host that is not this machine.
    PlainHttp {
        /// The host.
        host: Box<str>,
    },
    /// An `https` base URL in a build without the features `rustls` and `native-tls`.
    NoTls,
    /// A user agent that is no header value.
    UserAgent,
    /// A time limit of zero.
    ZeroTimeout,
    /// An update that is larger than a request may be, alone.
    UpdateTooLarge {
        /// How many bytes its JSON has.
        bytes: usize,
        /// How many bytes a request may have.
        most: usize,
    },
    /// Settings of a bulk run that contradict each other.
    Bulk {
        /// How.
        reason: &'static str,
    },
    /// A pace of no requests.
    RateLimit,
    /// A share of a pace that is not above 0 and at the most 1.
    RateLimitShare,
    /// A back-off that begins with a longer wait than its longest.
    Backoff,
    /// A call on another Tokio runtime than the one on which the connections of the client live.
    OtherRuntime,
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(error) => fmt::Display::fmt(error, formatter),
            Self::EmptyToken => formatter.write_str("the token is empty"),
            Self::InvalidToken { position } => {
                write!(formatter, "the token holds a character that no token has, at byte {position}")
            }
            Self::EmptyBatch => formatter.write_str("the batch holds no item update"),
            Self::BatchTooLarge { len } => {
                write!(formatter, "the batch holds {len} item updates, and {} is the most", MAX_ITEMS)
            }
            Self::DuplicateKeys(duplicates) => duplicate_keys(formatter, duplicates),
            Self::FieldsNotAnObject => formatter.write_str("the fields do not serialize to a JSON object"),
            Self::DuplicateField { field } => write!(formatter, "the field {field:?} is set more than once"),
            Self::NotFinite { path } => {
                write!(formatter, "the number at {path:?} is not finite, and no reader of JSON could hold it")
            }
            Self::WrongFieldType { field, expected, found } => {
                write!(formatter, "the field {field:?} must be {expected}, but it is {found}")
            }
            Self::UnpairedSurrogate { path } => {
                write!(formatter, "the text at {path:?} holds half of a surrogate pair, which is not valid Unicode")
            }
            Self::NestedTooDeep { field, most } => write!(
                formatter,
                "the field {field:?} is nested more than {most} levels deep, and many JSON parsers stop at 128"
            ),
            Self::Unserializable { path, reason } => {
                write!(formatter, "the value at {path:?} cannot be serialized: {reason}")
            }
            Self::InvalidItemUpdate { column, reason } => {
                write!(formatter, "no item update can be read, at column {column}: {reason}")
            }
            Self::BaseUrl { reason } => write!(formatter, "the base URL {reason}"),
            Self::PlainHttp { host } => write!(
                formatter,
                "the base URL is plain http to {host}, which would show the token to the network; \
                 allow_plain_http(true) consents to that"
            ),
            Self::NoTls => formatter.write_str(
                "the base URL is https, and this build has no TLS; turn on the feature `rustls` or `native-tls`",
            ),
            Self::UserAgent => formatter.write_str("the user agent is no header value"),
            Self::ZeroTimeout => formatter.write_str("a time limit is zero"),
            Self::UpdateTooLarge { bytes, most } => write!(
                formatter,
                "the update has {bytes} bytes, and a request may have {most}"
            ),
            Self::Bulk { reason } => formatter.write_str(reason),
            Self::RateLimit => formatter.write_str("a pace of 0 requests a minute would send nothing"),
            Self::RateLimitShare => formatter.write_str("the share of a pace is not above 0 and at the most 1"),
            Self::Backoff => formatter.write_str("the first back-off is longer than the longest"),
            Self::OtherRuntime => formatter.write_str(
                "the connections of the client live on another Tokio runtime; make a client for each runtime",
            ),
        }
    }
}

impl std::error::Error for InvalidInput {}

fn duplicate_keys(formatter: &mut fmt::Formatter<'_>, duplicates: &[DuplicateKey]) -> fmt::Result {
    const SHOWN: usize = 5;
    formatter.write_str("the batch holds the same item in the same locale more than once: ")?;
    for (position, duplicate) in duplicates.iter().take(SHOWN).enumerate() {
        let separator = if position == 0 { "" } else { "; " };
        let locale = duplicate
            .key
            .locale
            .as_ref()
            .map_or("the primary locale", CmsLocaleId::as_str);
        write!(
            formatter,
            "{separator}entry {} repeats entry {} (item {}, {locale})",
            duplicate.index, duplicate.first, duplicate.key.id
        )?;
    }
    match duplicates.len().checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => write!(formatter, "; and {more} more"),
    }
}
