//! Input that the client rejects before it sends anything.

use std::fmt;

use crate::id::{CmsLocaleId, DuplicateKey, ParseIdError};
use crate::spec::MAX_ITEMS;

/// Input that the client rejected before it sent anything, with the place of the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidInput {
    /// A collection, item or CMS locale id that is not 24 hexadecimal digits.
    Id(
        /// The text and the kind of id that was expected.
        ParseIdError,
    ),
    /// An empty token.
    EmptyToken,
    /// A token with a character that is not visible ASCII.
    InvalidToken {
        /// The position of the first such byte, counted from 0.
        position: usize,
    },
    /// A batch without an item update.
    EmptyBatch,
    /// A batch with more than [`Batch::MAX_ITEMS`](crate::Batch::MAX_ITEMS) item updates.
    BatchTooLarge {
        /// The number of item updates.
        len: usize,
    },
    /// A batch with the same item in the same locale more than once.
    DuplicateKeys(
        /// Each entry that repeats an earlier one.
        Vec<DuplicateKey>,
    ),
    /// Fields that do not serialize to a JSON object.
    FieldsNotAnObject,
    /// A field, or a member of an object in a field, that is set more than once.
    DuplicateField {
        /// The field's slug, or the path to the member, such as `dimensions.width`.
        field: Box<str>,
    },
    /// A number that is not finite, or a number in JSON text that exceeds a 64-bit float.
    ///
    /// JSON would turn the former into `null`, which clears a field. Most parsers read the latter as infinity.
    NotFinite {
        /// The path to the number, such as `dimensions.width`.
        path: Box<str>,
    },
    /// A field with a value of another type than the OpenAPI document specifies.
    WrongFieldType {
        /// The field's slug.
        field: Box<str>,
        /// The documented type, with its article: `a string`.
        expected: &'static str,
        /// The type of the value, such as `a number` or `null`.
        found: &'static str,
    },
    /// A string in JSON text with an escaped half of a surrogate pair, such as `"\ud83d"`. It is not valid Unicode, and
    /// many JSON parsers reject it.
    UnpairedSurrogate {
        /// The path to the string, such as `dimensions.unit`.
        path: Box<str>,
    },
    /// A field in which arrays and objects are nested too deeply for common JSON parsers.
    NestedTooDeep {
        /// The field's slug.
        field: Box<str>,
        /// The maximum number of levels.
        most: usize,
    },
    /// A field whose value failed to serialize.
    Unserializable {
        /// The path to the value.
        path: Box<str>,
        /// The message of the serialization error.
        reason: Box<str>,
    },
    /// JSON text that is not an item update.
    InvalidItemUpdate {
        /// The position of the fault, in bytes from 1. A byte order mark before the text does not count.
        column: usize,
        /// The fault, with the name of the member that it concerns.
        reason: Box<str>,
    },
    /// A base URL that cannot be used.
    BaseUrl {
        /// The fault, as the end of a sentence that begins with `the base URL`.
        reason: &'static str,
    },
    /// A base URL without encryption to another machine.
    PlainHttp {
        /// The host.
        host: Box<str>,
    },
    /// An `https` base URL in a build without the features `rustls` and `native-tls`.
    NoTls,
    /// A user agent that is not a valid header value.
    UserAgent,
    /// A timeout of zero.
    ZeroTimeout,
    /// An item update that alone exceeds the maximum size of a request.
    UpdateTooLarge {
        /// The size of its JSON in bytes.
        bytes: usize,
        /// The maximum size of a request in bytes.
        most: usize,
    },
    /// Settings of a bulk run that contradict each other.
    Bulk {
        /// The contradiction.
        reason: &'static str,
    },
    /// A rate limit of 0 requests a minute.
    RateLimit,
    /// A share of a rate limit that is not above 0 and at most 1.
    RateLimitShare,
    /// A back-off whose initial wait is longer than its maximum.
    Backoff,
    /// A call on another Tokio runtime than the one of the client's connections.
    OtherRuntime,
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(error) => fmt::Display::fmt(error, formatter),
            Self::EmptyToken => formatter.write_str("the token is empty"),
            Self::InvalidToken { position } => {
                write!(formatter, "the token has a character that is not visible ASCII, at byte {position}")
            }
            Self::EmptyBatch => formatter.write_str("the batch has no item update"),
            Self::BatchTooLarge { len } => write!(
                formatter,
                "the batch has {len} item updates, more than the maximum of {MAX_ITEMS}; \
                 split it, or use `Client::bulk`"
            ),
            Self::DuplicateKeys(duplicates) => duplicate_keys(formatter, duplicates),
            Self::FieldsNotAnObject => formatter.write_str("the fields do not serialize to a JSON object"),
            Self::DuplicateField { field } => write!(formatter, "the field {field:?} is set more than once"),
            Self::NotFinite { path } => {
                write!(formatter, "the number at {path:?} is not finite, which JSON cannot express")
            }
            Self::WrongFieldType { field, expected, found } => {
                write!(formatter, "the field {field:?} must be {expected}, but it is {found}")
            }
            Self::UnpairedSurrogate { path } => {
                write!(formatter, "the string at {path:?} has half of a surrogate pair, which is not valid Unicode")
            }
            Self::NestedTooDeep { field, most } => write!(
                formatter,
                "the field {field:?} is nested more than {most} levels deep, and many JSON parsers stop at 128"
            ),
            Self::Unserializable { path, reason } => {
                write!(formatter, "the value at {path:?} cannot be serialized: {reason}")
            }
            Self::InvalidItemUpdate { column, reason } => {
                write!(formatter, "invalid item update at column {column}: {reason}")
            }
            Self::BaseUrl { reason } => write!(formatter, "the base URL {reason}"),
            Self::PlainHttp { host } => write!(
                formatter,
                "the base URL is plain http to {host}, which would expose the token to the network; \
                 use https, or consent with `allow_plain_http(true)`"
            ),
            Self::NoTls => formatter.write_str(
                "the base URL is https, and this build has no TLS; enable the feature `rustls` or `native-tls`",
            ),
            Self::UserAgent => formatter.write_str("the user agent is not a valid header value"),
            Self::ZeroTimeout => formatter.write_str("a timeout is zero; `Duration::MAX` means no limit"),
            Self::UpdateTooLarge { bytes, most } => write!(
                formatter,
                "the update has {bytes} bytes, more than the maximum of {most} for a request"
            ),
            Self::Bulk { reason } => formatter.write_str(reason),
            Self::RateLimit => formatter.write_str("the rate limit is 0 requests a minute"),
            Self::RateLimitShare => formatter.write_str("the share of the rate limit must be above 0 and at most 1"),
            Self::Backoff => formatter.write_str("the initial back-off is longer than the maximum"),
            Self::OtherRuntime => formatter.write_str(
                "the connections of the client belong to another Tokio runtime; make a client for each runtime",
            ),
        }
    }
}

impl std::error::Error for InvalidInput {}

fn duplicate_keys(formatter: &mut fmt::Formatter<'_>, duplicates: &[DuplicateKey]) -> fmt::Result {
    const SHOWN: usize = 5;
    formatter.write_str("the batch has the same item in the same locale more than once: ")?;
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
