//! The engine of a run: reads, sends, isolates, and settles every item once.

mod account;
mod group;
mod intake;
mod launch;
mod responses;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::runtime;

pub(crate) use self::group::GroupId;
use self::group::{Group, Item, Sent};
use super::builder::Bulk;
use super::control::{Control, Handle, SharedJournal};
use super::evidence::Evidence;
use super::isolate::Odds;
use super::journal::Journal;
use super::plan::Planner;
use super::progress::{Counts, Recorder, Statistics};
use super::source::{Source, SourceError};
use super::{ItemStatus, Outcome, SourceEnd, StopReason, Unknown};
use crate::client::Client;
use crate::error::{Error, InvalidInput};
use crate::id::{CmsLocaleId, ItemKey};
use crate::model::ItemUpdate;
use crate::retry::RetryPolicy;
use crate::time::Sleep;

type Calls = FuturesUnordered<Pin<Box<dyn Future<Output = Sent> + Send>>>;

/// For how long a source may give nothing once the run has stopped, before what is left of it is not waited for.
const SILENCE: Duration = Duration::from_secs(1);

/// For how long a source may keep a stopped run waiting in all, so that one which gives something now and then ends too.
const SILENCE_IN_ALL: Duration = Duration::from_secs(10);

/// How many updates are read of a source once the run has stopped, only to be accounted for.
const ACCOUNTED_FOR: u64 = 100_000;

/// How many outcomes are handed out without giving others their turn on the thread.
const IN_A_ROW: u32 = 128;

/// A run, as far as it is. What it has settled is handed out before it goes on.
pub(crate) struct Engine {
    bulk: Bulk,
    client: Client,
    retry: RetryPolicy,
    source: Source,
    source_end: Option<SourceEnd>,
    planner: Planner<Item>,
    journal: Option<SharedJournal>,
    groups: HashMap<GroupId, Group>,
    next_group: GroupId,
    /// Groups with something to be asked that has not left yet.
    ready: VecDeque<GroupId>,
    calls: Calls,
    evidence: Evidence,
    odds: Odds,
    /// How many items of each locale were rejected.
    rejected_in: BTreeMap<Option<CmsLocaleId>, u64>,
    isolation: Isolated,
    settled: VecDeque<Outcome>,
    handed_out: u32,
    taken: u64,
    sent_items: u64,
    counts: Counts,
    /// Whether the service has accepted a batch, of this run or of an earlier one with the same journal.
    has_accepted: bool,
    /// The batches in a row of which nothing was updated, and how many items they held.
    failures: (u32, usize),
    /// The keys of which an update could not be sent.
    not_sent: HashSet<ItemKey>,
    /// Whether a batch is sent although it is not full, since the source gives nothing.
    flush: bool,
    /// Runs out when the source was silent for long enough.
    silence: Option<Sleep>,
    /// Since when the source gives nothing, and for how long a stopped run has waited for it before that.
    silent_since: Option<Duration>,
    waited: Duration,
    read_after_stop: u64,
    stopped: Option<StopReason>,
    /// Where the requests and waits under way live.
    runtime: Option<runtime::Id>,
    control: Arc<Control>,
    recorder: Arc<Recorder>,
}

/// What it took to find the items at fault, so far.
#[derive(Clone, Copy, Debug, Default)]
struct Isolated {
    batches: u64,
    rejected: u64,
    requests: u64,
}

enum Event {
    Taken(Option<Result<ItemUpdate, SourceError>>),
    Silent,
    Sent(Box<Sent>),
    Cancelled,
    /// It is polled on another runtime than before.
    Moved,
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
            source_end: None,
            has_accepted: journal.as_ref().is_some_and(Journal::has_updated),
            journal: journal.map(|journal| Arc::new(Mutex::new(journal))),
            groups: HashMap::new(),
            next_group: 0,
            ready: VecDeque::new(),
            calls: FuturesUnordered::new(),
            evidence: Evidence::default(),
            odds: Odds::default(),
            rejected_in: BTreeMap::new(),
            isolation: Isolated::default(),
            settled: VecDeque::new(),
            handed_out: 0,
            taken: 0,
            sent_items: 0,
            counts: Counts::default(),
            failures: (0, 0),
            not_sent: HashSet::new(),
            flush: false,
            silence: None,
            silent_since: None,
            waited: Duration::ZERO,
            read_after_stop: 0,
            stopped: None,
            runtime: None,
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

    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    pub(crate) fn expected(&self) -> Option<u64> {
        self.bulk.settings.expected_items
    }

    pub(crate) fn stopped(&self) -> Option<&StopReason> {
        self.stopped.as_ref()
    }

    /// How the source ended; as not read on, as long as it has not.
    pub(crate) fn source_end(&self) -> SourceEnd {
        self.source_end.clone().unwrap_or(SourceEnd::NotReadOn)
    }

