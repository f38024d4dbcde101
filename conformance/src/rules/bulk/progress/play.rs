//! Plays a scenario: run after run with the same journal, each checked when it ends.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt, StreamExt};
use webflow_cms_reference::{PrimaryEcho, ResponseOrder};

use crate::client::bulk::{ItemReport, ItemStatus, Job};
use crate::client::{Entry, Options, Random, Session};
use crate::harness::Harness;
use crate::rules::bulk::fixture::play::{PAUSE, TIMEOUT, drive};
use crate::rules::bulk::fixture::wire;
use crate::rules::bulk::progress::ENOUGH;
use crate::rules::bulk::progress::ledger::{Ledger, RunRecord};
use crate::rules::bulk::progress::scenario::{Input, PlannedRun, Scenario};
use crate::rules::fixture::site;
use crate::rules::fixture::timed::{SECOND, client};

pub(crate) fn play(harness: &Harness<'_>, scenario: &Scenario) -> Result<(), String> {
    let mut playing = Playing::begin(harness, scenario)?;
    for (number, planned) in scenario.runs.iter().enumerate() {
        for edit in &planned.edits {
            playing.input.edit(*edit, &playing.rejected);
        }
        playing
            .run(planned, false)
            .map_err(|reason| format!("run {number}: {reason}"))?;
    }
    playing.run_until_updated()
}

struct Playing<'a> {
    harness: &'a Harness<'a>,
    scenario: &'a Scenario,
    client: Box<dyn Session>,
    journal: PathBuf,
    input: Input,
    /// The positions that the last run rejected.
    rejected: BTreeSet<usize>,
    ledger: Ledger,
}

impl<'a> Playing<'a> {
    fn begin(harness: &'a Harness<'a>, scenario: &'a Scenario) -> Result<Self, String> {
        let world = harness.world();
        world
            .reset(scenario.model())
            .map_err(|error| error.to_string())?;
        world.configure(|settings| {
            settings.primary_echo = scenario.site.echo;
            if scenario.site.is_reversed {
                settings.order = ResponseOrder::Reversed;
            }
        });
        if scenario.latency != 0 {
            let seed = scenario.latency;
            world.latency(move |number| {
                let number = u64::try_from(number).unwrap_or(0);
                let mut rng = fastrand::Rng::with_seed(seed ^ (number << 32));
                let mut part = || std::time::Duration::from_millis(rng.u64(0..=300));
                (part(), part())
            });
        }
        let client = client(harness, |session| {
            session.attempt_timeout = TIMEOUT;
            session.max_attempts = scenario.attempts;
            session.retry_ambiguous = scenario.retry_ambiguous;
            session.backoff = (SECOND, 2 * SECOND);
            session.rate_limiter = scenario.rate_limiter;
            session.random = Random::Seeded(scenario.latency);
        })?;
        let journal = harness.scratch().join("scenario.journal");
        // Left by the previous scenario.
        let _ = std::fs::remove_file(&journal);
        Ok(Self {
            harness,
            scenario,
            client,
            journal,
            input: Input::new(scenario),
            rejected: BTreeSet::new(),
            ledger: Ledger::default(),
        })
    }

    /// Runs without faults until all rows are updated.
    fn run_until_updated(&mut self) -> Result<(), String> {
        let calm = PlannedRun {
            edits: Vec::new(),
            troubles: Vec::new(),
            interrupt: None,
            resend: true,
        };
        for number in 0..=ENOUGH {
            let turn = u32::try_from(number * 7).unwrap_or(0);
            self.input
                .correct_all(self.scenario.corrections.rotate_left(turn), &self.rejected);
            let reported = self
                .run(&calm, true)
                .map_err(|reason| format!("calm run {number}: {reason}"))?;
            if reported.is_all_updated() {
                return self.check_end(&calm);
            }
            if number == ENOUGH {
                break;
            }
            if !(reported.is_all_finished() || reported.has_finished_any()) {
                return Err(format!(
                    "calm run {number} finishes no entry: {}",
                    reported.rest()
                ));
            }
        }
        Err(format!(
            "after {ENOUGH} runs without faults not all rows are updated"
        ))
    }

