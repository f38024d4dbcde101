//! What the suite asks of a client, in words that belong to no client.
//!
//! A rule hands a [`Call`] to a [`ClientUnderTest`] and judges the [`Outcome`] together with what went over the wire.
//! Everything in a call and an outcome is plain data that can be written as JSON.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use webflow_cms_reference::VirtualTime;

pub mod bulk;

/// A client of the endpoint, to be judged.
pub trait ClientUnderTest: Send + Sync {
    /// The name that reports show.
    fn name(&self) -> &str;

    /// Makes one call of the client and says what came of it.
    fn update<'a>(&'a self, call: &'a Call) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

    /// The client with its waits and time limits on a virtual time, if it can be had: what the rules about time need.
    fn timed(&self) -> Option<&dyn Timed> {
        None
    }
}

/// A client whose waits, time limits and pace can run on a virtual time.
pub trait Timed: Send + Sync {
    /// Makes a client of these settings. Its calls share what calls of one client share.
    ///
    /// # Errors
    ///
    /// Why it cannot be made.
    fn session(
        &self,
        time: &VirtualTime,
        settings: &ClientSettings,
    ) -> Result<Box<dyn Session>, String>;
}

/// One client, whose calls share a pace and a budget.
pub trait Session: Send + Sync {
    /// Makes a call. Dropping the future ends it.
    fn update(
        &self,
        items: Vec<Entry>,
        options: Options,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

    /// How many calls wait for their turn.
    fn waiting(&self) -> usize;

    /// How many requests can be sent again, where there is a bound.
    fn retry_budget(&self) -> Option<u64>;

    /// The client's way to update any number of items, if it has one.
    fn bulk(&self) -> Option<&dyn bulk::Bulk> {
        None
    }
}

/// What a call, or each request of a bulk run, asks for beyond the settings of its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The query parameter of the same name, if it is to be sent.
    pub skip_invalid_files: Option<bool>,
    /// The time limit of an attempt, in place of the client's.
    pub attempt_timeout: Option<Duration>,
}

/// The settings of a client whose time is virtual.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The base URL, with the `/v2` and without a slash at its end.
    pub base_url: String,
    /// The bearer token.
    pub token: String,
    /// The collection.
    pub collection_id: String,
    /// How the requests are spread.
    pub rate_limiter: RateLimiter,
    /// Whether retries and time limits are as the client has them by default, whatever the settings below say.
    pub client_defaults: bool,
    /// How often a request is sent at the most.
    pub max_attempts: u32,
    /// Whether it is sent again although the service may have acted on it.
    pub retry_ambiguous: bool,
    /// The client's own waits: after the first failure, and the longest.
    pub backoff: (Duration, Duration),
    /// The longest wait that the service is granted.
    pub max_retry_after: Duration,
    /// How many requests may be sent again beyond those reported 429; no bound if it is not set.
    pub retry_budget: Option<u32>,
    /// For one try.
    pub attempt_timeout: Duration,
    /// For a call with all its attempts and waits; no bound if it is not set.
    pub operation_timeout: Option<Duration>,
    /// What decides the random part of waits.
    pub random: Random,
}

/// How a client spreads its requests over the minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RateLimiter {
    /// Not at all.
    Unlimited,
    /// As the responses say, and so many a minute until one does.
    WithInitialLimit(u32),
    /// So many a minute.
    Fixed(u32),
    /// A part of what the responses say.
    Share(f64),
}

/// Where a client takes the random part of its waits from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Random {
    /// Always the same number, from 0 to 1.
    Always(f64),
    /// A sequence that the seed decides.
    Seeded(u64),
}

/// One call of the client's update of items.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The base URL, with the `/v2` and without a slash at its end.
    pub base_url: String,
    /// The bearer token.
    pub token: String,
    /// The collection.
    pub collection_id: String,
    /// The query parameter of the same name, if it is to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_invalid_files: Option<bool>,
    /// The entries.
    pub items: Vec<Entry>,
    /// How long the call may take, in milliseconds; the client's own default if it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout_ms: Option<u64>,
    /// The bound for a response's body in bytes, for clients that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_response_bytes: Option<usize>,
    /// How often the client may send the request, the first time included; as often as it likes if it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Whether the client is to send the request at once, whatever pace it keeps otherwise.
    #[serde(default)]
    pub no_rate_limit: bool,
}

impl fmt::Debug for Call {
    /// Prints everything but the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Call")
            .field("collection_id", &self.collection_id)
            .field("skip_invalid_files", &self.skip_invalid_files)
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}

/// One entry of a call. What is not set is not to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The item.
    pub id: String,
    /// The locale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cms_locale_id: Option<String>,
    /// The flag of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_archived: Option<bool>,
    /// The flag of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_draft: Option<bool>,
    /// The fields, as JSON text, so that numbers keep their digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_data: Option<Box<RawValue>>,
    /// How the client is given the entry.
    #[serde(default, skip_serializing_if = "EntryForm::is_default")]
    pub form: EntryForm,
}

