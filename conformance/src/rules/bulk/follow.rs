//! Plays runs whose entries are given as they are, and keeps what they said.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt;

use super::case::Trouble;
use super::play::{PAUSE, TIMEOUT};
use crate::client::bulk::{ItemReport, Job};
use crate::client::{ClientSettings, Entry, Options, Random};
use crate::harness::Harness;
use crate::rules::timed::{Fixture, SECOND, fixture_with};
use webflow_cms_reference::{Exchange, Model, Step};

/// A run of several with the same journal and input.
#[derive(Clone, Debug, Default)]
pub(super) struct Leg {
    pub(super) troubles: Vec<Trouble>,
    /// After how many outcomes it is dropped.
    pub(super) dropped_after: Option<usize>,
    /// After how many outcomes it is cancelled.
    pub(super) cancelled_after: Option<usize>,
}

/// Runs on some entries, one at a time, with one client.
pub(super) struct Follow<'a> {
    fixture: Fixture<'a>,
    entries: &'a [Entry],
    options: Options,
    journal: Option<PathBuf>,
}

impl<'a> Follow<'a> {
    /// A client on a site that is like this. What is in doubt is sent again, and requests leave one by one.
    pub(super) fn begin(
        harness: &'a Harness<'_>,
        model: Model,
        entries: &'a [Entry],
        options: Options,
        change: impl FnOnce(&mut ClientSettings),
    ) -> Result<Self, String> {
        let fixture = fixture_with(harness, model, |session| {
            session.attempt_timeout = TIMEOUT;
            session.max_attempts = 3;
            session.backoff = (SECOND, 2 * SECOND);
            session.random = Random::Seeded(7);
            change(session);
        })?;
        Ok(Self {
            fixture,
            entries,
            options,
            journal: None,
        })
    }

    /// The same with a journal.
    pub(super) fn with_journal(mut self, harness: &Harness<'_>) -> Self {
        let path = harness.scratch().join("follow.journal");
        // It is of the case before.
        let _ = std::fs::remove_file(&path);
        self.journal = Some(path);
        self
    }

    /// What the journal holds, as text.
    pub(super) fn journal_text(&self) -> String {
        let bytes = self.journal.as_ref().map(std::fs::read);
        let bytes = bytes.and_then(Result::ok).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn script(&self, steps: impl IntoIterator<Item = impl Into<Step>>) {
        self.fixture.world.script(steps);
    }

    pub(super) fn configure(&self, change: impl FnOnce(&mut webflow_cms_reference::Settings)) {
        self.fixture.world.configure(change);
    }

    pub(super) fn log(&self) -> Vec<Exchange> {
        self.fixture.world.log()
    }

    /// Lets the client run. What came out, and when it ended.
    pub(super) fn run(&mut self, leg: &Leg) -> Result<(Vec<ItemReport>, Duration), String> {
        let world = self.fixture.world;
        for (number, trouble) in leg.troubles.iter().enumerate() {
            let (fault, step) = trouble.plan(number);
            world.faults([fault]);
            world.script(step);
        }
        let bulk = self
            .fixture
            .client
            .bulk()
            .ok_or("the client has no bulk run")?;
        let entries = self.entries.to_vec();
        let mut run = bulk.start(Job {
            source: Box::pin(futures_util::stream::iter(entries.into_iter().map(Ok))),
            options: self.options,
            concurrency: 1,
            max_batch_bytes: None,
            assume_atomic: true,
            max_consecutive_failures: 1_000,
            continue_after_unknown: false,
            continue_after_source_error: true,
            journal: self.journal.clone(),
            resend_unknown: true,
            accept_other_input: false,
        })?;
        let driven = async {
            let mut settled = Vec::new();
            while leg.dropped_after.is_none_or(|most| settled.len() < most) {
                if leg.cancelled_after == Some(settled.len()) {
                    run.cancel();
                }
                match poll_fn(|context| run.poll_next(context)).await {
                    Some(outcome) => settled.push(outcome),
                    None => break,
                }
            }
            drop(run);
            settled
        };
        let driven = self.fixture.run(AssertUnwindSafe(driven).catch_unwind())?;
        let settled = driven.map_err(|_| "it panicked".to_owned())?;
        let ended = world.time().elapsed();
        self.fixture.run(world.time().pause(PAUSE))?;
        world.server().clear_pending();
        Ok((settled, ended))
    }
}
