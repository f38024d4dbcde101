//! The interface between the rules and a client under test.
//!
//! A rule hands a [`Call`] to a [`ClientUnderTest`] and checks the [`Outcome`] together with the requests that the
//! server received. Calls and outcomes are plain data with a JSON form, and independent of any client's own types.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use webflow_cms_reference::VirtualTime;

pub mod bulk;

/// A client of the endpoint under test.
pub trait ClientUnderTest: Send + Sync {
    /// The name of the client in reports.
    fn name(&self) -> &str;

    /// Makes one call and returns its outcome.
    fn update<'a>(&'a self, call: &'a Call) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

    /// The client in virtual time, as the rules about time need it. `None` if the client does not support it.
    fn timed(&self) -> Option<&dyn Timed> {
        None
    }
}

/// A client whose waits, timeouts and rate limiter can run in virtual time.
pub trait Timed: Send + Sync {
    /// Creates a client with these settings. Its calls share a rate limiter and a retry budget.
    ///
    /// # Errors
    ///
    /// The reason why the client cannot be created.
    fn session(
        &self,
        time: &VirtualTime,
        settings: &ClientSettings,
    ) -> Result<Box<dyn Session>, String>;
}

/// One client in virtual time, whose calls share a rate limiter and a retry budget.
pub trait Session: Send + Sync {
    /// Makes a call. Dropping the future cancels it.
    fn update(
        &self,
        items: Vec<Entry>,
        options: Options,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

    /// Number of calls that wait for the rate limiter.
    fn waiting(&self) -> usize;

    /// Number of retries left in the retry budget. `None` if it is unlimited.
    fn retry_budget(&self) -> Option<u64>;

    /// Bulk runs of the client. `None` if it has none.
    fn bulk(&self) -> Option<&dyn bulk::Bulk> {
        None
    }
}

/// Options of a call, or of each request of a bulk run, beyond the settings of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The query parameter `skipInvalidFiles`. `None` omits it.
    pub skip_invalid_files: Option<bool>,
    /// Attempt timeout. `None` for the client's.
    pub attempt_timeout: Option<Duration>,
}

/// Settings of a client in virtual time.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The base URL, with `/v2` and without a trailing slash.
    pub base_url: String,
    /// The bearer token.
    pub token: String,
    /// Id of the collection.
    pub collection_id: String,
    /// The rate limiter.
    pub rate_limiter: RateLimiter,
    /// Whether retries and timeouts have the client's own defaults, whatever the settings below.
    pub client_defaults: bool,
    /// Maximum number of attempts of a request.
    pub max_attempts: u32,
    /// Whether a request is retried although the service may have acted on it.
    pub retry_ambiguous: bool,
    /// The client's own back-off: initial and maximum.
    pub backoff: (Duration, Duration),
    /// The longest wait that the client accepts from the service.
    pub max_retry_after: Duration,
    /// Maximum number of retries, not counting those after a 429. `None` is unlimited.
    pub retry_budget: Option<u32>,
    /// Timeout of one attempt.
    pub attempt_timeout: Duration,
    /// Timeout of a call with all its attempts and waits. `None` is unlimited.
    pub operation_timeout: Option<Duration>,
    /// The random part of waits.
    pub random: Random,
}

/// The rate limiter of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RateLimiter {
    /// No rate limiter.
    Unlimited,
    /// The limit of the responses. Until the first response, this number of requests per minute.
    WithInitialLimit(u32),
    /// This number of requests per minute.
    Fixed(u32),
    /// A share of the limit of the responses.
    Share(f64),
}

/// The source of the random part of waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Random {
    /// Always the same number, from 0 to 1.
    Always(f64),
    /// A sequence of numbers that depends on the seed.
    Seeded(u64),
}

