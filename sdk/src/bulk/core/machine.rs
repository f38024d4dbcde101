//! The state machine of a bulk run: events in, commands out.
//!
//! The driver passes each event to the machine, and performs the commands that the machine returns:
//!
//! ```text
//!            Given, Silent      ┌───────────┐      Send, Stop
//!   source ───────────────────▶ │           │ ───────────────────▶ requests
//!                               │  Machine  │
//! requests ───────────────────▶ │           │ ───────────────────▶ journal, then outcomes
//!          Response, Aborted    └───────────┘     Record, Emit
//! ```
//!
//! An item of the source gets its status at once, or is planned ([`Planner`]). A batch becomes a [`Group`] with at most
//! one request in flight: first the whole batch, then parts of it if the service refuses it ([`Isolation`]). While
//! nothing is accepted, refusals may be about everything rather than about items ([`Evidence`]). Items that are refused
//! alone are held until that is decided. The items without a status at the end of a group return to the planner.
//!
//! The decisions are in four files: `intake` (an item is taken), `launch` (what to send next), `responses` (the meaning
//! of a response) and `account` (an item gets its status).
//!
//! [`Isolation`]: super::isolate::Isolation

mod account;
mod intake;
mod launch;
mod responses;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::evidence::Evidence;
use super::group::{Group, GroupId, Item};
use super::isolate::Odds;
use super::plan::{Limits, Planner};
use super::status::{ItemStatus, Recorded, Unknown};
use super::stop::{SourceEnd, StopReason};
use crate::error::Error;
use crate::id::CmsLocaleId;
use crate::id::ItemKey;
use crate::model::Batch;
use crate::model::ItemUpdate;
use crate::response::UpdateResponse;

/// The time for which the source of a stopped run may be idle before it is dropped.
const SILENCE: Duration = Duration::from_secs(1);

/// The settings that decisions depend on. Each is a method of [`Bulk`](crate::bulk::Bulk), which documents it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) concurrency: usize,
    pub(crate) assume_atomic: bool,
    pub(crate) max_consecutive_failures: u32,
    pub(crate) continue_after_unknown: bool,
    pub(crate) continue_after_source_error: bool,
    pub(crate) resend_unknown: bool,
    pub(crate) resend_rejected: bool,
    pub(crate) isolation_limit: u32,
    pub(crate) linger: Duration,
}

impl Rules {
    /// Returns `true` if items of a refused batch may be resent for isolation.
    fn may_isolate(&self) -> bool {
        self.assume_atomic || self.resend_unknown
    }
}

/// An input of the machine.
#[derive(Debug)]
pub(crate) enum Event {
    /// The source gave something. `waited` is the time that the run waited for it.
    Given { given: Given, waited: Duration },
    /// The source was idle for [`Machine::patience`].
    Silent,
    /// The journal belongs to this input, as far as is known. Requests may be sent.
    Admitted,
    /// The request of a group ended, including its retries.
    Response {
        group: GroupId,
        result: Box<Result<UpdateResponse, Error>>,
    },
    /// The request of a group ended without a response, because the run has stopped.
    Aborted {
        group: GroupId,
        may_have_acted: bool,
    },
    /// The run must stop, for a reason outside of the machine.
    Stop(StopReason),
}

/// An item of a source, or its end.
#[derive(Debug)]
pub(crate) enum Given {
    /// An update, the length of its JSON in bytes, and its record in the journal of earlier runs.
    Update {
        update: ItemUpdate,
        bytes: usize,
        recorded: Recorded,
    },
    /// An update that no request can contain.
    Invalid { update: ItemUpdate, error: Error },
    /// An error in place of an update. `is_last` if the source ends with it.
    Failed {
        error: Arc<dyn std::error::Error + Send + Sync>,
        is_last: bool,
    },
    /// The end of the source.
    End,
}

/// An output of the machine. Commands are performed in order, each to its end.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send a request. It ends with one [`Response`](Event::Response) or one [`Aborted`](Event::Aborted).
    Send(Request),
    /// Record the results of sent items in one write, then return their outcomes.
    Record(Vec<ItemResult>),
    /// Return an outcome. There is nothing to record.
    Emit(ItemResult),
    /// The run has stopped. No further attempt may be sent, and waiting requests are aborted. Returned once.
    Stop,
    /// Drop the source. Returned at most once.
    DropSource,
}

/// A batch to send for a group.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) group: GroupId,
    pub(crate) batch: Batch,
    /// The positions of the updates in the source, in the order of the batch.
    pub(crate) indices: Vec<u64>,
}

/// The result of one item.
#[derive(Debug)]
pub(crate) struct ItemResult {
    /// The position in the source, counted from 0.
    pub(crate) index: u64,
    /// `None` if the source gave an error in its place.
    pub(crate) update: Option<ItemUpdate>,
    pub(crate) status: ItemStatus,
}

/// The counters of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Items taken from the source, errors included.
    pub(crate) taken: u64,
    /// Items with a status that were in a request.
    pub(crate) sent_items: u64,
    /// Requests sent for isolation.
    pub(crate) isolation_requests: u64,
    /// Batches whose items all have a status or are planned anew.
    batches: u64,
    rejected: u64,
}

