//! The crate `webflow-cms` as a client under test, in this process.

mod bulk;
mod time;

use std::collections::{BTreeMap, HashMap};
use std::error::Error as _;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use webflow_cms::error::InvalidInput;
use webflow_cms::model::FieldData;
use webflow_cms::response::Returned as SdkReturned;
use webflow_cms::retry::RetryBudget;
use webflow_cms::{
    Batch, Client, CmsLocaleId, CollectionId, Error, ErrorKind, ItemId, ItemUpdate, RateLimiter,
    RetryPolicy, Token, UpdateResponse, reqwest,
};
use webflow_cms_reference::VirtualTime;

use crate::client::{
    self, Call, ClientSettings, ClientUnderTest, Detail, Entry, EntryForm, Failure, FailureKind,
    Item, Options, Outcome, Random, Refusal, Returned, Session, Timed, Updated,
};

pub use self::time::SdkTime;

/// The crate `webflow-cms` as a client under test.
#[derive(Default)]
pub struct Sdk {
    /// Cached, since creating a client takes longer than most cases.
    clients: Mutex<HashMap<Settings, Client>>,
}

type Settings = (
    String,
    String,
    Option<u64>,
    Option<usize>,
    Option<u32>,
    bool,
);

impl ClientUnderTest for Sdk {
    fn name(&self) -> &str {
        "webflow-cms"
    }

    fn update<'a>(&'a self, call: &'a Call) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(async move {
            match self.call(call).await {
                Ok(response) => Outcome::Updated(updated(response)),
                Err(error) => failed(&error),
            }
        })
    }

    fn timed(&self) -> Option<&dyn Timed> {
        Some(self)
    }
}

impl Timed for Sdk {
    fn session(
        &self,
        time: &VirtualTime,
        settings: &ClientSettings,
    ) -> Result<Box<dyn Session>, String> {
        let reported = |error: Error| error.to_string();
        let rate_limiter = match settings.rate_limiter {
            client::RateLimiter::Unlimited => RateLimiter::unlimited(),
            client::RateLimiter::WithInitialLimit(first) => {
                RateLimiter::with_initial_limit(first).map_err(reported)?
            }
            client::RateLimiter::Fixed(requests) => {
                RateLimiter::fixed(requests).map_err(reported)?
            }
            client::RateLimiter::Share(share) => {
                RateLimiter::new().share(share).map_err(reported)?
            }
        };
        let (first, longest) = settings.backoff;
        let policy = RetryPolicy::new()
            .max_attempts(settings.max_attempts)
            .retry_ambiguous(settings.retry_ambiguous)
            .backoff(first, longest)
            .map_err(reported)?
            .max_retry_after(settings.max_retry_after);
        let token = Token::new(&settings.token).map_err(reported)?;
        let time = SdkTime(time.clone());
        let mut builder = Client::builder(token)
            .base_url(&settings.base_url)
            .http(plain_http())
            .clock(time.clone())
            .observer(time)
            .rate_limiter(rate_limiter);
        if !settings.client_defaults {
            let budget = settings
                .retry_budget
                .map_or_else(RetryBudget::unlimited, RetryBudget::new);
            builder = builder
                .retry(policy)
                .retry_budget(budget)
                .attempt_timeout(settings.attempt_timeout)
                .operation_timeout(settings.operation_timeout.unwrap_or(FOREVER));
        }
        builder = match settings.random {
            Random::Always(number) => builder.randomness(move || number),
            Random::Seeded(seed) => builder.randomness(numbers(seed)),
        };
        Ok(Box::new(TimedSdk {
            client: builder.build().map_err(reported)?,
            collection: CollectionId::new(&settings.collection_id)
                .map_err(|error| error.to_string())?,
        }))
    }
}

/// Longer than any case, in place of the client's own default.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

struct TimedSdk {
    client: Client,
    collection: CollectionId,
}

impl Session for TimedSdk {
    fn update(
        &self,
        items: Vec<Entry>,
        options: Options,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let (client, collection) = (self.client.clone(), self.collection);
        Box::pin(async move {
            let called = async {
                let updates = items.iter().map(update).collect::<Result<Vec<_>, _>>()?;
                let batch = Batch::new(updates)?;
                let mut request = client.update(collection, batch.clone());
                if let Some(skip) = options.skip_invalid_files {
                    request = request.skip_invalid_files(skip);
                }
                if let Some(timeout) = options.attempt_timeout {
                    request = request.attempt_timeout(timeout);
                }
                request.await
            };
            match called.await {
                Ok(response) => Outcome::Updated(updated(response)),
                Err(error) => failed(&error),
            }
        })
    }

