//! The traits that users rely on: threads, parsing, formatting and serialization.

mod support;

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::future::IntoFuture;
use std::str::FromStr;

use futures_util::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use support::{COLLECTION, FRENCH, LAMP, client, collection, lamp, one, site};
use webflow_cms::bulk::{
    Bulk, Counts, DeadLetterReason, DeadLetters, DryRun, Handle, InvalidRow, ItemStatus,
    JournalCounts, JournalError, JournalReader, JsonLines, LineNumbers, NotAttempted, Outcome,
    Progress, Reason, Recorded, Report, Run, SourceEnd, Statistics, StopReason, Unknown,
};
use webflow_cms::client::UpdateRequest;
use webflow_cms::error::{ErrorDetail, FailedAttempt, InvalidInput, RetryStopped};
use webflow_cms::id::{DuplicateKey, ItemKey, ParseIdError, ReceivedId};
use webflow_cms::model::{CollectionItem, FieldData, Fields, Pagination};
use webflow_cms::observe::{
    AttemptEnd, AttemptEnded, AttemptStarted, CallEnded, CallId, CallStarted, Observer, WaitCause,
    WaitEnded, WaitStarted,
};
use webflow_cms::rate_limit::RateLimit;
use webflow_cms::response::Returned;
use webflow_cms::retry::RetryBudget;
use webflow_cms::time::{Clock, Sleep, SystemClock};
use webflow_cms::{
    Batch, Client, ClientBuilder, CmsLocaleId, CollectionId, Error, ErrorKind, ItemId, ItemUpdate,
    RateLimiter, RetryPolicy, Token, UpdateResponse,
};

const fn shared<T: ?Sized + Send + Sync + 'static>() {}
const fn sent<T: Send + 'static>() {}
const fn cloned<T: Clone>() {}
const fn stream<T: Stream<Item = Outcome> + Unpin>() {}

/// The build fails if one of the types loses a trait.
const _: () = {
    shared::<Client>();
    shared::<ClientBuilder>();
    shared::<Token>();
    shared::<UpdateRequest>();
    shared::<UpdateResponse>();
    shared::<Returned>();
    shared::<RateLimiter>();
    shared::<RateLimit>();
    shared::<RetryPolicy>();
    shared::<RetryBudget>();
    shared::<Sleep>();
    shared::<SystemClock>();
    shared::<dyn Clock>();
    shared::<dyn Observer>();

    shared::<Error>();
    shared::<ErrorKind>();
    shared::<ErrorDetail>();
    shared::<FailedAttempt>();
    shared::<InvalidInput>();
    shared::<RetryStopped>();
    shared::<ParseIdError>();

    shared::<Batch>();
    shared::<ItemUpdate>();
    shared::<Fields>();
    shared::<FieldData>();
    shared::<CollectionItem>();
    shared::<Pagination>();
    shared::<CollectionId>();
    shared::<ItemId>();
    shared::<CmsLocaleId>();
    shared::<ItemKey>();
    shared::<DuplicateKey>();
    shared::<ReceivedId>();

    shared::<CallId>();
    shared::<CallStarted>();
    shared::<CallEnded>();
    shared::<AttemptStarted>();
    shared::<AttemptEnded>();
    shared::<WaitStarted>();
    shared::<WaitEnded>();

    shared::<Bulk>();
    sent::<Run>();
    stream::<Run>();
    shared::<DryRun>();
    shared::<Handle>();
    shared::<Progress>();
    shared::<Counts>();
    shared::<Statistics>();
    shared::<Outcome>();
    shared::<ItemStatus>();
    shared::<NotAttempted>();
    shared::<Unknown>();
    shared::<Reason>();
    shared::<DeadLetterReason<'static>>();
    shared::<DeadLetters<std::fs::File>>();
    shared::<Report>();
    shared::<SourceEnd>();
    shared::<StopReason>();
    shared::<JournalError>();
    shared::<JournalReader>();
    shared::<JournalCounts>();
    shared::<Recorded>();
    shared::<JsonLines<std::io::BufReader<std::fs::File>>>();
    shared::<LineNumbers>();
    shared::<InvalidRow>();

    sent::<<UpdateRequest as IntoFuture>::IntoFuture>();
    sent::<<UpdateRequest<BTreeMap<String, String>> as IntoFuture>::IntoFuture>();

    cloned::<Client>();
    cloned::<Error>();
    cloned::<Batch>();
    cloned::<Bulk>();
    cloned::<Handle>();
    cloned::<Outcome>();
    cloned::<Report>();
    cloned::<ItemUpdate>();
    cloned::<UpdateResponse>();
    cloned::<RateLimiter>();
    cloned::<RetryBudget>();
    cloned::<RetryPolicy>();
    cloned::<Token>();
};

