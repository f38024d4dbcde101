//! Updates, responses and errors for the tests, and a run that checks each command of the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::super::{Command, Event, Given, Machine, Request, Rules};
use crate::bulk::core::plan::Limits;
use crate::bulk::core::status::{ItemStatus, NotAttempted, Recorded};
use crate::bulk::core::stop::StopReason;
use crate::error::Error;
use crate::http::attempts::{CallOptions, OperationTimeout};
use crate::http::body::{Body, End};
use crate::http::refusal::Head;
use crate::http::token::Token;
use crate::id::ItemId;
use crate::model::Batch;
use crate::model::FieldData;
use crate::model::ItemUpdate;
use crate::rate_limit::NotAdmitted;
use crate::response::ParsedResponse;
use crate::response::UpdateResponse;
use crate::retry::RetryPolicy;

/// The defaults of a bulk run, with batches of this many items.
pub(super) fn rules(items: usize) -> Rules {
    Rules {
        limits: Limits {
            items,
            bytes: 4 * 1024 * 1024,
        },
        concurrency: 4,
        assume_atomic: true,
        max_consecutive_failures: 3,
        continue_after_unknown: false,
        continue_after_source_error: false,
        resend_unknown: false,
        resend_rejected: false,
        isolation_limit: 20,
        linger: Duration::from_secs(5),
    }
}

/// The error of a source in place of an update.
pub(super) fn torn(is_last: bool) -> Given {
    Given::Failed {
        error: std::sync::Arc::new(std::fmt::Error),
        is_last,
    }
}

pub(super) fn update(key: usize) -> ItemUpdate {
    let id = ItemId::new(format!("66f6ed95{key:016x}")).expect("an id");
    ItemUpdate::new(id).archived(true)
}

/// A refusal with this status.
pub(super) fn refused(status: u16) -> Error {
    refusal(status, "Validation Error")
}

pub(super) fn refusal(status: u16, message: &str) -> Error {
    let token = Token::new("b7c1d0").expect("a token");
    let head = Head {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: HeaderMap::new(),
        token: &token,
        now: std::time::UNIX_EPOCH,
        request: b"",
    };
    let body = serde_json::json!({"code": "a_code", "message": message}).to_string();
    let body = Body {
        bytes: body.into(),
        end: End::Complete,
    };
    Error::refused(&head, body)
}

/// The same error after an earlier attempt that may have acted.
pub(super) fn after_a_timeout(error: Error) -> Error {
    error.after_earlier(&[], true)
}

/// The error of a request that was prevented.
pub(super) fn forbidden() -> Error {
    let options = CallOptions {
        retry: RetryPolicy::disabled(),
        attempt_timeout: Duration::from_secs(1),
        operation_timeout: OperationTimeout::Unlimited,
    };
    Error::not_sent(NotAdmitted::Aborted, &options)
}

/// The response that has these entries of a batch.
pub(super) fn response(batch: &Batch, has: impl Fn(usize) -> bool) -> UpdateResponse {
    let updates = batch.updates().iter().enumerate();
    let items: Vec<_> = updates
        .filter(|(entry, _)| has(*entry))
        .map(|(_, update)| serde_json::json!({"id": update.key().id.as_str()}))
        .collect();
    let text = serde_json::json!({"items": items}).to_string();
    let answer = ParsedResponse::<FieldData>::parse(&text).expect("JSON");
    UpdateResponse::from_parsed(
        answer.expect("a list"),
        batch,
        StatusCode::OK,
        HeaderMap::new(),
    )
}

/// A run of a machine, which asserts the properties that hold after any command.
pub(super) struct Run {
    pub(super) machine: Machine,
    pub(super) rules: Rules,
    /// The keys of the updates taken, by their position.
    pub(super) keys: BTreeMap<u64, usize>,
    pub(super) under_way: BTreeMap<u64, Request>,
    pub(super) statuses: BTreeMap<u64, ItemStatus>,
    /// The positions of items that a request, of this run or an earlier one, may have changed.
    pub(super) acted: BTreeSet<u64>,
    /// The positions of items whose request was refused with no other item in it.
    refused_alone: BTreeSet<u64>,
    /// The sizes of the requests, in their order.
    pub(super) sizes: Vec<usize>,
    pub(super) has_accepted: bool,
    pub(super) has_stopped: bool,
    pub(super) has_left_source: bool,
}