    fn waiting(&self) -> usize {
        self.client.rate_limiter().waiting()
    }

    fn retry_budget(&self) -> Option<u64> {
        self.client.retry_budget().left()
    }

    fn bulk(&self) -> Option<&dyn client::bulk::Bulk> {
        Some(self)
    }
}

/// Nothing here is encrypted, so the system's certificates are not loaded.
fn plain_http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().tls_certs_only([])
}

/// Numbers from 0 to 1 that depend on the seed.
fn numbers(seed: u64) -> impl Fn() -> f64 {
    let rng = Mutex::new(fastrand::Rng::with_seed(seed));
    move || rng.lock().unwrap_or_else(PoisonError::into_inner).f64()
}

impl Sdk {
    async fn call(&self, call: &Call) -> Result<UpdateResponse, Error> {
        let client = self.client(call)?;
        let collection = CollectionId::new(&call.collection_id)?;
        let updates = call
            .items
            .iter()
            .map(update)
            .collect::<Result<Vec<_>, _>>()?;
        let batch = Batch::new(updates)?;
        let mut request = client.update(collection, batch.clone());
        if let Some(skip) = call.skip_invalid_files {
            request = request.skip_invalid_files(skip);
        }
        request.await
    }

    fn client(&self, call: &Call) -> Result<Client, Error> {
        let settings = (
            call.base_url.clone(),
            call.token.clone(),
            call.attempt_timeout_ms,
            call.max_response_bytes,
            call.max_attempts,
            call.no_rate_limit,
        );
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&settings) {
            return Ok(client.clone());
        }
        let mut builder = Client::builder(Token::new(&call.token)?)
            .base_url(&call.base_url)
            .http(plain_http());
        if let Some(timeout) = call.attempt_timeout_ms {
            builder = builder.attempt_timeout(Duration::from_millis(timeout));
        }
        if let Some(bytes) = call.max_response_bytes {
            builder = builder.max_response_bytes(bytes);
        }
        if let Some(attempts) = call.max_attempts {
            builder = builder.retry(RetryPolicy::new().max_attempts(attempts));
        }
        if call.no_rate_limit {
            builder = builder.rate_limiter(RateLimiter::unlimited());
        }
        let client = builder.build()?;
        clients.insert(settings, client.clone());
        Ok(client)
    }
}

fn update(entry: &Entry) -> Result<ItemUpdate, Error> {
    if entry.form == EntryForm::Line {
        return ItemUpdate::from_json(&line(entry));
    }
    let mut update = ItemUpdate::new(ItemId::new(&entry.id)?);
    if let Some(locale) = &entry.cms_locale_id {
        update = update.locale(CmsLocaleId::new(locale)?);
    }
    if let Some(archived) = entry.is_archived {
        update = update.archived(archived);
    }
    if let Some(draft) = entry.is_draft {
        update = update.draft(draft);
    }
    match &entry.field_data {
        Some(fields) if entry.form == EntryForm::FieldByField => field_by_field(update, fields),
        Some(fields) => update.fields(fields),
        None => Ok(update),
    }
}

/// The entry as a line of a file.
fn line(entry: &Entry) -> String {
    let entry = Entry {
        form: EntryForm::Fields,
        ..entry.clone()
    };
    serde_json::to_string(&entry).unwrap_or_default()
}

fn field_by_field(mut update: ItemUpdate, fields: &RawValue) -> Result<ItemUpdate, Error> {
    // A value that is not an object cannot be given field by field.
    let Ok(members) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(fields.get()) else {
        return update.fields(fields);
    };
    for (name, value) in members {
        update = match value.get() {
            "null" => update.clear_field(&name)?,
            _ => update.field(&name, &value)?,
        };
    }
    Ok(update)
}

