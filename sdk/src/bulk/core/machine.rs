//! The state machine of a bulk run: events in, commands out.
//!
//! The driver tells the machine what happened, and performs what the machine decides:
//!
//! ```text
//!            Given, Silent      ┌───────────┐      Send, Stop
//!   source ───────────────────▶ │           │ ───────────────────▶ requests
//!                               │  Machine  │
//! requests ───────────────────▶ │           │ ───────────────────▶ journal, then outcomes
//!          Response, Aborted    └───────────┘     Settle, HandOut
//! ```
//!
//! An item that the source gives is settled at once, or planned ([`Planner`]). A batch becomes a [`Group`], of which one
//! request at a time is under way: the whole batch first, and parts of it if the service refuses it ([`Isolation`]).
//! While nothing is accepted, refusals may be about everything rather than about items ([`Evidence`]); items refused
//! alone are held until that is decided. What a group leaves unsettled at its end goes back to the planner.
//!
//! The decisions are in four files: `intake` (an item is taken), `launch` (what is sent next), `responses` (what a
//! response means) and `account` (an item is settled).
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

use self::intake::SILENCE;
use super::evidence::Evidence;
use super::group::{Group, GroupId, Item};
use super::isolate::Odds;
use super::plan::{Limits, Planner};
use super::status::{Recorded, Settlement, Unknown};
use super::stop::{SourceEnd, StopReason};
use crate::batch::Batch;
use crate::error::Error;
use crate::id::CmsLocaleId;
use crate::item::{ItemKey, ItemUpdate};
use crate::response::UpdateResponse;

/// The settings on which decisions depend. Each is a method of [`Bulk`](crate::bulk::Bulk), which documents it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) concurrency: usize,
    pub(crate) assume_atomic: bool,
    pub(crate) stop_after: u32,
    pub(crate) continue_after_unknown: bool,
    pub(crate) continue_after_source_error: bool,
    pub(crate) resend_in_doubt: bool,
    pub(crate) resend_rejected: bool,
    pub(crate) isolation_limit: u32,
    pub(crate) linger: Duration,
}

impl Rules {
    /// Whether items of a refused batch may be sent again to find those at fault.
    fn may_isolate(&self) -> bool {
        self.assume_atomic || self.resend_in_doubt
    }
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The source gave something, after the run had waited for it.
    Given { given: Given, waited: Duration },
    /// The source gave nothing for [`Machine::patience`].
    Silent,
    /// The journal is of this input, as far as can be told: requests may be sent.
    Admitted,
    /// The request of a group ended, retries included.
    Response {
        group: GroupId,
        result: Box<Result<UpdateResponse, Error>>,
    },
    /// The request of a group ended before there was a response, since the run has stopped. Whether an attempt of it may
    /// have acted.
    Aborted {
        group: GroupId,
        may_have_acted: bool,
    },
    /// The run has to stop, for a reason outside of the machine.
    Stop(StopReason),
}

/// What a source gives.
#[derive(Debug)]
pub(crate) enum Given {
    /// An update, the length of its JSON in bytes, and what earlier runs have recorded of it.
    Update {
        update: ItemUpdate,
        bytes: usize,
        recorded: Recorded,
    },
    /// An update that no request can hold.
    Invalid { update: ItemUpdate, error: Error },
    /// An error in place of an update; `is_last` if the source ends with it.
    Failed {
        error: Arc<dyn std::error::Error + Send + Sync>,
        is_last: bool,
    },
    /// Nothing more.
    End,
}

/// Something to be done. Commands are performed in their order, each to its end.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send a request. It ends with one [`Response`](Event::Response) or one [`Aborted`](Event::Aborted).
    Send(Request),
    /// Record the settlements of sent items in one write, and hand the outcomes out after that.
    Settle(Vec<SettledItem>),
    /// Hand an outcome out. There is nothing to record.
    HandOut(SettledItem),
    /// The run has stopped: no request leaves from now on, and those that wait are aborted. Comes once.
    Stop,
    /// Drop the source. Comes once at the most.
    LeaveSource,
}

/// A batch to be sent for a group.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) group: GroupId,
    pub(crate) batch: Batch,
    /// The positions of the updates in the source, in the order of the batch.
    pub(crate) indices: Vec<u64>,
}