/// One call that updates items.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The base URL, with `/v2` and without a trailing slash.
    pub base_url: String,
    /// The bearer token.
    pub token: String,
    /// Id of the collection.
    pub collection_id: String,
    /// The query parameter `skipInvalidFiles`. `None` omits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_invalid_files: Option<bool>,
    /// The entries.
    pub items: Vec<Entry>,
    /// Attempt timeout in milliseconds. `None` for the client's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout_ms: Option<u64>,
    /// Maximum length of a response's body in bytes, for clients that have such a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_response_bytes: Option<usize>,
    /// Maximum number of attempts. `None` for the client's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Whether to send the request at once, without the client's rate limiter.
    #[serde(default)]
    pub no_rate_limit: bool,
}

impl fmt::Debug for Call {
    /// Prints all fields but the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Call")
            .field("collection_id", &self.collection_id)
            .field("skip_invalid_files", &self.skip_invalid_files)
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}

/// One entry of a call. A member that is `None` must not be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Id of the item.
    pub id: String,
    /// Id of the locale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cms_locale_id: Option<String>,
    /// The flag `isArchived`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_archived: Option<bool>,
    /// The flag `isDraft`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_draft: Option<bool>,
    /// The fields as JSON text, so that numbers keep their digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_data: Option<Box<RawValue>>,
    /// The form in which the client gets the entry.
    #[serde(default, skip_serializing_if = "EntryForm::is_default")]
    pub form: EntryForm,
}

/// The form in which a client gets an entry. A client with only one form uses it for all entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntryForm {
    /// The fields as a whole.
    #[default]
    Fields,
    /// One field after the other. A null clears the field.
    FieldByField,
    /// The whole entry as a line of JSON.
    Line,
}

impl EntryForm {
    fn is_default(&self) -> bool {
        *self == Self::Fields
    }
}

impl Entry {
    /// Creates an entry of this item without other members.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            cms_locale_id: None,
            is_archived: None,
            is_draft: None,
            field_data: None,
            form: EntryForm::Fields,
        }
    }

    /// Sets or removes the locale.
    #[must_use]
    pub fn locale(mut self, locale: Option<&str>) -> Self {
        self.cms_locale_id = locale.map(str::to_owned);
        self
    }

    /// Sets the fields. Text that is not JSON removes them.
    #[must_use]
    pub fn fields(mut self, json: &str) -> Self {
        self.field_data = serde_json::from_str(json).ok();
        self
    }
}

/// The outcome of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Outcome {
    /// The client refused the call before it sent anything.
    Refused(Refusal),
    /// The client reports a success.
    Updated(Updated),
    /// The client reports a failure.
    Failed(Failure),
    /// The client panicked, crashed or returned no outcome.
    Crashed {
        /// The panic message, or another explanation.
        reason: String,
    },
}

impl Outcome {
    /// All texts that the client prints or returns about the outcome.
    #[must_use]
    pub fn renderings(&self) -> &[String] {
        match self {
            Self::Refused(refusal) => &refusal.renderings,
            Self::Updated(updated) => &updated.renderings,
            Self::Failed(failure) => &failure.renderings,
            Self::Crashed { .. } => &[],
        }
    }

    /// The failure.
    ///
    /// # Errors
    ///
    /// A description of the outcome, if it is not a failure.
    pub fn failure(&self) -> Result<&Failure, String> {
        match self {
            Self::Failed(failure) => Ok(failure),
            other => Err(format!("the client did not fail: {}", other.brief())),
        }
    }

    /// The success.
    ///
    /// # Errors
    ///
    /// A description of the outcome, if it is not a success.
    pub fn updated(&self) -> Result<&Updated, String> {
        match self {
            Self::Updated(updated) => Ok(updated),
            other => Err(format!("the client did not succeed: {}", other.brief())),
        }
    }

    /// The refusal.
    ///
    /// # Errors
    ///
    /// A description of the outcome, if it is not a refusal.
    pub fn refused(&self) -> Result<&Refusal, String> {
        match self {
            Self::Refused(refusal) => Ok(refusal),
            other => Err(format!(
                "the client did not refuse the call: {}",
                other.brief()
            )),
        }
    }