fn updated(response: UpdateResponse) -> Updated {
    let renderings = vec![format!("{response:?}"), format!("{response:#?}")];
    let entries = response
        .returned()
        .iter()
        .map(|returned| match returned {
            SdkReturned::Item(position) => Returned::Item(*position),
            SdkReturned::Ambiguous(_) => Returned::Ambiguous,
            _ => Returned::Missing,
        })
        .collect();
    let rate_limit = response.rate_limit();
    Updated {
        status: Some(response.status().as_u16()),
        entries,
        extra: response.extra().clone(),
        limit: rate_limit.limit,
        remaining: rate_limit.remaining,
        attempts: Some(response.attempts()),
        renderings,
        items: response.into_items().into_iter().map(item).collect(),
    }
}

fn item(item: webflow_cms::model::CollectionItem) -> Item {
    let text = |data: FieldData| serde_json::from_str(data.as_str()).ok();
    Item {
        id: item.id.to_string(),
        cms_locale_id: item.cms_locale_id.map(|locale| locale.to_string()),
        last_published: item.last_published,
        last_updated: item.last_updated,
        created_on: item.created_on,
        is_archived: item.is_archived,
        is_draft: item.is_draft,
        field_data: item.field_data.and_then(text),
        extra: item.extra,
    }
}

fn failed(error: &Error) -> Outcome {
    let mut renderings = vec![
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
    ];
    let mut cause = error.source();
    while let Some(error) = cause {
        renderings.push(error.to_string());
        renderings.push(format!("{error:?}"));
        cause = error.source();
    }
    if error.kind() == ErrorKind::InvalidInput {
        let entries = match error.invalid_input() {
            Some(InvalidInput::DuplicateKeys(keys)) => {
                keys.iter().flat_map(|key| [key.first, key.index]).collect()
            }
            _ => Vec::new(),
        };
        return Outcome::Refused(Refusal {
            message: error.to_string(),
            entries,
            renderings,
        });
    }
    // The accessors of an error are as public as its text.
    renderings.extend(error.message().map(str::to_owned));
    renderings.extend(error.body().map(str::to_owned));
    renderings.push(format!("{:?} {:?}", error.headers(), error.details()));
    let rate_limit = error.rate_limit();
    let detail = |detail: &webflow_cms::error::ErrorDetail| Detail {
        field: detail.field().map(str::to_owned),
        message: detail.message().map(str::to_owned),
    };
    Outcome::Failed(Failure {
        kind: kind(error.kind()),
        status: error.status().map(|status| status.as_u16()),
        code: error.code().map(str::to_owned),
        message: error.message().map(str::to_owned),
        external_reference: error.external_reference().map(str::to_owned),
        details: error.details().iter().map(detail).collect(),
        retry_after_ms: error
            .retry_after()
            .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        limit: rate_limit.limit,
        remaining: rate_limit.remaining,
        body: error.body().map(str::to_owned),
        may_have_acted: error.may_have_acted(),
        retryable: error.is_retryable(),
        attempts: Some(error.attempts()),
        failed_attempts: error
            .failed_attempts()
            .iter()
            .map(|failed| kind(failed.kind))
            .collect(),
        text: error.to_string(),
        renderings,
    })
}

fn kind(kind: ErrorKind) -> FailureKind {
    match kind {
        ErrorKind::BadRequest => FailureKind::BadRequest,
        ErrorKind::Unauthorized => FailureKind::Unauthorized,
        ErrorKind::Forbidden => FailureKind::Forbidden,
        ErrorKind::NotFound => FailureKind::NotFound,
        ErrorKind::Conflict => FailureKind::Conflict,
        ErrorKind::PayloadTooLarge => FailureKind::PayloadTooLarge,
        ErrorKind::TooManyRequests => FailureKind::TooManyRequests,
        ErrorKind::ServerError => FailureKind::ServerError,
        ErrorKind::UnexpectedStatus => FailureKind::UnexpectedStatus,
        ErrorKind::InvalidResponse => FailureKind::InvalidResponse,
        ErrorKind::Connect | ErrorKind::InvalidCertificate => FailureKind::Connect,
        ErrorKind::Timeout => FailureKind::Timeout,
        ErrorKind::ConnectionClosed => FailureKind::ConnectionClosed,
        ErrorKind::Transport => FailureKind::Transport,
        ErrorKind::NotSent => FailureKind::NotSent,
        _ => FailureKind::Unknown,
    }
}