/// The settlement of one item.
#[derive(Debug)]
pub(crate) struct SettledItem {
    /// The position in the source, counted from 0.
    pub(crate) index: u64,
    /// `None` if the source gave an error in its place.
    pub(crate) update: Option<ItemUpdate>,
    pub(crate) settlement: Settlement,
}

/// The numbers of a run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Items taken from the source, errors included.
    pub(crate) taken: u64,
    /// Settled items that a request was sent for.
    pub(crate) sent_items: u64,
    /// Requests made to find items at fault.
    pub(crate) isolation_requests: u64,
    /// Batches whose items are all settled or planned anew.
    batches: u64,
    rejected: u64,
}

pub(crate) struct Machine {
    rules: Rules,
    planner: Planner<Item>,
    groups: BTreeMap<GroupId, Group>,
    next_group: GroupId,
    /// Groups with something to be sent and no request under way.
    ready: VecDeque<GroupId>,
    evidence: Evidence,
    odds: Odds,
    /// How many items of each locale were rejected.
    rejected_in: BTreeMap<Option<CmsLocaleId>, u64>,
    totals: Totals,
    /// Whether the service has accepted a batch, of this run or of an earlier one with the same journal.
    has_accepted: bool,
    is_admitted: bool,
    /// Consecutive batches of which nothing was updated, and how many items they held.
    failures: (u32, usize),
    /// The keys of which an update could not be sent.
    not_sent: HashSet<ItemKey>,
    /// Whether a batch is sent although it is not full, since the source gives nothing.
    flush: bool,
    /// How long the stopped run has waited for its source, and how many items it has read of it.
    waited: Duration,
    read_after_stop: u64,
    source_end: Option<SourceEnd>,
    stopped: Option<StopReason>,
    commands: Vec<Command>,
}

impl Machine {
    /// A run that has taken nothing. `has_accepted` says whether the service has accepted a batch of an earlier run with
    /// the same journal; nothing is sent before [`Event::Admitted`] unless `is_admitted`.
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

    /// Takes in what happened, and decides what is to be done.
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

    /// Whether the source is to be read on.
    pub(crate) fn wants_more(&self) -> bool {
        self.source_end.is_none() && (self.stopped.is_some() || self.planner.wants_more())
    }

    /// For how long the source may give nothing before [`Event::Silent`]; `None` if it does not matter.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let has_something_to_send = || {
            !self.planner.is_empty() || (self.requests_under_way() == 0 && !self.groups.is_empty())
        };
        match self.stopped {
            Some(_) => Some(SILENCE),
            None => (!self.flush && has_something_to_send()).then_some(self.rules.linger),
        }
    }

    /// Whether the items at hand are all for now: the source has ended, is silent, or is not read on.
    pub(crate) fn is_all_for_now(&self) -> bool {
        self.source_end.is_some() || self.flush || !self.planner.wants_more()
    }

    /// Whether every item is settled and no more is taken.
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

    /// How the source ended; as not read on, as long as it has not.
    pub(crate) fn source_end(&self) -> SourceEnd {
        self.source_end.clone().unwrap_or(SourceEnd::NotReadOn)
    }

    fn requests_under_way(&self) -> usize {
        let groups = self.groups.values();
        groups.filter(|group| group.is_under_way()).count()
    }

    /// Stops the run: nothing more is sent, and the items that are not under way are not attempted.
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
            self.give_up(id);
        }
    }

    fn aborted(&mut self, id: GroupId, may_have_acted: bool) {
        let Some(places) = self.under_way(id) else {
            return;
        };
        self.stop(StopReason::Cancelled);
        let settlement = match may_have_acted {
            true => Settlement::Unknown(Unknown::Cancelled),
            false => Settlement::NotAttempted(self.why_not_attempted()),
        };
        self.settle_each(id, &places, &settlement);
        self.request_ended(id);
    }

    /// The places of the items in the request under way for a group.
    fn under_way(&self, id: GroupId) -> Option<Vec<usize>> {
        self.groups.get(&id)?.under_way.clone()
    }

    /// All that follows from a response is done.
    fn request_ended(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.under_way = None;
        }
        match self.stopped {
            Some(_) => self.give_up(id),
            None => self.go_on(id),
        }
    }
}
