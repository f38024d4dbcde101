//! The engine of a run: reads, sends, isolates, and settles every item once.

mod group;
mod settle;

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use self::group::{Group, GroupId, Item, Sent};
use self::settle::NextOfKey;
use super::builder::Bulk;
use super::control::{Control, Handle, RequestWatch, SharedJournal};
use super::journal::{Journal, Position, Recorded};
use super::plan::{Entry, Planner, Refused};
use super::progress::{Counts, Recorder, Statistics};
use super::source::{Source, SourceError};
use super::{Digest, NotAttempted, Outcome, Settlement, Unknown};
use crate::error::{Error, InvalidInput};
use crate::{Batch, Client, ItemKey, ItemUpdate, RetryPolicy};

type Calls = FuturesUnordered<Pin<Box<dyn Future<Output = Sent> + Send>>>;

/// A run, as far as it is. What it has settled is handed out before it goes on.
pub(crate) struct Engine {
    bulk: Bulk,
    client: Client,
    retry: RetryPolicy,
    source: Source,
    planner: Planner<Item>,
    journal: Option<SharedJournal>,
    groups: HashMap<GroupId, Group>,
    next_group: GroupId,
    calls: Calls,
    settled: VecDeque<Outcome>,
    taken: u64,
    sent_items: u64,
    counts: Counts,
    /// Whether the service has accepted a batch of this run.
    has_accepted: bool,
    /// The batches in a row of which nothing was updated, and how many items they held.
    in_vain: (u32, usize),
    /// The keys of which an update could not be sent.
    not_sent: HashSet<ItemKey>,
    /// Why nothing more is sent.
    stopped: Option<NotAttempted>,
    control: Arc<Control>,
    recorder: Arc<Recorder>,
}

/// What an earlier run has made of an item.
enum Before {
    Settled(Settlement),
    Open { in_doubt: bool },
}

enum Event {
    Taken(Option<Result<ItemUpdate, SourceError>>),
    Sent(Box<Sent>),
    Cancelled,
}

impl Engine {
    pub(crate) fn new(bulk: Bulk, source: Source, journal: Option<Journal>) -> Self {
        let parts = bulk.client.transport().parts();
        let recorder = Arc::new(Recorder::new(parts.effects.clock.clone()));
        let client = bulk.client.observed(recorder.clone());
        let retry = match &bulk.settings.retry {
            Some(policy) => policy.clone(),
            None => parts.options.retry.patient(),
        };
        Self {
            planner: Planner::new(bulk.limits()),
            source,
            journal: journal.map(|journal| Arc::new(Mutex::new(journal))),
            groups: HashMap::new(),
            next_group: 0,
            calls: FuturesUnordered::new(),
            settled: VecDeque::new(),
            taken: 0,
            sent_items: 0,
            counts: Counts::default(),
            has_accepted: false,
            in_vain: (0, 0),
            not_sent: HashSet::new(),
            stopped: None,
            control: Arc::default(),
            recorder,
            bulk,
            client,
            retry,
        }
    }

    pub(crate) fn handle(&self) -> Handle {
        Handle {
            control: self.control.clone(),
            progress: self.recorder.watch(),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn stopped(&self) -> Option<&NotAttempted> {
        self.stopped.as_ref()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.recorder.statistics(self.sent_items)
    }

    /// The next outcome, or the end of the run.
    pub(crate) async fn next(&mut self) -> Option<Outcome> {
        loop {
            if let Some(outcome) = self.settled.pop_front() {
                return Some(outcome);
            }
            self.launch();
            if self.is_over() {
                return None;
            }
            match self.event().await {
                Event::Cancelled => self.stop(NotAttempted::Cancelled),
                Event::Taken(taken) => self.take(taken),
                Event::Sent(sent) => self.sent(*sent),
            }
            self.look_at_journal();
            self.tell_progress();
        }
    }

    fn is_over(&self) -> bool {
        self.source.is_ended()
            && self.planner.is_empty()
            && self.calls.is_empty()
            && self.settled.is_empty()
    }

    /// Waits for whatever comes first.
    async fn event(&mut self) -> Event {
        let Self {
            source,
            planner,
            calls,
            control,
            stopped,
            ..
        } = self;
        let wants_more = stopped.is_some() || planner.wants_more();
        let mut cancelled = Box::pin(control.cancelled());
        std::future::poll_fn(|context| {
            if stopped.is_none() && cancelled.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Cancelled);
            }
            if let Poll::Ready(Some(sent)) = calls.poll_next_unpin(context) {
                return Poll::Ready(Event::Sent(Box::new(sent)));
            }
            if wants_more && !source.is_ended() {
                return source.poll_next(context).map(Event::Taken);
            }
            Poll::Pending
        })
        .await
    }