/// How a client is given an entry. A client that has one way takes all entries that way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntryForm {
    /// The fields as a whole.
    #[default]
    Fields,
    /// One field after the other; a null clears it.
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
    /// An entry that names nothing but the item.
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

    /// The entry with a locale, or none.
    #[must_use]
    pub fn locale(mut self, locale: Option<&str>) -> Self {
        self.cms_locale_id = locale.map(str::to_owned);
        self
    }

    /// The entry with these fields. Text that is not JSON leaves them out.
    #[must_use]
    pub fn fields(mut self, json: &str) -> Self {
        self.field_data = serde_json::from_str(json).ok();
        self
    }
}

/// What a client made of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Outcome {
    /// The client refused the call before it sent anything.
    Refused(Refusal),
    /// The client takes the response for a success.
    Updated(Updated),
    /// The client takes the call for failed.
    Failed(Failure),
    /// The client panicked, crashed or otherwise gave no outcome.
    Crashed {
        /// What is known of it.
        reason: String,
    },
}

impl Outcome {
    /// Everything that the client would print of the outcome.
    #[must_use]
    pub fn renderings(&self) -> &[String] {
        match self {
            Self::Refused(refusal) => &refusal.renderings,
            Self::Updated(updated) => &updated.renderings,
            Self::Failed(failure) => &failure.renderings,
            Self::Crashed { .. } => &[],
        }
    }

    /// The failure, if it is one.
    ///
    /// # Errors
    ///
    /// What it is instead.
    pub fn failure(&self) -> Result<&Failure, String> {
        match self {
            Self::Failed(failure) => Ok(failure),
            other => Err(format!("the client did not fail: {}", other.brief())),
        }
    }

    /// The success, if it is one.
    ///
    /// # Errors
    ///
    /// What it is instead.
    pub fn updated(&self) -> Result<&Updated, String> {
        match self {
            Self::Updated(updated) => Ok(updated),
            other => Err(format!("the client did not succeed: {}", other.brief())),
        }
    }

    /// The refusal, if it is one.
    ///
    /// # Errors
    ///
    /// What it is instead.
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

/// Why a client refused a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// What it said.
    pub message: String,
    /// The positions of the entries that it names as at fault.
    #[serde(default)]
    pub entries: Vec<usize>,
    /// Everything that the client would print of it.
    #[serde(default)]
    pub renderings: Vec<String>,
}

/// What a client read from a response.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Updated {
    /// The status.
    pub status: Option<u16>,
    /// The items, in the order of the response.
    pub items: Vec<Item>,
    /// What the client says came back for each entry of the call, in its order.
    pub entries: Vec<Returned>,
    /// Members of the response that are not documented.
    #[serde(default)]
    pub extra: Map<String, Value>,
    /// `X-RateLimit-Limit`.
    pub limit: Option<u64>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// How often the request was sent, if the client tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Everything that the client would print of it.
    #[serde(default)]
    pub renderings: Vec<String>,
}

/// What a client says came back for an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// The item at this position of the response.
    Item(usize),
    /// Nothing.
    Missing,
    /// Something, but not in a way that tells what.
    Ambiguous,
}

/// An item as a client read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The id.
    pub id: String,
    /// The locale.
    pub cms_locale_id: Option<String>,
    /// The date of the same name.
    pub last_published: Option<String>,
    /// The date of the same name.
    pub last_updated: Option<String>,
    /// The date of the same name.
    pub created_on: Option<String>,
    /// The flag of the same name.
    pub is_archived: Option<bool>,
    /// The flag of the same name.
    pub is_draft: Option<bool>,
    /// The fields, as JSON text.
    pub field_data: Option<Box<RawValue>>,
    /// Members of the item that are not documented.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

/// Why a call failed, as a client tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// The status.
    pub status: Option<u16>,
    /// The error body's `code`, a number as its digits.
    pub code: Option<String>,
    /// The error body's `message`.
    pub message: Option<String>,
    /// The error body's `externalReference`.
    pub external_reference: Option<String>,
    /// The single reasons.
    #[serde(default)]
    pub details: Vec<Detail>,
    /// The wait that `Retry-After` asks for, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// `X-RateLimit-Limit`.
    pub limit: Option<u64>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// The beginning of the body, or all of it.
    pub body: Option<String>,
    /// Whether the service may have changed items.
    pub may_have_acted: bool,
    /// Whether another try can help.
    pub retryable: bool,
    /// How often the request was sent, if the client tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// What each try came to, if the client tells.
    #[serde(default)]
    pub failed_attempts: Vec<FailureKind>,
    /// What the client shows people of it.
    #[serde(default)]
    pub text: String,
    /// Everything that the client would print of it.
    #[serde(default)]
    pub renderings: Vec<String>,
}

/// One reason of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// The field or parameter at fault.
    pub field: Option<String>,
    /// What is wrong.
    pub message: Option<String>,
}

/// What went wrong.
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
    /// The documented status with a body that is no response.
    InvalidResponse,
    /// No connection came about.
    Connect,
    /// The time ran out.
    Timeout,
    /// The connection was reset or closed early.
    ConnectionClosed,
    /// Another fault of the transport.
    Transport,
    /// The client did not get to send it, for want of time or because the service has asked for a longer wait.
    NotSent,
    /// None of these.
    Unknown,
}
