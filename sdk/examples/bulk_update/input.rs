//! The input of a run: a file, a pipe or generated updates, read row by row during the run.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use futures_util::{Stream, stream};
use tokio::sync::mpsc;
use webflow_cms::ItemUpdate;
use webflow_cms::bulk::{InvalidRow, JsonLines, LineNumbers};

use super::Failure;
use super::console::one_line;
use super::generated::Generated;
use super::progress::{Display, StepCounter};

/// The number of rows that are read ahead.
const AHEAD: usize = 256;

/// The source of the updates.
pub(crate) struct Input {
    name: String,
    content: Content,
    rows: Option<u64>,
}

enum Content {
    /// A file, which can be read several times even if it is renamed.
    File(File),
    /// A pipe, which can be read once.
    Pipe(Option<Box<dyn Read + Send>>),
    Generated(u64),
}

type Rows = JsonLines<Box<dyn BufRead + Send>>;

impl Input {
    /// Opens a file or a pipe; `-` is standard input.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let name = match path.to_str() {
            Some("-") => "stdin".to_owned(),
            _ => one_line(&path.display().to_string()),
        };
        let failed = |error| Failure::WrongUse(format!("{name}: {error}"));
        let content = match path.to_str() {
            Some("-") => Content::Pipe(Some(Box::new(io::stdin()))),
            _ => {
                let file = File::open(path).map_err(failed)?;
                match file.metadata().map_err(failed)?.is_file() {
                    true => Content::File(file),
                    false => Content::Pipe(Some(Box::new(file))),
                }
            }
        };
        Ok(Self::new(name, content))
    }

    pub(crate) fn generated(updates: u64) -> Self {
        let mut input = Self::new("generated updates".to_owned(), Content::Generated(updates));
        input.rows = Some(updates);
        input
    }

    fn new(name: String, content: Content) -> Self {
        Self {
            name,
            content,
            rows: None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of rows. `None` for a pipe.
    pub(crate) fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Copies a pipe into a temporary file, so that it can be read twice.
    pub(crate) fn keep(&mut self, display: &Display) -> Result<(), Failure> {
        let Content::Pipe(pipe) = &mut self.content else {
            return Ok(());
        };
        let mut file = tempfile::tempfile().map_err(Failure::wrong_use)?;
        let mut pipe = display.step_counter("bytes read", None).reader(pipe.take());
        io::copy(&mut pipe, &mut file)
            .map_err(|error| Failure::WrongUse(format!("{}: {error}", self.name)))?;
        self.content = Content::File(file);
        Ok(())
    }

    /// Counts the rows of a file.
    pub(crate) fn count(&mut self, display: &Display) -> Result<(), Failure> {
        if let Content::File(file) = &self.content {
            let bytes = file.metadata().map_or(0, |found| found.len());
            let counter = display.step_counter("bytes scanned", Some(bytes));
            let rows = JsonLines::new(BufReader::new(counter.reader(Some(self.read()?))));
            let rows = rows.count_rows();
            self.rows = Some(rows.map_err(|row| Failure::WrongUse(place(&self.name, &row)))?);
        }
        Ok(())
    }

    /// All rows, from the first one.
    pub(crate) fn rows_from_start(&mut self) -> Result<Rows, Failure> {
        Ok(JsonLines::new(self.read()?))
    }

    fn read(&mut self) -> Result<Box<dyn BufRead + Send>, Failure> {
        let failed = |error| Failure::WrongUse(format!("{}: {error}", self.name));
        Ok(match &mut self.content {
            Content::File(file) => {
                let mut file = file.try_clone().map_err(failed)?;
                file.rewind().map_err(failed)?;
                Box::new(BufReader::new(file))
            }
            Content::Pipe(pipe) => match pipe.take() {
                Some(pipe) => Box::new(BufReader::new(pipe)),
                None => return Err(Failure::WrongUse(format!("{}: read twice", self.name))),
            },
            Content::Generated(updates) => Box::new(BufReader::new(Generated::new(*updates))),
        })
    }

    /// Starts a thread that reads the updates, since reading a pipe can block.
    pub(crate) fn updates(&mut self) -> Result<Updates, Failure> {
        let rows = self.rows_from_start()?;
        let lines = rows.line_numbers();
        let mut rows = rows.peekable();
        match rows.peek() {
            None => {
                let name = &self.name;
                return Err(Failure::WrongUse(format!("{name}: contains no update")));
            }
            Some(Err(row)) if row.ends_input() => {
                return Err(Failure::WrongUse(place(&self.name, row)));
            }
            Some(_) => {}
        }
        let (sender, receiver) = mpsc::channel(AHEAD);
        // The thread ends when the receiver is dropped.
        thread::spawn(move || rows.try_for_each(|row| sender.blocking_send(row)));
        Ok(Updates {
            receiver,
            reading: Reading {
                name: self.name.clone(),
                counted: self.rows,
                lines,
                taken: Arc::default(),
                has_ended: Arc::default(),
            },
        })
    }
}

/// The updates of an input, as a stream.
pub(crate) struct Updates {
    receiver: mpsc::Receiver<Result<ItemUpdate, InvalidRow>>,
    pub(crate) reading: Reading,
}

impl Updates {
    pub(crate) fn stream(
        self,
    ) -> impl Stream<Item = Result<ItemUpdate, InvalidRow>> + Send + 'static {
        stream::unfold(self, |mut updates| async {
            let row = updates.receiver.recv().await;
            updates.reading.record(row.is_some());
            row.map(|row| (row, updates))
        })
    }
}

