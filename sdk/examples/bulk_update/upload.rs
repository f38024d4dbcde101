//! The updates on their way: what your own program would do.

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};

use webflow_cms::bulk::{
    Bulk, DryRun, JournalError, JournalErrorKind, NotAttempted, Outcome, Parameters, Reason,
    Report, Settlement,
};
use webflow_cms::{Client, CollectionId};

use super::Failure;
use super::input::Input;
use super::options::{Files, Options};
use super::progress::Display;

/// How often it is told, while the run goes on, that items are not updated.
const TOLD: u64 = 20;

pub(crate) struct Upload<'a> {
    pub(crate) client: Client,
    pub(crate) collection: CollectionId,
    pub(crate) options: &'a Options,
    pub(crate) files: &'a Files,
    pub(crate) input: &'a Input,
    pub(crate) display: &'a Display,
}

/// What came of it, and what was written of it.
#[derive(Debug)]
pub(crate) struct Uploaded {
    pub(crate) report: Report,
    /// How many lines, or why not all of them.
    pub(crate) dead_letters: Result<u64, Failure>,
    pub(crate) unreadable: u64,
}

impl Upload<'_> {
    fn bulk(&self) -> Bulk {
        let options = self.options;
        let mut bulk = self
            .client
            .bulk(&self.collection)
            .expected_items(self.input.items)
            // A dry run is there to find all that is wrong.
            .continue_after_source_error(options.keep_going || options.dry_run)
            .resend_in_doubt(options.resend_in_doubt);
        if let Some(skip) = options.skip_invalid_files {
            bulk = bulk.skip_invalid_files(skip);
        }
        match options.resume {
            true => bulk.resume_journal(&self.files.journal),
            false => bulk.create_journal(&self.files.journal),
        }
    }

    pub(crate) async fn plan(&self) -> Result<DryRun, Failure> {
        let plan = self.bulk().dry_run(self.input.updates()?).await;
        plan.map_err(|error| refused(&error))
    }

    /// Runs to the end, or until it is interrupted and what is under way has ended. A function sees each outcome.
    pub(crate) async fn run(
        &self,
        interrupted: impl Future<Output = ()>,
        mut seen: impl FnMut(&Outcome),
    ) -> Result<Uploaded, Failure> {
        let mut letters = DeadLetters::open(self.files)?;
        let run = self.bulk().run_stream(self.input.updates()?);
        let run = run.map_err(|error| refused(&error))?;
        letters.clear();
        let mut unreadable = 0;
        let mut told = Told::new(self);
        let handle = run.handle();
        let driving = run.for_each(|outcome| {
            seen(outcome);
            unreadable += u64::from(outcome.update.is_none());
            told.take(outcome);
            if letters.write(outcome).is_err() {
                handle.cancel();
            }
        });
        let interrupting = async {
            interrupted.await;
            self.display.say(
                "ending: what is under way is waited for, nothing else is sent; Ctrl-C again ends it at once",
            );
            handle.cancel();
            std::future::pending::<Infallible>().await
        };
        let report = tokio::select! {
            report = driving => report,
            never = self.display.show(&handle) => match never {},
            never = interrupting => match never {},
        };
        told.flush();
        self.display.end();
        Ok(Uploaded {
            report,
            dead_letters: letters.end(self.files),
            unreadable,
        })
    }
}

/// What is told of the items that are not updated, unless it is the same for all that follow.
struct Told<'a> {
    upload: &'a Upload<'a>,
    /// Lines one after the other of which there is the same to be told, from the first to the last.
    lines: Option<(u64, u64, String)>,
    times: u64,
}

impl<'a> Told<'a> {
    fn new(upload: &'a Upload<'a>) -> Self {
        Self {
            upload,
            lines: None,
            times: 0,
        }
    }