    /// Checks that one more run sends nothing, and that the site equals the input.
    fn check_end(&mut self, calm: &PlannedRun) -> Result<(), String> {
        let reported = self
            .run(calm, true)
            .map_err(|reason| format!("one more run: {reason}"))?;
        if !reported.sent.is_empty() {
            return Err(format!(
                "{} requests are sent although all rows are updated",
                reported.sent.len()
            ));
        }
        if !reported.is_complete {
            return Err("all rows are updated, and the run is not reported as complete".to_owned());
        }
        let model = self.harness.world().server().model();
        for (key, positions) in self.input.by_key() {
            let last = positions.last().and_then(|index| self.input.lines[*index]);
            let (item, locale) = (site::item(key.0), site::locale(key.1));
            let variant = model.variant(site::COLLECTION, &item, locale);
            let mark = variant.and_then(|variant| variant.field_data.get("mark")?.as_u64());
            let mark = mark.and_then(|mark| usize::try_from(mark).ok());
            // Dropping a row does not undo its update.
            let is_left = mark.is_some_and(|mark| self.input.dropped.contains(&mark));
            if mark != last.map(|row| row.mark) && !is_left {
                return Err(format!(
                    "{key:?} holds {mark:?} at the end, and not {last:?}"
                ));
            }
        }
        Ok(())
    }

    fn run(&mut self, planned: &PlannedRun, is_calm: bool) -> Result<RunRecord, String> {
        let world = self.harness.world();
        let server = world.server();
        server.clear_pending();
        for (number, trouble) in planned.troubles.iter().enumerate() {
            let (fault, step) = trouble.plan(number);
            world.faults([fault]);
            world.script(step);
        }
        let entries: Vec<_> = self
            .input
            .lines
            .iter()
            .map(|line| self.input.entry(line))
            .collect();
        let rows: Vec<(u64, Entry)> = (0..)
            .zip(&entries)
            .filter_map(|(index, entry)| Some((index, entry.clone().ok()?)))
            .collect();
        let bulk = self.client.bulk().ok_or("the client has no bulk run")?;
        let continue_after_source_error = is_calm || self.scenario.continue_after_source_error;
        let taken = Arc::new(AtomicUsize::new(0));
        let gauge = Arc::clone(&taken);
        let source = futures_util::stream::iter(entries).inspect(move |_| {
            gauge.fetch_add(1, Ordering::Relaxed);
        });
        let sent = || server.core().read_log(<[_]>::len);
        let (first, unread) = (sent(), server.unread());
        let run = bulk.start(Job {
            source: Box::pin(source),
            options: Options::default(),
            concurrency: self.scenario.concurrency,
            max_batch_bytes: self.scenario.max_batch_bytes,
            assume_atomic: self.scenario.site.is_atomic,
            max_consecutive_failures: if is_calm {
                1_000
            } else {
                self.scenario.max_consecutive_failures
            },
            continue_after_unknown: false,
            continue_after_source_error,
            journal: Some(self.journal.clone()),
            resend_unknown: planned.resend,
            accept_other_input: self.ledger.is_other_input(&self.input),
        })?;
        let time = world.time();
        let driven = AssertUnwindSafe(drive(run, planned.interrupt, &time, |_: &ItemReport| {}))
            .catch_unwind();
        let driven = world.run(driven).map_err(|stalled| stalled.to_string())?;
        let driven = driven.map_err(|_| "it panicked".to_owned())?;
        world
            .run(time.pause(PAUSE))
            .map_err(|stalled| stalled.to_string())?;
        let reading = bulk
            .read_journal(&self.journal, &rows)
            .map_err(|error| format!("the journal: {error}"))?;
        let sent = server.core().read_log(|log| {
            let new = log.get(first..).unwrap_or_default().iter();
            let read = new.map(|exchange| wire::read(exchange, |mark| self.input.address(mark)));
            read.collect::<Result<Vec<_>, _>>()
        })?;
        let positions = rows
            .iter()
            .filter_map(|(index, _)| usize::try_from(*index).ok());
        let reported = RunRecord {
            lines: self.input.lines.clone(),
            is_resent: planned.resend,
            is_atomic: self.scenario.site.is_atomic,
            are_locales_unnamed: self.scenario.site.echo != PrimaryEcho::Echoed,
            continue_after_source_error,
            counts: driven.counts,
            is_dropped: driven.dropped,
            is_complete: driven.is_complete,
            taken: taken.load(Ordering::Relaxed),
            sent,
            unread: server.unread() - unread,
            reading: positions.zip(reading.recorded).collect(),
            reports: driven.reports,
        };
        self.ledger.check(&reported)?;
        self.rejected = reported
            .ends_as(|end| matches!(end, ItemStatus::Rejected | ItemStatus::AlreadyRejected));
        Ok(reported)
    }
}