impl Run {
    pub(super) fn new(rules: Rules) -> Self {
        Self::of(Machine::new(rules, false, true))
    }

    pub(super) fn of(machine: Machine) -> Self {
        Self {
            rules: machine.rules,
            has_accepted: machine.has_accepted,
            machine,
            keys: BTreeMap::new(),
            under_way: BTreeMap::new(),
            statuses: BTreeMap::new(),
            acted: BTreeSet::new(),
            refused_alone: BTreeSet::new(),
            sizes: Vec::new(),
            has_stopped: false,
            has_left_source: false,
        }
    }

    pub(super) fn handle(&mut self, event: Event) {
        for command in self.machine.handle(event) {
            match command {
                Command::Send(request) => self.send(request),
                Command::Record(all) => {
                    assert!(!all.is_empty());
                    for result in all {
                        let was_sent = !matches!(
                            result.status,
                            ItemStatus::AlreadyUpdated | ItemStatus::AlreadyRejected(_)
                        );
                        assert!(was_sent, "{result:?}");
                        self.add_status(result.index, result.status);
                    }
                }
                Command::Emit(result) => {
                    let is_updated = matches!(result.status, ItemStatus::Updated(_));
                    assert!(!is_updated, "it is not recorded: {result:?}");
                    self.add_status(result.index, result.status);
                }
                Command::Stop => assert!(!std::mem::replace(&mut self.has_stopped, true)),
                Command::DropSource => {
                    assert!(!std::mem::replace(&mut self.has_left_source, true));
                }
            }
        }
    }

    fn send(&mut self, request: Request) {
        assert!(!self.has_stopped, "{request:?} is sent after the stop");
        let at_once = match self.has_accepted {
            true => self.rules.concurrency,
            false => 1,
        };
        assert!(self.under_way.len() < at_once, "{} at once", at_once + 1);
        let Request { batch, indices, .. } = &request;
        assert!(batch.len() <= self.rules.limits.items && batch.len() == indices.len());
        for index in indices {
            assert!(!self.statuses.contains_key(index), "{index} has a status");
            let key = self.keys[index];
            for other in self.under_way.values().flat_map(|request| &request.indices) {
                assert_ne!(self.keys[other], key, "two updates of a key at once");
            }
            let earlier = self.keys.range(..index).filter(|(_, other)| **other == key);
            for (earlier, _) in earlier {
                let status = self.statuses.get(earlier).expect("the earlier one first");
                let is_free = match status {
                    ItemStatus::NotAttempted(_) => false,
                    ItemStatus::Unknown(_) => self.rules.continue_after_unknown,
                    _ => true,
                };
                assert!(is_free, "{index} overtakes {earlier}: {status:?}");
            }
        }
        self.sizes.push(batch.len());
        let before = self.under_way.insert(request.group, request);
        assert!(before.is_none(), "two requests of a group at once");
    }

    fn add_status(&mut self, index: u64, status: ItemStatus) {
        for request in self.under_way.values() {
            assert!(!request.indices.contains(&index), "{index} is under way");
        }
        if self.acted.contains(&index) {
            let is_right = match &status {
                ItemStatus::NotAttempted(_) => false,
                ItemStatus::Rejected(error) => error.may_have_acted(),
                _ => true,
            };
            assert!(is_right, "{index} may be changed: {status:?}");
        }
        if let ItemStatus::Rejected(error) = &status {
            let is_of_items = matches!(code(error), Some(400 | 404 | 409 | 413 | 422) | None);
            let is_right = is_of_items || self.refused_alone.contains(&index);
            assert!(is_right, "{index} was never refused alone: {error}");
        }
        let before = self.statuses.insert(index, status);
        assert!(before.is_none(), "{index} has a second status");
    }

    pub(super) fn give(&mut self, key: usize) {
        self.give_recorded(key, Recorded::New);
    }

