//! The updates on their way: what your own program would do.

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
use super::options::Options;
use super::progress::Display;
use super::told::Told;

pub(crate) struct Upload<'a> {
    pub(crate) client: Client,
    pub(crate) collection: CollectionId,
    pub(crate) options: &'a Options,
    pub(crate) files: &'a Files,
    pub(crate) display: &'a Display,
}

/// What came of it, and what was written of it.
#[derive(Debug)]
pub(crate) struct Uploaded {
    pub(crate) report: Report,
    pub(crate) reading: Reading,
    pub(crate) dead_letters: Written,
    /// How many rows cannot be read.
    pub(crate) unreadable: u64,
    /// The place of the last of them, and whether no row behind it can be read either.
    pub(crate) last_unreadable: Option<(String, bool)>,
}

impl Upload<'_> {
    fn bulk(&self, reading: &Reading) -> Bulk {
        let options = self.options;
        let mut bulk = self
            .client
            .bulk(self.collection)
            // A dry run is there to find all that is wrong.
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

    /// What a run would do. A function sees each row that cannot be read.
    pub(crate) async fn plan(
        &self,
        updates: Updates,
        mut unreadable: impl FnMut(&InvalidRow) + Send + 'static,
    ) -> Result<DryRun, Failure> {
        let bulk = self.bulk(&updates.reading);
        let mut stage = self.display.stage("rows checked", updates.reading.rows());
        let rows = updates.stream().inspect(move |row| {
            stage.step(1);
            if let Err(row) = row {
                unreadable(row);
            }
        });
        bulk.dry_run(rows).await.map_err(|error| refused(&error))
    }

    fn begin(&self, updates: Updates) -> Result<Run, Failure> {
        if self.options.fresh
            && let Some(aside) = self.files.begin_anew()?
        {
            let aside = aside.display();
            self.display
                .say(&format!("the earlier journal is now {aside}"));
        }
        let bulk = self.bulk(&updates.reading);
        bulk.run_stream(updates.stream())
            .map_err(|error| refused(&error))
    }

    /// Runs to the end, or until it is asked to end and what is under way has ended. A function sees each outcome.
    pub(crate) async fn run(
        &self,
        updates: Updates,
        asked_to_end: impl Future<Output = ()>,
        mut seen: impl FnMut(&Outcome),
    ) -> Result<Uploaded, Failure> {
        let reading = updates.reading.clone();
        let mut letters = DeadLetters::open(self.files)?;
        let run = match self.begin(updates) {
            Ok(run) => run,
            Err(failure) => {
                letters.end();
                return Err(failure);
            }
        };
        let (mut unreadable, mut last_unreadable) = (0, None);
        let path = letters.path().to_owned();
        let mut told = Told::new(self.display, &reading, &path);
        let handle = run.handle();
        let driving = run.for_each(|outcome| {
            seen(outcome);
            if let ItemStatus::NotAttempted(NotAttempted::Source(error)) = &outcome.status {
                unreadable += 1;
                let row = error.downcast_ref();
                let ends_input = row.is_some_and(InvalidRow::ends_input);
                last_unreadable = Some((reading.place(outcome.index), ends_input));
            }
            told.take(outcome);
            if !letters.write(outcome) {
                handle.cancel();
            }
        });
        let ending = async {
            asked_to_end.await;
            self.display.say(
                "ending: what is under way is waited for, nothing else is sent; once more ends it at once",
            );
            handle.cancel();
            std::future::pending::<Infallible>().await
        };
        let report = tokio::select! {
            report = driving => report,
            never = self.display.show(&handle, reading.rows()) => match never {},
            never = ending => match never {},
        };
        told.flush();
        self.display.end();
        Ok(Uploaded {
            report,
            reading,
            dead_letters: letters.end(),
            unreadable,
            last_unreadable,
        })
    }
}

impl Uploaded {
    /// Whether every row of the input is updated, and none was left in it.
    pub(crate) fn is_complete(&self) -> bool {
        self.report.is_complete() && self.reading.is_complete()
    }
}

/// Whether there is a journal of an earlier run.
pub(crate) fn is_begun(journal: &Path) -> bool {
    fs::metadata(journal).is_ok_and(|found| found.len() > 0)
}

/// An error, with what to do if it is about the journal.
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
            "\n  to begin anew, move it aside with --fresh, or choose another with --journal"
        }
    }
}

/// An error with what caused it, down to what the operating system said.
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
