//! The bulk update itself. Your own program would do the same.

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::path::Path;

use futures_util::StreamExt;
use webflow_cms::bulk::{
    Bulk, DryRun, InvalidRow, ItemStatus, JournalError, JournalErrorKind, NotAttempted, Outcome,
    Report, Run,
};
use webflow_cms::{Client, CollectionId};

use super::Failure;
use super::dead_letters::{DeadLetters, Written};
use super::files::Files;
use super::input::{Reading, Updates};
use super::notices::Notices;
use super::options::Options;
use super::progress::Display;

pub(crate) struct Upload<'a> {
    pub(crate) client: Client,
    pub(crate) collection: CollectionId,
    pub(crate) options: &'a Options,
    pub(crate) files: &'a Files,
    pub(crate) display: &'a Display,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Uploaded {
    pub(crate) report: Report,
    pub(crate) reading: Reading,
    pub(crate) dead_letters: Written,
    /// The number of invalid rows.
    pub(crate) invalid: u64,
    /// The place of the last invalid row, and whether it ends the input.
    pub(crate) last_invalid: Option<(String, bool)>,
}

impl Upload<'_> {
    fn bulk(&self, reading: &Reading) -> Bulk {
        let options = self.options;
        let mut bulk = self
            .client
            .bulk(self.collection)
            // A dry run finds all faults.
            .continue_after_source_error(options.keep_going || options.dry_run)
            .resend_unknown(options.resend_unknown);
        if let Some(rows) = reading.rows() {
            bulk = bulk.expected_items(rows);
        }
        if let Some(skip) = options.skip_invalid_files {
            bulk = bulk.skip_invalid_files(skip);
        }
        match options.dry_run && options.fresh {
            true => bulk,
            false => bulk.journal(&self.files.journal),
        }
    }

    /// A dry run. `on_invalid` is called with each invalid row.
    pub(crate) async fn plan(
        &self,
        updates: Updates,
        mut on_invalid: impl FnMut(&InvalidRow) + Send + 'static,
    ) -> Result<DryRun, Failure> {
        let bulk = self.bulk(&updates.reading);
        let mut counter = self
            .display
            .step_counter("rows checked", updates.reading.rows());
        let rows = updates.stream().inspect(move |row| {
            counter.step(1);
            if let Err(row) = row {
                on_invalid(row);
            }
        });
        bulk.dry_run(rows).await.map_err(|error| refused(&error))
    }

    fn start(&self, updates: Updates) -> Result<Run, Failure> {
        if self.options.fresh
            && let Some(aside) = self.files.move_journal_aside()?
        {
            let aside = aside.display();
            self.display
                .say(&format!("the earlier journal is now {aside}"));
        }
        let bulk = self.bulk(&updates.reading);
        bulk.run_stream(updates.stream())
            .map_err(|error| refused(&error))
    }

    /// Drives a run to its end, or cancels it when `end_requested` completes. `on_outcome` is called with each outcome.
    pub(crate) async fn run(
        &self,
        updates: Updates,
        end_requested: impl Future<Output = ()>,
        mut on_outcome: impl FnMut(&Outcome),
    ) -> Result<Uploaded, Failure> {
        let reading = updates.reading.clone();
        let mut letters = DeadLetters::open(self.files)?;
        let run = match self.start(updates) {
            Ok(run) => run,
            Err(failure) => {
                letters.finish();
                return Err(failure);
            }
        };
        let (mut invalid, mut last_invalid) = (0, None);
        let path = letters.path().to_owned();
        let mut notices = Notices::new(self.display, &reading, &path);
        let handle = run.handle();
        let driving = run.for_each(|outcome| {
            on_outcome(outcome);
            if let ItemStatus::NotAttempted(NotAttempted::Source(error)) = &outcome.status {
                invalid += 1;
                let row = error.downcast_ref();
                let ends_input = row.is_some_and(InvalidRow::ends_input);
                last_invalid = Some((reading.place(outcome.index), ends_input));
            }
            notices.add(outcome);
            if !letters.write(outcome) {
                handle.cancel();
            }
        });
        let ending = async {
            end_requested.await;
            self.display.say(
                "ending: requests in flight finish, nothing else is sent; a second signal ends the process at once",
            );
            handle.cancel();
            std::future::pending::<Infallible>().await
        };
        let report = tokio::select! {
            report = driving => report,
            never = self.display.show(&handle, reading.rows()) => match never {},
            never = ending => match never {},
        };
        notices.flush();
        self.display.end();
        Ok(Uploaded {
            report,
            reading,
            dead_letters: letters.finish(),
            invalid,
            last_invalid,
        })
    }
}

impl Uploaded {
    /// Whether every row of the input was read and is updated.
    pub(crate) fn is_complete(&self) -> bool {
        self.report.is_complete() && self.reading.is_complete()
    }
}

/// Whether an earlier run has written this journal.
pub(crate) fn has_journal(journal: &Path) -> bool {
    fs::metadata(journal).is_ok_and(|found| found.len() > 0)
}

/// The failure for an error, with the next step if the journal is at fault.
pub(crate) fn refused(error: &(dyn Error + 'static)) -> Failure {
    Failure::WrongUse(format!("{}{}", with_causes(error), journal_hint(error)))
}

pub(crate) fn journal_hint(error: &(dyn Error + 'static)) -> &'static str {
    let mut cause = Some(error);
    let mut kind = None;
    while let Some(error) = cause {
        kind = kind.or(error.downcast_ref().map(JournalError::kind));
        cause = error.source();
    }
    match kind {
        None | Some(JournalErrorKind::InUse | JournalErrorKind::Io { .. }) => "",
        Some(_) => {
            "\n  to start from the beginning, rename it with --fresh, or choose another file with --journal"
        }
    }
}

/// An error with its causes, down to the one of the operating system.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(&format!(": {said}"));
        }
        cause = error.source();
    }
    text
}
