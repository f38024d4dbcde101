//! Settings of the server, and the responses of the model under them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::limiter::{Decision, Limiter};
use super::reply::{Basis, Reply};
use super::update::{Refusal, Updated};

/// How a response names the primary locale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrimaryEcho {
    /// Each returned item has its `cmsLocaleId`, as documented.
    #[default]
    Echoed,
    /// Items in the primary locale come without `cmsLocaleId`, as observed on sites without localization (2025-03).
    Absent,
    /// Items in the primary locale come with `cmsLocaleId: null`, as observed on sites without localization
    /// (2023-12 to 2025-03).
    Null,
}

/// The order of the items in a response. It is not documented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseOrder {
    /// The order of the request.
    #[default]
    AsSent,
    /// The reverse order of the request.
    Reversed,
    /// An order that depends on the seed and the number of items.
    Shuffled(u64),
}

/// The shape of a response. The reference page documents both and does not say when each is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseShape {
    /// Always a list, as in all documented examples.
    #[default]
    List,
    /// A single item if one item was updated, else a list.
    ItemWhenSingle,
}

/// The format of `Retry-After` in a 429 of the limiter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryAfterForm {
    /// Whole seconds, rounded up.
    #[default]
    Seconds,
    /// A date, rounded up to the second, beside a `Date` header that is rounded down.
    Date,
}

/// The rate headers of every response that is not scripted. `None` omits a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateHeaders {
    /// `X-RateLimit-Limit`: requests per minute.
    pub limit: Option<u32>,
    /// `X-RateLimit-Remaining`: requests left in this minute.
    pub remaining: Option<u32>,
    /// `Retry-After`, in seconds if it is a number. Successful responses carry it too.
    pub retry_after: Option<String>,
}

impl Default for RateHeaders {
    /// The values of an observed successful response: 60, 59, and `Retry-After: 60`.
    fn default() -> Self {
        Self {
            limit: Some(60),
            remaining: Some(59),
            retry_after: Some("60".to_owned()),
        }
    }
}

/// Settings of the server. Defaults follow the documentation, and observations where nothing is documented.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The bearer token that requests must carry.
    pub token: String,
    /// How a response names the primary locale.
    pub primary_echo: PrimaryEcho,
    /// The same for entries that name the primary locale themselves. Default: `None`, no difference. No response of a
    /// site without localization to such an entry was recorded, so each value is assumed.
    pub named_primary_echo: Option<PrimaryEcho>,
    /// The order of the items in a response.
    pub order: ResponseOrder,
    /// The shape of a response.
    pub shape: ResponseShape,
    /// Whether a list has `pagination`. Default: `true`.
    pub pagination: bool,
    /// Keys that are omitted from returned items, such as `lastPublished` or `fieldData.name`.
    pub omitted: Vec<String>,
    /// The rate headers.
    pub rate: RateHeaders,
    /// The rate limiter, if any. It sets the numbers in the rate headers.
    pub limiter: Option<Limiter>,
    /// The format of `Retry-After` in a 429 of the limiter.
    pub retry_after_form: RetryAfterForm,
    /// Maximum length of a request's body in bytes, if any. A longer one gets a 413. Webflow documents no limit.
    pub max_body: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token: "reference-token".to_owned(),
            primary_echo: PrimaryEcho::default(),
            named_primary_echo: None,
            order: ResponseOrder::default(),
            shape: ResponseShape::default(),
            pagination: true,
            omitted: Vec::new(),
            rate: RateHeaders::default(),
            limiter: None,
            retry_after_form: RetryAfterForm::default(),
            max_body: None,
        }
    }
}

impl fmt::Debug for Settings {
    /// Prints everything but the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("primary_echo", &self.primary_echo)
            .field("named_primary_echo", &self.named_primary_echo)
            .field("order", &self.order)
            .field("shape", &self.shape)
            .field("pagination", &self.pagination)
            .field("omitted", &self.omitted)
            .field("rate", &self.rate)
            .field("limiter", &self.limiter)
            .field("retry_after_form", &self.retry_after_form)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The response to an applied batch.
    pub(super) fn updated(&self, updated: &[Updated]) -> Reply {
        let mut items: Vec<Value> = updated.iter().map(|updated| self.item(updated)).collect();
        let total = items.len();
        let single = if self.shape == ResponseShape::ItemWhenSingle && total == 1 {
            items.pop()
        } else {
            None
        };
        let body = match single {
            Some(item) => item,
            None => {
                let mut list = json!({"items": self.ordered(items)});
                if self.pagination {
                    list["pagination"] = json!({"limit": 25, "offset": 0, "total": total});
                }
                list
            }
        };
        self.with_rate(Reply::new(200).json(&body).on(Basis::Documented))
    }

