//! The driver of a run: performs the commands of the [machine](super::core::machine).
//!
//! It sends requests, reads the source and writes the journal, and passes each result to the machine as an event.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::runtime;

use super::call::Call;
use super::control::Control;
use super::core::machine::{Command, Event, Given, Machine};
use super::core::stop::StopReason;
use super::journal::{Journal, Writer};
use super::outbox::Outbox;
use super::outcome::Outcome;
use super::progress::Recorder;
use super::settings::Job;
use super::source::{Polled, Source, SourceError};
use crate::error::{Error, InvalidInput};
use crate::model::ItemUpdate;
use crate::time::Clock;

/// The state of a run: the machine and what it drives.
pub(crate) struct Driver {
    pub(super) machine: Machine,
    pub(super) outbox: Outbox,
    pub(super) writer: Writer,
    pub(super) control: Arc<Control>,
    job: Job,
    clock: Arc<dyn Clock>,
    source: Source,
    calls: FuturesUnordered<Call>,
    /// The runtime of the calls in flight.
    runtime: Option<runtime::Id>,
}

impl Driver {
    pub(crate) fn new(mut job: Job, source: Source, journal: Option<Journal>) -> Self {
        let effects = &job.client.transport().parts().effects;
        let (clock, observers) = (effects.clock.clone(), effects.observers.clone());
        let recorder = Arc::new(Recorder::new(clock.clone()));
        let has_accepted = journal.as_ref().is_some_and(Journal::has_updated);
        let is_admitted = journal.is_none() || job.settings.accept_other_input;
        job.client = job.client.observed(recorder.clone());
        Self {
            machine: Machine::new(job.rules(), has_accepted, is_admitted),
            outbox: Outbox::new(recorder, job.settings.expected_items),
            writer: Writer::new(journal, observers, clock.clone()),
            control: Arc::default(),
            calls: FuturesUnordered::new(),
            runtime: None,
            job,
            clock,
            source,
        }
    }

    /// Returns the next outcome, or `None` at the end of the run.
    pub(crate) async fn next(&mut self) -> Option<Outcome> {
        loop {
            if let Some(outcome) = self.outbox.pop() {
                // Yields to other tasks of the thread now and then.
                tokio::task::consume_budget().await;
                return Some(outcome);
            }
            let event = match self.writer.take_fault() {
                Some(fault) => fault,
                None if self.machine.is_over() => return None,
                None => self.event().await,
            };
            // If the journal prevented an attempt, its fault comes first: the event is a consequence.
            for event in self.writer.take_fault().into_iter().chain([event]) {
                self.handle(event).await;
            }
        }
    }

    async fn handle(&mut self, event: Event) {
        for command in self.machine.handle(event) {
            match command {
                Command::Send(request) => {
                    let call = Call::new(request, &self.job, &self.writer, &self.control);
                    self.calls.push(call);
                }
                Command::Record(results) => {
                    self.writer.record(&results).await;
                    self.outbox.extend(results);
                }
                Command::Emit(result) => {
                    self.writer.forget(result.index);
                    self.outbox.extend([result]);
                }
                Command::DropSource => self.source.end(),
                Command::Stop => {
                    self.control.cancel();
                    self.source.forget_silence();
                    self.poll_all(|_| {});
                }
            }
        }
        self.outbox.publish(self.machine.totals());
    }

    /// Applies a change to each call, and polls all of them.
    fn poll_all(&mut self, change: impl Fn(&mut Call)) {
        let mut calls: Vec<_> = std::mem::take(&mut self.calls).into_iter().collect();
        calls.iter_mut().for_each(change);
        self.calls.extend(calls);
    }

    /// Waits for the next event.
    async fn event(&mut self) -> Event {
        let is_running = self.machine.stopped().is_none();
        let is_all = self.machine.is_all_for_now();
        if is_running
            && !self.machine.is_admitted()
            && let Some(judged) = self.writer.judge(is_all).await
        {
            return judged;
        }
        let (wants_more, patience) = (self.machine.wants_more(), self.machine.patience());
        let control = self.control.clone();
        let mut cancelled = pin!(control.cancelled());
        let polled = poll_fn(|context| {
            let here = runtime::Handle::try_current().ok().map(|here| here.id());
            let before = std::mem::replace(&mut self.runtime, here);
            if before.is_some() && before != here {
                self.poll_all(Call::abandon);
                let error = Arc::new(Error::from(InvalidInput::OtherRuntime));
                return Poll::Ready(Err(Event::Stop(StopReason::Failed(error))));
            }
            if is_running && cancelled.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(Event::Stop(StopReason::Cancelled)));
            }
            if let Poll::Ready(Some(event)) = self.calls.poll_next_unpin(context) {
                return Poll::Ready(Err(event));
            }
            match wants_more {
                true => self.source.poll(&*self.clock, patience, context).map(Ok),
                false => Poll::Pending,
            }
        });
        match polled.await {
            Err(event) => event,
            Ok(Polled::Silent) => Event::Silent,
            Ok(Polled::Given(given, waited)) => Event::Given {
                given: self.given(given).await,
                waited,
            },
        }
    }

    /// Converts an item of the source to an event, with its record from earlier runs.
    async fn given(&mut self, given: Option<Result<ItemUpdate, SourceError>>) -> Given {
        let is_last = self.source.is_ended();
        let update = match given {
            None => return Given::End,
            Some(Err(error)) => return Given::Failed { error, is_last },
            Some(Ok(update)) => update,
        };
        let line = match self.machine.line(&update) {
            Ok(line) => line,
            Err(error) => return Given::Invalid { update, error },
        };
        let index = self.machine.totals().taken;
        let resend = self.job.settings.resend();
        let recorded = self.writer.look_up(index, update.key(), &line, resend);
        Given::Update {
            recorded: recorded.await,
            bytes: line.len(),
            update,
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.writer.close();
    }
}