fn assert_send<T: Send + 'static>(future: T) -> T {
    future
}

#[cfg(feature = "raw")]
#[test]
fn the_raw_client_is_send_and_sync() {
    shared::<webflow_cms::raw::Client>();
    shared::<webflow_cms::raw::Transport>();
}

#[tokio::test]
async fn calls_and_runs_can_be_spawned() {
    let server = site().await;
    let client = client(&server);
    let request = client.update(collection(), one());
    let call = tokio::spawn(request.into_future());
    let send = tokio::spawn(client.update(collection(), one()).send());
    let run = client.bulk(collection()).run([lamp().draft(true)]);
    let run = tokio::spawn(assert_send(run.expect("a run").finish()));
    drop(client);
    let _ = call.await.expect("no panic").expect("an update");
    let _ = send.await.expect("no panic").expect("an update");
    assert!(run.await.expect("no panic").is_complete());
}

/// Checks that every conversion accepts the digits in upper case, writes them in lower case, and rejects other text.
fn assert_id<T>(text: &str)
where
    T: FromStr<Err = ParseIdError>
        + for<'a> TryFrom<&'a str, Error = ParseIdError>
        + TryFrom<String, Error = ParseIdError>
        + AsRef<str>
        + Copy
        + Debug
        + Display
        + PartialEq
        + Serialize
        + DeserializeOwned,
{
    let upper = text.to_uppercase();
    let id: T = upper.parse().expect("an id");
    assert_eq!(T::try_from(&*upper), Ok(id));
    assert_eq!(T::try_from(upper.clone()), Ok(id));
    assert_eq!((id.to_string(), id.as_ref()), (text.to_owned(), text));
    let json = serde_json::to_string(&id).expect("JSON");
    assert_eq!(json, format!("{text:?}"));
    assert_eq!(serde_json::from_str::<T>(&json).expect("an id"), id);
    let value = serde_json::Value::from(upper);
    assert_eq!(serde_json::from_value::<T>(value).expect("an id"), id);

    let invalid = "66f6";
    let error = invalid.parse::<T>().expect_err("too short");
    assert_eq!(T::try_from(invalid), Err(error.clone()));
    assert_eq!(T::try_from(invalid.to_owned()), Err(error.clone()));
    assert_eq!(error.text(), invalid);
    let refused = serde_json::from_str::<T>("\"66f6\"").expect_err("too short");
    assert!(refused.to_string().contains(&error.to_string()));
    assert!(serde_json::from_str::<T>("null").is_err());
}

#[test]
fn ids_are_parsed_formatted_and_serialized_alike() {
    assert_id::<CollectionId>(COLLECTION);
    assert_id::<ItemId>(LAMP);
    assert_id::<CmsLocaleId>(FRENCH);
}