    /// How many updates of earlier runs are not in the input.
    pub(crate) fn left_out(&self) -> u64 {
        match (&self.journal, &self.source_end) {
            (Some(journal), Some(SourceEnd::Ended)) => super::control::lock(journal).left_out(),
            _ => 0,
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.recorder
            .statistics(self.sent_items, self.isolation.requests)
    }

    /// The next outcome, or the end of the run.
    pub(crate) async fn next(&mut self) -> Option<Outcome> {
        loop {
            if let Some(outcome) = self.settled.pop_front() {
                self.handed_out += 1;
                if self.handed_out.is_multiple_of(IN_A_ROW) {
                    give_way().await;
                }
                return Some(outcome);
            }
            self.launch();
            if !self.settled.is_empty() {
                self.tell_progress();
                continue;
            }
            if self.is_over() {
                return None;
            }
            match self.event().await {
                Event::Cancelled => self.stop(StopReason::Cancelled),
                Event::Taken(taken) => self.take(taken),
                Event::Silent => self.silent(),
                Event::Moved => self.moved(),
                Event::Sent(sent) => self.sent(*sent),
            }
            self.look_at_journal();
            self.tell_progress();
        }
    }

    fn is_over(&self) -> bool {
        self.source.is_ended() && self.planner.is_empty() && self.groups.is_empty()
    }

    /// Waits for whatever comes first.
    async fn event(&mut self) -> Event {
        let clock = self.client.transport().parts().effects.clock.clone();
        let linger = match self.stopped {
            Some(_) => Some(SILENCE),
            None => {
                (self.has_something_to_send() && !self.flush).then_some(self.bulk.settings.linger)
            }
        };
        let Self {
            source,
            planner,
            calls,
            control,
            stopped,
            silence,
            runtime,
            silent_since,
            waited,
            ..
        } = self;
        let wants_more = stopped.is_some() || planner.wants_more();
        let mut cancelled = Box::pin(control.cancelled());
        std::future::poll_fn(|context| {
            let here = runtime::Handle::try_current().ok().map(|here| here.id());
            let before = std::mem::replace(runtime, here);
            if before.is_some() && before != here {
                return Poll::Ready(Event::Moved);
            }
            if stopped.is_none() && cancelled.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Cancelled);
            }
            if let Poll::Ready(Some(sent)) = calls.poll_next_unpin(context) {
                return Poll::Ready(Event::Sent(Box::new(sent)));
            }
            if !wants_more || source.is_ended() {
                return Poll::Pending;
            }
            if let Poll::Ready(taken) = source.poll_next(context) {
                *silence = None;
                if let Some(since) = silent_since.take() {
                    *waited += clock.elapsed().saturating_sub(since);
                }
                return Poll::Ready(Event::Taken(taken));
            }
            silent_since.get_or_insert_with(|| clock.elapsed());
            let Some(linger) = linger else {
                return Poll::Pending;
            };
            let silence = silence.get_or_insert_with(|| clock.sleep(linger));
            Pin::new(silence).poll(context).map(|()| Event::Silent)
        })
        .await
    }

    /// Whether something is here that waits for more of the source.
    fn has_something_to_send(&self) -> bool {
        !self.planner.is_empty() || (self.calls.is_empty() && !self.groups.is_empty())
    }

    /// The source has given nothing for a while: what is here is sent, or if the run has stopped, the rest is left where
    /// it is.
    fn silent(&mut self) {
        self.silence = None;
        match self.stopped {
            Some(_) => self.leave_source(),
            None => self.flush = true,
        }
    }

    /// Reads no more of the source.
    fn leave_source(&mut self) {
        self.source.end();
        self.source_end.get_or_insert(SourceEnd::NotReadOn);
    }

    /// Stops the run: nothing more is sent, and what is not under way comes out as not attempted.
    fn stop(&mut self, why: StopReason) {
        if self.stopped.is_some() {
            return;
        }
        self.stopped = Some(why);
        self.silence = None;
        self.silent_since = None;
        self.waited = Duration::ZERO;
        // Requests that wait for their turn, or to be sent again, do not leave either.
        self.control.cancel();
        let planner = std::mem::replace(&mut self.planner, Planner::new(self.bulk.limits()));
        for entry in planner.into_entries() {
            self.not_attempted(entry.payload);
        }
        self.ready.clear();
        let idle: Vec<_> = self
            .groups
            .iter()
            .filter(|(_, group)| !group.is_under_way())
            .map(|(id, _)| *id)
            .collect();
        for id in idle {
            self.give_up(id);
        }
    }

    /// Stops a run that is polled on another runtime than before: what is under way lives on the first one.
    fn moved(&mut self) {
        self.calls = FuturesUnordered::new();
        self.silence = None;
        let under_way: Vec<_> = self
            .groups
            .iter_mut()
            .filter_map(|(id, group)| {
                let watch = group.watch.take()?;
                let places = group.isolation.group().unwrap_or_default().to_vec();
                Some((*id, places, watch.may_have_acted()))
            })
            .collect();
        for (id, places, may_have_acted) in under_way {
            if may_have_acted {
                self.settle_each(id, &places, &ItemStatus::Unknown(Unknown::Cancelled));
            }
        }
        let error = Error::from(InvalidInput::OtherRuntime);
        self.stop(StopReason::Failed(Arc::new(error)));
    }

    /// A journal that cannot be written ends the run.
    fn look_at_journal(&mut self) {
        if let Some(error) = self.control.take_journal_fault() {
            self.stop(StopReason::Journal(Arc::new(error)));
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
            seconds => (settled - self.counts.already_updated) as f64 * 60.0 / seconds,
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
            progress.isolation_requests = self.isolation.requests;
            progress.rate = rate;
            progress.remaining = remaining;
        });
    }
}

/// Lets other tasks of the thread have their turn.
async fn give_way() {
    let mut has_given = false;
    std::future::poll_fn(|context| {
        if has_given {
            return Poll::Ready(());
        }
        has_given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