    fn take(&mut self, outcome: &Outcome) {
        let line = self.upload.input.line_of(outcome.index);
        let text = match &outcome.settlement {
            Settlement::Rejected(error) => format!("rejected: {}", refusal(error)),
            Settlement::Unknown(why) => format!("unknown: {why}"),
            Settlement::NotAttempted(NotAttempted::Source(error)) => format!("unreadable: {error}"),
            _ => return self.flush(),
        };
        match &mut self.lines {
            Some((_, last, same)) if *last + 1 == line && *same == text => *last = line,
            _ => {
                self.flush();
                self.lines = Some((line, line, text));
            }
        }
    }

    fn flush(&mut self) {
        let Some((first, last, text)) = self.lines.take() else {
            return;
        };
        self.times += 1;
        let display = self.upload.display;
        match (self.times, first == last) {
            (..=TOLD, true) => display.say(&format!("line {first} is {text}")),
            (..=TOLD, false) => display.say(&format!("lines {first} to {last} are {text}")),
            (times, _) if times == TOLD + 1 => display.say("and more, see the dead letters"),
            _ => {}
        }
    }
}

/// The single reasons that the service gave, if it gave any. Nothing in them can steer a terminal.
fn refusal(error: &webflow_cms::Error) -> String {
    let reason = Reason::of(error);
    let details: Vec<_> = reason
        .details()
        .map(|detail| detail.escape_debug().to_string())
        .collect();
    match details.is_empty() {
        true => error.to_string(),
        false => details.join("; "),
    }
}

/// The file of what was not updated.
struct DeadLetters {
    file: File,
    written: u64,
    fault: Option<io::Error>,
}

impl DeadLetters {
    /// Makes sure that the file can be written, and leaves what is in it.
    fn open(files: &Files) -> Result<Self, Failure> {
        let path = &files.dead_letters;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let file =
            file.map_err(|error| Failure::WrongUse(format!("{}: {error}", path.display())))?;
        Ok(Self {
            file,
            written: 0,
            fault: None,
        })
    }

    /// A run that goes on with an earlier one hands out all that the earlier one did.
    fn clear(&mut self) {
        self.fault = self.file.set_len(0).err();
    }

    fn write(&mut self, outcome: &Outcome) -> io::Result<()> {
        let written = outcome
            .dead_letter()
            .map_err(io::Error::other)
            .and_then(|line| match line {
                Some(line) => self
                    .file
                    .write_all(format!("{line}\n").as_bytes())
                    .map(|()| 1),
                None => Ok(0),
            });
        match written {
            Ok(lines) => self.written += lines,
            Err(error) => {
                self.fault.get_or_insert(error);
            }
        }
        match &self.fault {
            None => Ok(()),
            Some(error) => Err(error.kind().into()),
        }
    }

    /// Takes the file away if there is nothing in it. How many lines are.
    fn end(self, files: &Files) -> Result<u64, Failure> {
        let path = &files.dead_letters;
        match self.fault {
            Some(error) => Err(Failure::Failed(format!(
                "{}: {error}; the run was ended, and --resume goes on with it",
                path.display()
            ))),
            None => {
                if self.written == 0 {
                    fs::remove_file(path).map_err(Failure::failed)?;
                }
                Ok(self.written)
            }
        }
    }
}

/// What makes a journal that of the same run.
pub(crate) fn parameters(options: &Options, collection: CollectionId) -> Parameters {
    let parameters = Parameters::new(collection);
    match options.skip_invalid_files {
        Some(skip) => parameters.skip_invalid_files(skip),
        None => parameters,
    }
}

fn refused(error: &webflow_cms::Error) -> Failure {
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref()) {
        Some(error) => journal_refused(error),
        None => Failure::WrongUse(error.to_string()),
    }
}

pub(crate) fn journal_refused(error: &JournalError) -> Failure {
    let hint = match error.kind() {
        JournalErrorKind::Exists => {
            "\n  it is of an earlier run: --resume goes on with that one; to begin anew, move it away, or choose another \
             with --journal"
        }
        JournalErrorKind::Missing => {
            "\n  leave out --resume to begin, or name the journal with --journal"
        }
        _ => "",
    };
    Failure::WrongUse(format!("{error}{hint}"))
}
