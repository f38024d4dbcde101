//! The end of the window, as the waits of several responses count down to it.

use std::time::Duration;

/// A response gives the wait in whole seconds, which may have been rounded down, and by a clock of its own.
pub(super) const ROUNDING: Duration = Duration::from_millis(1_100);

/// Waits that have counted down to one end for so long are not the same wait each time.
const AGREED: Duration = Duration::from_secs(3);

/// The end to which the waits of several responses count down, if they do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Countdown {
    since: Duration,
    until: Duration,
    /// The end lies between these two.
    earliest: Duration,
    latest: Duration,
}

impl Countdown {
    pub(super) const fn new() -> Self {
        Self {
            since: Duration::ZERO,
            until: Duration::ZERO,
            earliest: Duration::ZERO,
            latest: Duration::ZERO,
        }
    }

    /// Takes in the wait that a response gave. The service processed it after it was sent and before it was received.
    pub(super) fn learn(&mut self, sent: Duration, received: Duration, wait: Duration) {
        let earliest = sent.saturating_add(wait).saturating_sub(ROUNDING);
        let latest = received.saturating_add(wait).saturating_add(ROUNDING);
        if earliest <= self.latest && self.earliest <= latest {
            self.earliest = self.earliest.max(earliest);
            self.latest = self.latest.min(latest);
        } else {
            (self.earliest, self.latest, self.since) = (earliest, latest, received);
        }
        self.until = received;
    }

    /// When it ends at the latest, if it is one.
    pub(super) fn end(&self) -> Option<Duration> {
        (self.until.saturating_sub(self.since) >= AGREED).then_some(self.latest)
    }
}
