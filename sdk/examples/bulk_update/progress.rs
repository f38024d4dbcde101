//! How far the run is: a bar in a terminal, now and then a line elsewhere.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use webflow_cms::bulk::{Handle, Progress};
use webflow_cms::{Clock, Observer, SystemClock, WaitCause, WaitEnded, WaitStarted};

use super::words::{grouped, time};

const BETWEEN_FRAMES: Duration = Duration::from_millis(100);
const BETWEEN_LINES: Duration = Duration::from_secs(5);

pub(crate) struct Display {
    bar: ProgressBar,
    items: u64,
    waits: Waits,
}

impl Display {
    pub(crate) fn new(items: u64) -> Self {
        let bar = ProgressBar::new(items);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len}{msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            bar,
            items,
            waits: Waits::default(),
        }
    }

    /// Hears from the client what it waits for.
    pub(crate) fn observer(&self) -> impl Observer + use<> {
        self.waits.clone()
    }

    /// Says something, above the bar if there is one.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    pub(crate) async fn show(&self, handle: &Handle) -> Infallible {
        let began = SystemClock.elapsed();
        let is_terminal = !self.bar.is_hidden();
        loop {
            let pause = if is_terminal {
                BETWEEN_FRAMES
            } else {
                BETWEEN_LINES
            };
            SystemClock.sleep(pause).await;
            let now = SystemClock.elapsed();
            let (progress, elapsed) = (handle.progress(), now.saturating_sub(began));
            let told = told(&progress, self.items, elapsed, self.waits.longest(now));
            if is_terminal {
                self.bar.set_message(told);
                self.bar.set_position(progress.counts.settled());
            } else {
                let (settled, items) = (grouped(progress.counts.settled()), grouped(self.items));
                eprintln!("{settled}/{items}{told}");
            }
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// What stands behind the number of items. What an earlier run has done does not count for the speed of this one.
fn told(
    progress: &Progress,
    items: u64,
    elapsed: Duration,
    wait: Option<(WaitCause, Duration)>,
) -> String {
    let left = items.saturating_sub(progress.counts.settled());
    let updated = u32::try_from(progress.counts.updated).unwrap_or(u32::MAX);
    let mut told = String::new();
    if let Some(for_one) = elapsed.checked_div(updated) {
        let a_minute =
            Duration::from_secs(60).div_duration_f64(for_one.max(Duration::from_nanos(1)));
        let left = for_one.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX));
        told = format!(
            ", {} a minute, {} left",
            grouped(a_minute as u64),
            time(left)
        );
    }
    if let Some((cause, wait)) = wait {
        let why = match cause {
            WaitCause::Pace => "for the pace",
            WaitCause::RetryAfter => "since the service asked for it",
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