/// The state of a bulk run.
pub(crate) struct Machine {
    rules: Rules,
    planner: Planner<Item>,
    groups: BTreeMap<GroupId, Group>,
    next_group: GroupId,
    /// Groups with items to send and no request in flight.
    ready: VecDeque<GroupId>,
    evidence: Evidence,
    odds: Odds,
    /// The number of rejected items of each locale.
    rejected_in: BTreeMap<Option<CmsLocaleId>, u64>,
    totals: Totals,
    /// Whether the service has accepted a batch of this run, or of an earlier one with the same journal.
    has_accepted: bool,
    is_admitted: bool,
    /// The number of consecutive batches without a success, and of the items in them.
    failures: (u32, usize),
    /// The keys with an update that could not be sent.
    not_sent: HashSet<ItemKey>,
    /// Whether to send batches that are not full, because the source is idle.
    flush: bool,
    /// The time that the stopped run has waited for its source, and the number of items it has read since.
    waited: Duration,
    read_after_stop: u64,
    source_end: Option<SourceEnd>,
    stopped: Option<StopReason>,
    commands: Vec<Command>,
}

impl Machine {
    /// Creates the machine of a run at its start.
    ///
    /// `has_accepted` is `true` if the service has accepted a batch of an earlier run with the same journal. Nothing is
    /// sent before [`Event::Admitted`] unless `is_admitted`.
    pub(crate) fn new(rules: Rules, has_accepted: bool, is_admitted: bool) -> Self {
        Self {
            rules,
            planner: Planner::new(rules.limits),
            groups: BTreeMap::new(),
            next_group: 0,
            ready: VecDeque::new(),
            evidence: Evidence::default(),
            odds: Odds::default(),
            rejected_in: BTreeMap::new(),
            totals: Totals::default(),
            has_accepted,
            is_admitted,
            failures: (0, 0),
            not_sent: HashSet::new(),
            flush: false,
            waited: Duration::ZERO,
            read_after_stop: 0,
            source_end: None,
            stopped: None,
            commands: Vec::new(),
        }
    }

    /// Handles an event, and returns the commands that follow.
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Command> {
        match event {
            Event::Given { given, waited } => self.take(given, waited),
            Event::Silent => self.silent(),
            Event::Admitted => self.is_admitted = true,
            Event::Response { group, result } => self.responded(group, *result),
            Event::Aborted {
                group,
                may_have_acted,
            } => self.aborted(group, may_have_acted),
            Event::Stop(why) => self.stop(why),
        }
        self.launch();
        std::mem::take(&mut self.commands)
    }

    /// Returns `true` if the source should be read.
    pub(crate) fn wants_more(&self) -> bool {
        self.source_end.is_none() && (self.stopped.is_some() || self.planner.wants_more())
    }

    /// Returns the idle time of the source after which [`Event::Silent`] is due. `None` is no limit.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let has_something_to_send = || {
            !self.planner.is_empty() || (self.requests_under_way() == 0 && !self.groups.is_empty())
        };
        match self.stopped {
            Some(_) => Some(SILENCE),
            None => (!self.flush && has_something_to_send()).then_some(self.rules.linger),
        }
    }

    /// Returns `true` if no further items are expected for now: the source has ended, is idle, or is not read.
    pub(crate) fn is_all_for_now(&self) -> bool {
        self.source_end.is_some() || self.flush || !self.planner.wants_more()
    }

    /// Returns `true` if the source has ended and every item has a status.
    pub(crate) fn is_over(&self) -> bool {
        self.source_end.is_some() && self.planner.is_empty() && self.groups.is_empty()
    }

    pub(crate) fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    pub(crate) fn stopped(&self) -> Option<&StopReason> {
        self.stopped.as_ref()
    }

    /// Returns how the source ended; [`SourceEnd::Abandoned`] while it has not.
    pub(crate) fn source_end(&self) -> SourceEnd {
        self.source_end.clone().unwrap_or(SourceEnd::Abandoned)
    }

    fn requests_under_way(&self) -> usize {
        let groups = self.groups.values();
        groups.filter(|group| group.is_under_way()).count()
    }

    /// Stops the run: nothing more is sent, and items that are not in flight are not attempted.
    fn stop(&mut self, why: StopReason) {
        if self.stopped.is_some() {
            return;
        }
        self.stopped = Some(why);
        self.commands.push(Command::Stop);
        let planner = std::mem::replace(&mut self.planner, Planner::new(self.rules.limits));
        for entry in planner.into_entries() {
            self.not_attempted(entry.payload);
        }
        let groups = self.groups.iter();
        let idle = groups.filter(|(_, group)| !group.is_under_way());
        for id in idle.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.abandon_group(id);
        }
    }

    fn aborted(&mut self, id: GroupId, may_have_acted: bool) {
        let Some(places) = self.under_way(id) else {
            return;
        };
        self.stop(StopReason::Cancelled);
        let status = match may_have_acted {
            true => ItemStatus::Unknown(Unknown::Cancelled),
            false => ItemStatus::NotAttempted(self.why_not_attempted()),
        };
        self.record_each(id, &places, &status);
        self.request_ended(id);
    }

    /// Returns the places of the items in the request in flight for a group.
    fn under_way(&self, id: GroupId) -> Option<Vec<usize>> {
        self.groups.get(&id)?.under_way.clone()
    }

    /// Continues after everything that follows from a response is done.
    fn request_ended(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.under_way = None;
        }
        match self.stopped {
            Some(_) => self.abandon_group(id),
            None => self.go_on(id),
        }
    }
}