#[test]
fn an_item_update_is_parsed_formatted_and_serialized_as_the_same_json() {
    let line = format!(
        r#"{{"id":"{LAMP}","cmsLocaleId":"{FRENCH}","isArchived":false,"isDraft":true,"fieldData":{{"price":1.50}}}}"#
    );
    let update: ItemUpdate = line.parse().expect("an update");
    assert_eq!(ItemUpdate::try_from(&*line).expect("an update"), update);
    assert_eq!(update.to_string(), line);
    assert_eq!(serde_json::to_string(&update).expect("JSON"), line);
    let read: ItemUpdate = serde_json::from_str(&line).expect("an update");
    assert_eq!(read, update);
    let list: Vec<ItemUpdate> = serde_json::from_str(&format!("[{line}]")).expect("updates");
    assert_eq!(list, [update]);

    let invalid = format!(r#"{{"id":"{LAMP}","draft":true}}"#);
    let error = invalid.parse::<ItemUpdate>().expect_err("invalid");
    let column = match error.invalid_input() {
        Some(InvalidInput::InvalidItemUpdate { column, .. }) => *column,
        other => panic!("{other:?}"),
    };
    assert_eq!(column, 34);
    assert!(ItemUpdate::try_from(&*invalid).is_err());
    let error = serde_json::from_str::<ItemUpdate>(&invalid).expect_err("invalid");
    assert!(error.to_string().contains("unknown member \"draft\""));
}

#[test]
fn accessors_return_what_an_item_update_sets() {
    let id = ItemId::new(LAMP).expect("an id");
    let locale = CmsLocaleId::new(FRENCH).expect("an id");
    let bare = ItemUpdate::new(id);
    assert_eq!((bare.id(), bare.cms_locale_id()), (id, None));
    assert_eq!((bare.is_archived(), bare.is_draft()), (None, None));
    assert_eq!(bare.key(), ItemKey { id, locale: None });
    assert_eq!(bare.field_data(), None);

    let fields = Fields::new(&BTreeMap::from([("price", 5)])).expect("fields");
    let update = bare
        .locale(locale)
        .archived(false)
        .draft(true)
        .with_fields(fields.clone());
    assert_eq!(update.cms_locale_id(), Some(locale));
    assert_eq!(update.key().locale, Some(locale));
    assert_eq!(
        (update.is_archived(), update.is_draft()),
        (Some(false), Some(true))
    );
    assert_eq!(update.field_data(), Some(&fields));
}

#[test]
fn names_of_kinds_and_reasons_are_stable() {
    let kinds = [
        (ErrorKind::BadRequest, "bad_request"),
        (ErrorKind::Unauthorized, "unauthorized"),
        (ErrorKind::Forbidden, "forbidden"),
        (ErrorKind::NotFound, "not_found"),
        (ErrorKind::Conflict, "conflict"),
        (ErrorKind::PayloadTooLarge, "payload_too_large"),
        (ErrorKind::TooManyRequests, "too_many_requests"),
        (ErrorKind::ServerError, "server_error"),
        (ErrorKind::UnexpectedStatus, "unexpected_status"),
        (ErrorKind::InvalidResponse, "invalid_response"),
        (ErrorKind::Connect, "connect"),
        (ErrorKind::InvalidCertificate, "invalid_certificate"),
        (ErrorKind::Timeout, "timeout"),
        (ErrorKind::ConnectionClosed, "connection_closed"),
        (ErrorKind::Transport, "transport"),
        (ErrorKind::NotSent, "not_sent"),
        (ErrorKind::Journal, "journal"),
        (ErrorKind::InvalidInput, "invalid_input"),
    ];
    for (kind, name) in kinds {
        assert_eq!(kind.as_str(), name);
        assert_eq!(AttemptEnd::Failed(kind).as_str(), name);
    }
    assert_eq!(AttemptEnd::Succeeded.as_str(), "succeeded");
    assert_eq!(AttemptEnd::Dropped.as_str(), "dropped");
    let reasons = [
        (RetryStopped::NotRetryable, "not_retryable"),
        (RetryStopped::Ambiguous, "ambiguous"),
        (RetryStopped::AttemptsExhausted, "attempts_exhausted"),
        (RetryStopped::RetryAfterTooLong, "retry_after_too_long"),
        (RetryStopped::TimeoutExceeded, "timeout_exceeded"),
        (RetryStopped::BudgetExhausted, "budget_exhausted"),
        (RetryStopped::Aborted, "aborted"),
    ];
    for (reason, name) in reasons {
        assert_eq!(reason.as_str(), name);
    }
    let causes = [
        (WaitCause::RateLimit, "rate_limit"),
        (WaitCause::RetryAfter, "retry_after"),
        (WaitCause::Backoff, "backoff"),
    ];
    for (cause, name) in causes {
        assert_eq!(cause.as_str(), name);
    }
}

#[test]
fn what_a_job_logs_has_stable_names() {
    let statuses = [
        (ItemStatus::AlreadyUpdated, "already_updated"),
        (
            ItemStatus::NotAttempted(NotAttempted::Stopped(StopReason::Cancelled)),
            "not_attempted",
        ),
        (ItemStatus::Unknown(Unknown::NotReturned), "unknown"),
    ];
    for (status, name) in statuses {
        assert_eq!(status.as_str(), name);
    }
    let json = |value: &dyn Fn() -> serde_json::Result<String>| value().expect("JSON");
    assert_eq!(
        json(&|| serde_json::to_string(&ErrorKind::NotFound)),
        r#""not_found""#
    );
    assert_eq!(
        json(&|| serde_json::to_string(&Counts::default())),
        r#"{"updated":0,"already_updated":0,"rejected":0,"not_attempted":0,"unknown":0}"#
    );
}

#[test]
fn tokens_and_keys_have_their_conversions() {
    let secret = "b7c1d0e2f3a4";
    let token: Token = secret.parse().expect("a token");
    assert!(!format!("{token:?}").contains(secret));
    let error = "two words".parse::<Token>().expect_err("a blank");
    assert!(!error.to_string().contains("words"), "{error}");
    let id = ItemId::new(LAMP).expect("an id");
    assert_eq!(ItemKey::from(id), ItemKey { id, locale: None });
}
