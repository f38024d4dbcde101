//! How far the program is: a line that changes in a terminal, now and then a new line elsewhere.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use webflow_cms::bulk::{Handle, Progress};
use webflow_cms::observe::{Observer, WaitCause, WaitEnded, WaitStarted};
use webflow_cms::time::{Clock, SystemClock};

use super::console;
use super::words::{grouped, time};

const BETWEEN_FRAMES: Duration = Duration::from_millis(100);
const BETWEEN_LINES: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Display {
    bar: ProgressBar,
    waits: Waits,
}

impl Display {
    pub(crate) fn new() -> Self {
        Self {
            bar: ProgressBar::no_length(),
            waits: Waits::default(),
        }
    }

    /// Hears from the client what it waits for.
    pub(crate) fn observer(&self) -> impl Observer + use<> {
        self.waits.clone()
    }

    /// Says something, above the changing line if there is one.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| console::tell(text));
    }

    /// Writes to standard output, above the changing line if there is one.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        self.bar.suspend(|| console::print(text))
    }

    /// Begins something of which so much is to be done.
    pub(crate) fn stage(&self, what: &'static str, total: Option<u64>) -> Stage {
        self.begin(what, total);
        Stage {
            display: self.clone(),
            what,
            total,
            done: 0,
            due: SystemClock.elapsed().saturating_add(self.pause()),
        }
    }

    pub(crate) async fn show(&self, handle: &Handle, rows: Option<u64>) -> Infallible {
        let began = SystemClock.elapsed();
        self.begin("items", rows);
        loop {
            SystemClock.sleep(self.pause()).await;
            let now = SystemClock.elapsed();
            let (progress, elapsed) = (handle.progress(), now.saturating_sub(began));
            let told = told(&progress, rows, elapsed, self.waits.longest(now));
            self.set(progress.counts.settled(), rows, &format!(" items{told}"));
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// The message is cut to the width of the terminal, so that the line can be taken back.
    fn begin(&self, what: &str, total: Option<u64>) {
        let template = match total {
            Some(_) => "{bar:20} {human_pos}/{human_len}{wide_msg}",
            None => "{spinner} {human_pos}{wide_msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.set_message(format!(" {what}"));
        match total {
            Some(total) => self.bar.set_length(total),
            None => self.bar.unset_length(),
        }
        self.bar.reset();
    }

    fn set(&self, done: u64, total: Option<u64>, message: &str) {
        if self.is_terminal() {
            self.bar.set_message(message.to_owned());
            self.bar.set_position(done);
            return;
        }
        let of = total.map_or(String::new(), |total| format!("/{}", grouped(total)));
        console::tell(&format!("{}{of}{message}", grouped(done)));
    }

    fn pause(&self) -> Duration {
        match self.is_terminal() {
            true => BETWEEN_FRAMES,
            false => BETWEEN_LINES,
        }
    }

    fn is_terminal(&self) -> bool {
        !self.bar.is_hidden()
    }
}

/// Something that is done before the run, or in place of it.
pub(crate) struct Stage {
    display: Display,
    what: &'static str,
    total: Option<u64>,
    done: u64,
    due: Duration,
}

impl Stage {
    pub(crate) fn step(&mut self, done: u64) {
        self.done += done;
        let now = SystemClock.elapsed();
        if now >= self.due {
            self.due = now.saturating_add(self.display.pause());
            self.display
                .set(self.done, self.total, &format!(" {}", self.what));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.display.end();
    }
}

/// What stands behind the number of items. What an earlier run has done does not count for the speed of this one.
fn told(
    progress: &Progress,
    rows: Option<u64>,
    elapsed: Duration,
    wait: Option<(WaitCause, Duration)>,
) -> String {
    let updated = u32::try_from(progress.counts.updated).unwrap_or(u32::MAX);
    let mut told = String::new();
    if let Some(for_one) = elapsed.checked_div(updated) {
        let a_minute =
            Duration::from_secs(60).div_duration_f64(for_one.max(Duration::from_nanos(1)));
        told = format!(", {} a minute", grouped(a_minute as u64));
        if let Some(rows) = rows {
            let left = rows.saturating_sub(progress.counts.settled());
            let left = for_one.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX));
            told.push_str(&format!(", {} left", time(left)));
        }
    }
    if let Some((cause, wait)) = wait {
        let why = match cause {
            WaitCause::RateLimit => "for the rate limit",
            WaitCause::RetryAfter => "as the service asks",
            _ => "after a failure",
        };
        told.push_str(&format!(", waits {} {why}", time(wait)));
    }
    told
}

/// The waits of the calls that wait, each with its end.
#[derive(Clone, Debug, Default)]
struct Waits(Arc<Mutex<Vec<(WaitCause, Duration)>>>);

impl Waits {
    /// The wait that takes longest, and how long that is from now.
    fn longest(&self, now: Duration) -> Option<(WaitCause, Duration)> {
        let waits = self.lock();
        let (cause, end) = waits.iter().max_by_key(|(_, end)| *end)?;
        Some((*cause, end.saturating_sub(now)))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(WaitCause, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Waits {
    fn wait_started(&self, started: &WaitStarted) {
        let end = SystemClock.elapsed().saturating_add(started.expected);
        self.lock().push((started.cause, end));
    }

    fn wait_ended(&self, ended: &WaitEnded) {
        let mut waits = self.lock();
        let ends = waits
            .iter()
            .enumerate()
            .filter(|(_, (cause, _))| *cause == ended.cause);
        let first = ends
            .min_by_key(|(_, (_, end))| *end)
            .map(|(place, _)| place);
        if let Some(place) = first {
            waits.remove(place);
        }
    }
}