    /// Takes what the source gave.
    fn take(&mut self, taken: Option<Result<ItemUpdate, SourceError>>) {
        let index = self.taken;
        let update = match taken {
            None => return self.check_end(),
            Some(Err(error)) => {
                self.taken += 1;
                if !self.bulk.settings.continue_after_source_error {
                    self.source.end();
                }
                let why = NotAttempted::Source(error);
                return self.hand_out(Outcome::new(index, None, Settlement::NotAttempted(why)));
            }
            Some(Ok(update)) => update,
        };
        self.taken += 1;
        let line = match update.to_json() {
            Ok(line) => line,
            Err(error) => {
                let settlement = Settlement::Rejected(Arc::new(error));
                return self.hand_out(Outcome::new(index, Some(update), settlement));
            }
        };
        let position = Position {
            index,
            digest: Digest::of_line(&line),
        };
        let mut item = Item {
            position,
            update,
            in_doubt: false,
        };
        match self.recorded(position) {
            Ok(Before::Open { in_doubt }) => {
                item.in_doubt = in_doubt;
                if self.stopped.is_some() {
                    self.not_attempted(item);
                } else {
                    self.plan(item, line.len());
                }
            }
            Ok(Before::Settled(settlement)) => {
                if let Settlement::Unknown(_) = settlement
                    && !self.bulk.settings.continue_after_unknown
                {
                    self.block(item.update.key());
                }
                self.hand_out(Outcome::new(index, Some(item.update), settlement));
            }
            Err(error) => {
                self.stop(NotAttempted::Stopped(Arc::new(error)));
                self.not_attempted(item);
            }
        }
    }

    /// What an earlier run has made of an item.
    fn recorded(&self, position: Position) -> Result<Before, Error> {
        let Some(journal) = &self.journal else {
            return Ok(Before::Open { in_doubt: false });
        };
        let mut journal = super::control::lock(journal);
        let settlement = match journal.recorded(position).map_err(Error::journal)? {
            Recorded::Fresh => return Ok(Before::Open { in_doubt: false }),
            Recorded::InDoubt if self.bulk.settings.resend_in_doubt => {
                return Ok(Before::Open { in_doubt: true });
            }
            Recorded::InDoubt => Settlement::Unknown(Unknown::InDoubt),
            Recorded::Updated => Settlement::UpdatedBefore,
            Recorded::Rejected => {
                let reason = journal.reason(position.index).map_err(Error::journal)?;
                Settlement::RejectedBefore(reason.unwrap_or_else(|| {
                    super::Reason::new("rejected", "an earlier run has found that it is refused")
                }))
            }
        };
        Ok(Before::Settled(settlement))
    }

    fn plan(&mut self, item: Item, bytes: usize) {
        let entry = Entry {
            key: item.update.key(),
            bytes,
            payload: item,
        };
        match self.planner.push(entry) {
            Ok(()) => {}
            Err(Refused::TooLarge(entry)) => {
                let most = self.bulk.settings.max_batch_bytes;
                let error = Error::from(InvalidInput::UpdateTooLarge { bytes, most });
                let settlement = Settlement::Rejected(Arc::new(error));
                // Its key may be held by an earlier update, which is under way.
                for (key, next) in self.conclude(vec![(entry.payload, settlement)]) {
                    if next == NextOfKey::Blocked {
                        self.block(key);
                    }
                }
            }
            Err(Refused::Blocked(entry)) => {
                self.hold_back_after_earlier(entry.payload);
            }
        }
    }