    /// The response to a batch that the model refused.
    pub(super) fn refused(&self, refusal: &Refusal) -> Reply {
        let reply = refusal.reply();
        let own = reply.headers.clone();
        let mut reply = self.with_rate(reply);
        reply.headers.extend(own);
        reply
    }

    /// Asks the limiter about a request. Returns the response if the request is refused.
    pub(super) fn limit(&mut self, elapsed: Duration, now: SystemTime) -> Option<Reply> {
        let decision = self.limiter.as_mut()?.decide(elapsed);
        let RateHeaders {
            limit,
            remaining,
            retry_after,
        } = &mut self.rate;
        *limit = limit.map(|_| decision.limit);
        *remaining = remaining.map(|_| decision.remaining);
        if let (Some(header), Some(end)) = (retry_after, decision.window_ends) {
            *header = whole_seconds(end).to_string();
        }
        (!decision.admitted).then(|| self.too_many(&decision, now))
    }

    fn too_many(&self, decision: &Decision, now: SystemTime) -> Reply {
        let reply = Reply::documented(429).unwrap_or_else(|_| Reply::new(429));
        let reply = RATE_HEADERS.into_iter().fold(reply, Reply::without_header);
        let reply = self.with_rate(reply.on(Basis::Documented));
        if self.rate.retry_after.is_none() {
            return reply;
        }
        match self.retry_after_form {
            RetryAfterForm::Seconds => reply.header(
                "retry-after",
                &whole_seconds(decision.retry_after).to_string(),
            ),
            RetryAfterForm::Date => {
                let today = now
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap_or_default();
                let until = whole_seconds(today.saturating_add(decision.retry_after));
                let until = SystemTime::UNIX_EPOCH + Duration::from_secs(until);
                reply
                    .header("date", &httpdate::fmt_http_date(now))
                    .header("retry-after", &httpdate::fmt_http_date(until))
            }
        }
    }

    pub(super) fn with_rate(&self, mut reply: Reply) -> Reply {
        let RateHeaders {
            limit,
            remaining,
            retry_after,
        } = &self.rate;
        if let Some(limit) = limit {
            reply = reply.header("x-ratelimit-limit", &limit.to_string());
        }
        if let Some(remaining) = remaining {
            reply = reply.header("x-ratelimit-remaining", &remaining.to_string());
        }
        if let Some(retry_after) = retry_after {
            reply = reply.header("retry-after", retry_after);
        }
        reply
    }

    fn item(&self, updated: &Updated) -> Value {
        let Updated {
            key,
            primary,
            named,
            variant,
        } = updated;
        let mut item = json!({
            "id": key.item,
            "cmsLocaleId": key.locale,
            "lastPublished": variant.last_published,
            "lastUpdated": variant.last_updated,
            "createdOn": variant.created_on,
            "isArchived": variant.is_archived,
            "isDraft": variant.is_draft,
            "fieldData": variant.field_data,
        });
        let echo = match self.named_primary_echo {
            Some(echo) if *named => echo,
            _ => self.primary_echo,
        };
        match echo {
            PrimaryEcho::Absent if *primary => remove(&mut item, "cmsLocaleId"),
            PrimaryEcho::Null if *primary => item["cmsLocaleId"] = Value::Null,
            _ => {}
        }
        for key in &self.omitted {
            match key.split_once('.') {
                Some((object, key)) => item
                    .get_mut(object)
                    .map_or((), |object| remove(object, key)),
                None => remove(&mut item, key),
            }
        }
        item
    }

    fn ordered(&self, mut items: Vec<Value>) -> Vec<Value> {
        match self.order {
            ResponseOrder::AsSent => items,
            ResponseOrder::Reversed => {
                items.reverse();
                items
            }
            ResponseOrder::Shuffled(seed) => {
                let mut keyed: Vec<_> = (0u64..).zip(items).collect();
                keyed.sort_by_key(|(index, _)| mix(seed ^ mix(*index)));
                keyed.into_iter().map(|(_, item)| item).collect()
            }
        }
    }
}

const RATE_HEADERS: [&str; 3] = ["x-ratelimit-limit", "x-ratelimit-remaining", "retry-after"];

/// Seconds, rounded up.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn remove(object: &mut Value, key: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(key);
    }
}

/// SplitMix64's finalizer: a permutation of 64-bit numbers that looks random.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