/// How far the input was read. Clones share their state.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    name: String,
    counted: Option<u64>,
    lines: LineNumbers,
    taken: Arc<AtomicU64>,
    has_ended: Arc<AtomicBool>,
}

impl Reading {
    fn record(&self, row: bool) {
        match row {
            true => self.taken.fetch_add(1, Ordering::Relaxed),
            false => u64::from(self.has_ended.swap(true, Ordering::Relaxed)),
        };
    }

    /// The number of rows that were taken, including invalid ones.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The number of rows in the input, if it is known.
    pub(crate) fn rows(&self) -> Option<u64> {
        let ended = self.has_ended.load(Ordering::Relaxed);
        self.counted.or_else(|| ended.then(|| self.taken()))
    }

    /// Whether the input was read to its end and had as many rows as were counted.
    pub(crate) fn is_complete(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed) && self.rows() == Some(self.taken())
    }

    /// The number of rows that were counted before, if it was wrong.
    pub(crate) fn counted_otherwise(&self) -> Option<u64> {
        let is_ended = self.has_ended.load(Ordering::Relaxed);
        self.counted
            .filter(|rows| is_ended && *rows != self.taken() || self.taken() > *rows)
    }

    /// The place of the row at an index from 0, as `name:line`.
    pub(crate) fn place(&self, index: u64) -> String {
        format!("{}:{}", self.name, self.line(index))
    }

    pub(crate) fn line(&self, index: u64) -> u64 {
        self.lines.of(index)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The place of an invalid row and the reason.
    pub(crate) fn invalid(&self, row: &InvalidRow) -> String {
        place(&self.name, row)
    }
}

/// The place of an invalid row and the reason.
fn place(name: &str, row: &InvalidRow) -> String {
    format!(
        "{name}:{}: {}",
        row.line(),
        one_line(&row.reason().to_string())
    )
}

impl StepCounter {
    /// Counts the bytes that a reader reads.
    fn reader<R: Read>(self, input: Option<R>) -> impl Read {
        Metered {
            input,
            counter: self,
        }
    }
}

struct Metered<R> {
    input: Option<R>,
    counter: StepCounter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else {
            return Ok(0);
        };
        let read = input.read(buffer)?;
        self.counter.step(read as u64);
        Ok(read)
    }
}