    /// Sends what can be sent.
    fn launch(&mut self) {
        while self.stopped.is_none() && self.calls.len() < self.bulk.settings.concurrency {
            let Some(batch) = self.planner.next_batch(self.source.is_ended()) else {
                return;
            };
            let id = self.next_group;
            self.next_group += 1;
            self.groups.insert(id, Group::new(batch));
            self.send(id);
        }
    }

    /// Sends the next probe of a group, or ends the group if there is none.
    fn send(&mut self, id: GroupId) {
        let Some(group) = self.groups.get(&id) else {
            return;
        };
        let Some((places, updates, items)) = group.next_probe() else {
            return self.end_group(id);
        };
        let batch = match Batch::new(updates) {
            Ok(batch) => batch,
            // The planner lets nothing through that is no batch.
            Err(error) => {
                self.stop(NotAttempted::Stopped(Arc::new(error)));
                return self.give_up(id);
            }
        };
        let watch = Arc::new(RequestWatch::new(
            self.control.clone(),
            self.journal.clone(),
            items,
            self.bulk.settings.assume_atomic,
        ));
        let (client, bulk) = (self.client.clone(), self.bulk.clone());
        let retry = self.retry.clone();
        self.calls.push(Box::pin(async move {
            let mut request = client
                .update(&bulk.collection, &batch)
                .retry(retry)
                .watched(watch.clone());
            if let Some(skip) = bulk.settings.skip_invalid_files {
                request = request.skip_invalid_files(skip);
            }
            if let Some(timeout) = bulk.settings.timeout {
                request = request.timeout(timeout);
            }
            let answer = watch.until_cancelled(request.send()).await;
            let named = match &answer {
                Ok(Err(error)) => super::hint::named(error, batch.updates()),
                _ => Vec::new(),
            };
            Sent {
                group: id,
                places,
                named,
                answer,
            }
        }));
    }

    /// Stops the run: nothing more is sent, and what is not under way comes out as not attempted.
    fn stop(&mut self, why: NotAttempted) {
        if self.stopped.is_some() {
            return;
        }
        self.stopped = Some(why);
        // Requests that wait for their turn, or to be sent again, do not leave either.
        self.control.cancel();
        let planner = std::mem::replace(&mut self.planner, Planner::new(self.bulk.limits()));
        for entry in planner.into_entries() {
            self.not_attempted(entry.payload);
        }
    }

    /// A journal that cannot be written ends the run.
    fn look_at_journal(&mut self) {
        if let Some(error) = self.control.take_journal_fault() {
            self.stop(NotAttempted::Stopped(Arc::new(Error::journal(error))));
        }
    }

    /// The source has ended. If it was shorter than what the journal knows of, the journal is of other input.
    fn check_end(&mut self) {
        let Some(journal) = &self.journal else { return };
        let checked = super::control::lock(journal).check_end(self.taken);
        if let Err(error) = checked {
            self.stop(NotAttempted::Stopped(Arc::new(Error::journal(error))));
        }
    }

    fn tell_progress(&self) {
        let settled = self.counts.settled();
        let elapsed = self.recorder.elapsed();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate is none the worse for a lost digit"
        )]
        let rate = match elapsed.as_secs_f64() {
            0.0 => 0.0,
            seconds => (settled - self.counts.updated_before) as f64 * 60.0 / seconds,
        };
        let left = self
            .bulk
            .settings
            .expected_items
            .map(|items| items.saturating_sub(settled));
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let remaining =
            left.and_then(|left| Duration::try_from_secs_f64(left as f64 * 60.0 / rate).ok());
        self.recorder.tell(|progress| {
            progress.taken = self.taken;
            progress.counts = self.counts;
            progress.rate = rate;
            progress.remaining = remaining;
        });
    }
}