    pub(super) fn give_recorded(&mut self, key: usize, recorded: Recorded) {
        let update = update(key);
        let index = self.machine.totals().taken;
        self.keys.insert(index, key);
        let is_resent = match &recorded {
            Recorded::Unknown(_) => true,
            Recorded::Rejected(reason) => self.rules.resend_rejected && reason.may_have_acted(),
            _ => false,
        };
        if is_resent {
            self.acted.insert(index);
        }
        let bytes = self.machine.line(&update).expect("it fits").len();
        self.source(Given::Update {
            update,
            bytes,
            recorded,
        });
    }

    pub(super) fn source(&mut self, given: Given) {
        let waited = Duration::ZERO;
        self.handle(Event::Given { given, waited });
    }

    pub(super) fn end(&mut self) {
        self.source(Given::End);
    }

    /// Removes the first request in flight.
    pub(super) fn first(&mut self) -> Request {
        self.under_way.pop_first().expect("a request").1
    }

    pub(super) fn accept(&mut self, request: &Request) {
        self.accept_with(request, |_| true);
    }

    pub(super) fn accept_with(&mut self, request: &Request, has: impl Fn(usize) -> bool) {
        self.has_accepted = true;
        self.acted.extend(&request.indices);
        let response = response(&request.batch, has);
        self.respond(request.group, Ok(response));
    }

    pub(super) fn fail(&mut self, request: &Request, error: Error) {
        let is_in_part = !self.rules.assume_atomic && request.indices.len() > 1;
        let is_refusal = matches!(error.status(), Some(status) if status.is_client_error());
        let is_refusal = is_refusal && ![401, 408, 413, 429].map(Some).contains(&code(&error));
        if error.may_have_acted() || (is_in_part && is_refusal) {
            self.acted.extend(&request.indices);
        }
        if let [index] = request.indices[..] {
            self.refused_alone.insert(index);
        }
        self.respond(request.group, Err(error));
    }

    pub(super) fn abort(&mut self, request: &Request, may_have_acted: bool) {
        if may_have_acted {
            self.acted.extend(&request.indices);
        }
        self.handle(Event::Aborted {
            group: request.group,
            may_have_acted,
        });
    }

    pub(super) fn respond(&mut self, group: u64, result: Result<UpdateResponse, Error>) {
        let result = Box::new(result);
        self.handle(Event::Response { group, result });
    }

    /// Responds to all requests until none is in flight. A request with a bad key is refused with this status.
    pub(super) fn serve(&mut self, status: u16, is_bad: impl Fn(usize) -> bool) {
        let mut requests = 0;
        while !self.under_way.is_empty() {
            requests += 1;
            assert!(requests < 10_000, "it comes to no end");
            let request = self.first();
            let mut keys = request.indices.iter().map(|index| self.keys[index]);
            match keys.any(&is_bad) {
                true => self.fail(&request, refused(status)),
                false => self.accept(&request),
            }
        }
    }

    /// Asserts that the run is over and every item that was taken has a status.
    pub(super) fn assert_over(&self) {
        assert!(self.machine.is_over() && self.under_way.is_empty());
        assert!(
            self.statuses
                .keys()
                .copied()
                .eq(0..self.machine.totals().taken)
        );
    }

    /// The statuses of the items as words.
    pub(super) fn words(&self) -> Vec<&'static str> {
        self.statuses.values().map(word).collect()
    }
}

fn code(error: &Error) -> Option<u16> {
    error.status().map(|status| status.as_u16())
}

pub(super) fn word(status: &ItemStatus) -> &'static str {
    match status {
        ItemStatus::Updated(_) => "updated",
        ItemStatus::AlreadyUpdated => "updated before",
        ItemStatus::Rejected(_) => "rejected",
        ItemStatus::AlreadyRejected(_) => "rejected before",
        ItemStatus::Unknown(_) => "unknown",
        ItemStatus::NotAttempted(NotAttempted::Source(_)) => "source",
        ItemStatus::NotAttempted(NotAttempted::Stopped(StopReason::Cancelled)) => "cancelled",
        ItemStatus::NotAttempted(NotAttempted::Stopped(_)) => "stopped",
        ItemStatus::NotAttempted(NotAttempted::NotSent(_)) => "not sent",
        ItemStatus::NotAttempted(_) => "held back",
    }
}