    fn brief(&self) -> String {
        match self {
            Self::Refused(refusal) => format!("it refused the call: {}", refusal.message),
            Self::Updated(updated) => format!("it succeeded with {} items", updated.items.len()),
            Self::Failed(failure) => {
                format!("it failed: {:?} {:?}", failure.kind, failure.renderings)
            }
            Self::Crashed { reason } => format!("it crashed: {reason}"),
        }
    }
}

/// A client's refusal of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The text of the refusal.
    pub message: String,
    /// Positions of the entries that caused it, as far as the client names them.
    #[serde(default)]
    pub entries: Vec<usize>,
    /// All texts that the client prints or returns about it.
    #[serde(default)]
    pub renderings: Vec<String>,
}

/// A client's reading of a successful response.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Updated {
    /// The status.
    pub status: Option<u16>,
    /// The items, in the order of the response.
    pub items: Vec<Item>,
    /// The match of each entry of the call, in the order of the call.
    pub entries: Vec<Returned>,
    /// Undocumented members of the response.
    #[serde(default)]
    pub extra: Map<String, Value>,
    /// `X-RateLimit-Limit`.
    pub limit: Option<u64>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// Number of attempts, if the client reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// All texts that the client prints or returns about it.
    #[serde(default)]
    pub renderings: Vec<String>,
}

/// A client's match of an entry with the response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// The item at this position of the response.
    Item(usize),
    /// No item.
    Missing,
    /// Several items or entries match, so none is assigned.
    Ambiguous,
}

/// A client's reading of a returned item.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The id.
    pub id: String,
    /// The locale.
    pub cms_locale_id: Option<String>,
    /// The date `lastPublished`.
    pub last_published: Option<String>,
    /// The date `lastUpdated`.
    pub last_updated: Option<String>,
    /// The date `createdOn`.
    pub created_on: Option<String>,
    /// The flag `isArchived`.
    pub is_archived: Option<bool>,
    /// The flag `isDraft`.
    pub is_draft: Option<bool>,
    /// The fields, as JSON text.
    pub field_data: Option<Box<RawValue>>,
    /// Undocumented members of the item.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

/// A client's error for a failed call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The kind of the error.
    pub kind: FailureKind,
    /// The status.
    pub status: Option<u16>,
    /// The error body's `code`. A number is given by its digits.
    pub code: Option<String>,
    /// The error body's `message`.
    pub message: Option<String>,
    /// The error body's `externalReference`.
    pub external_reference: Option<String>,
    /// The details of the error.
    #[serde(default)]
    pub details: Vec<Detail>,
    /// The wait of `Retry-After` in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// `X-RateLimit-Limit`.
    pub limit: Option<u64>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// The body, or its beginning.
    pub body: Option<String>,
    /// Whether the service may have acted.
    pub may_have_acted: bool,
    /// Whether a retry can help.
    pub retryable: bool,
    /// Number of attempts, if the client reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The failure of each attempt, if the client reports them.
    #[serde(default)]
    pub failed_attempts: Vec<FailureKind>,
    /// The text of the error for people.
    #[serde(default)]
    pub text: String,
    /// All texts that the client prints or returns about it.
    #[serde(default)]
    pub renderings: Vec<String>,
}

/// One detail of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// The field or parameter that is invalid.
    pub field: Option<String>,
    /// The explanation.
    pub message: Option<String>,
}

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// 400.
    BadRequest,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 413.
    PayloadTooLarge,
    /// 429.
    TooManyRequests,
    /// 5xx.
    ServerError,
    /// Any other status.
    UnexpectedStatus,
    /// The documented status with a body that is not a valid response.
    InvalidResponse,
    /// No connection could be established.
    Connect,
    /// A timeout.
    Timeout,
    /// The connection was reset or closed early.
    ConnectionClosed,
    /// Another transport error.
    Transport,
    /// The request was not sent: a timeout passed first, or the service asked for a longer wait.
    NotSent,
    /// Any other kind.
    Unknown,
}
