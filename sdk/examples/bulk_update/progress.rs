//! The progress display: one updated line in a terminal, a new line every five seconds elsewhere.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use webflow_cms::bulk::{Handle, Progress};
use webflow_cms::observe::{Observer, WaitCause, WaitEnded, WaitStarted};
use webflow_cms::time::{Clock, SystemClock};

use super::console;
use super::format::{grouped, time};

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

    /// An observer for the client, whose waits are displayed.
    pub(crate) fn observer(&self) -> impl Observer + use<> {
        self.waits.clone()
    }

    /// Writes to standard error, above the updated line.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| console::tell(text));
    }

    /// Writes to standard output, above the updated line.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        self.bar.suspend(|| console::print(text))
    }

    /// Starts a display of counted steps.
    pub(crate) fn step_counter(&self, what: &'static str, total: Option<u64>) -> StepCounter {
        self.start(what, total);
        StepCounter {
            display: self.clone(),
            what,
            total,
            done: 0,
            due: SystemClock
                .elapsed()
                .saturating_add(self.refresh_interval()),
        }
    }

    pub(crate) async fn show(&self, handle: &Handle, rows: Option<u64>) -> Infallible {
        let began = SystemClock.elapsed();
        self.start("items", rows);
        loop {
            SystemClock.sleep(self.refresh_interval()).await;
            let now = SystemClock.elapsed();
            let (progress, elapsed) = (handle.progress(), now.saturating_sub(began));
            let details = details(&progress, rows, elapsed, self.waits.longest(now));
            self.set(progress.counts.total(), rows, &format!(" items{details}"));
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// `wide_msg` truncates the message to the width of the terminal, so that the line can be redrawn.
    fn start(&self, what: &str, total: Option<u64>) {
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

    fn refresh_interval(&self) -> Duration {
        match self.is_terminal() {
            true => BETWEEN_FRAMES,
            false => BETWEEN_LINES,
        }
    }

    fn is_terminal(&self) -> bool {
        !self.bar.is_hidden()
    }
}

/// The progress of work before a run, or of a dry run.
pub(crate) struct StepCounter {
    display: Display,
    what: &'static str,
    total: Option<u64>,
    done: u64,
    due: Duration,
}

impl StepCounter {
    pub(crate) fn step(&mut self, done: u64) {
        self.done += done;
        let now = SystemClock.elapsed();
        if now >= self.due {
            self.due = now.saturating_add(self.display.refresh_interval());
            self.display
                .set(self.done, self.total, &format!(" {}", self.what));
        }
    }
}

impl Drop for StepCounter {
    fn drop(&mut self) {
        self.display.end();
    }
}

/// The text after the number of items. Items of earlier runs do not count for the rate.
fn details(
    progress: &Progress,
    rows: Option<u64>,
    elapsed: Duration,
    wait: Option<(WaitCause, Duration)>,
) -> String {
    let updated = u32::try_from(progress.counts.updated).unwrap_or(u32::MAX);
    let mut details = String::new();
    if let Some(for_one) = elapsed.checked_div(updated) {
        let a_minute =
            Duration::from_secs(60).div_duration_f64(for_one.max(Duration::from_nanos(1)));
        details = format!(", {} a minute", grouped(a_minute as u64));
        if let Some(rows) = rows {
            let left = rows.saturating_sub(progress.counts.total());
            let left = for_one.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX));
            details.push_str(&format!(", {} left", time(left)));
        }
    }
    if let Some((cause, wait)) = wait {
        let why = match cause {
            WaitCause::RateLimit => "for the rate limit",
            WaitCause::RetryAfter => "for Retry-After",
            _ => "after a failure",
        };
        details.push_str(&format!(", waits {} {why}", time(wait)));
    }
    details
}

/// The waits in progress, each with its expected end.
#[derive(Clone, Debug, Default)]
struct Waits(Arc<Mutex<Vec<(WaitCause, Duration)>>>);

impl Waits {
    /// The wait that ends last, and the time until then.
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
