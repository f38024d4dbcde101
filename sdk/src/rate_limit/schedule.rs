//! When the next request of a token may leave: a pure function of the requests and responses so far.

mod bucket;
mod countdown;
mod limits;
mod spread;
#[cfg(test)]
mod tests;
mod window;

use std::collections::VecDeque;
use std::time::Duration;

use self::limits::{FINEST, GRACE, Limits, MINUTE, times};
pub(crate) use self::limits::{Reported, Ticket};
use self::spread::Spread;
use self::window::{UNCONFIRMED, Window};

/// The source of the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// The headers, and `initial` before the first ones. The rest of a window is spent at once, unless the requests are
    /// to be spread.
    Learned { initial: u32, is_spread: bool },
    /// This, whatever the headers say. The requests are spread.
    Fixed(u32),
    /// No limit.
    Off,
}

impl Rule {
    pub(crate) fn learned(initial: u32) -> Self {
        Self::Learned {
            initial,
            is_spread: false,
        }
    }

    pub(crate) fn spread(self) -> Self {
        match self {
            Self::Learned { initial, .. } => Self::Learned {
                initial,
                is_spread: true,
            },
            Self::Fixed(_) | Self::Off => self,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: Ticket,
    /// When its turn was to come, as it looked when it last asked.
    due: Duration,
}

/// The reply to a caller that asks for a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The request is to leave now.
    Now,
    /// The turn comes at this time, as it looks now.
    At(Duration),
}

/// The requests of one token. All times are of one clock.
#[derive(Debug)]
pub(crate) struct Schedule {
    rule: Rule,
    share: f64,
    learned: Option<u64>,
    /// The most that is believed of a limit whose headers were wrong.
    ceiling: Option<u64>,
    /// When the headers turned out to be wrong.
    distrusted: Option<Duration>,
    window: Window,
    spread: Spread,
    paused_until: Duration,
    waiting: VecDeque<Waiting>,
    next_ticket: Ticket,
    /// Since when a request may leave although none does.
    open_since: Option<Duration>,
}

impl Schedule {
    pub(crate) fn new(rule: Rule, share: f64) -> Self {
        Self {
            rule,
            share,
            learned: None,
            ceiling: None,
            distrusted: None,
            window: Window::new(),
            spread: Spread::new(),
            paused_until: Duration::ZERO,
            waiting: VecDeque::new(),
            next_ticket: 0,
            open_since: None,
        }
    }

    /// Queues behind all waiting calls.
    pub(crate) fn enter(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back(Waiting {
            ticket,
            due: Duration::MAX,
        });
        ticket
    }

    /// Gives a place up. Whether it was still held.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> bool {
        match self.position(ticket) {
            Some(position) => self.waiting.remove(position).is_some(),
            None => false,
        }
    }

    /// Asks for the turn of a place, which is used up with it.
    pub(crate) fn ask(&mut self, ticket: Ticket, now: Duration) -> Turn {
        let Some(position) = self.position(ticket) else {
            return Turn::Now;
        };
        let turn = match self.limits() {
            None => Turn::Now,
            Some(limits) if self.spends_windows(&limits) => {
                self.window_turn(position, now, &limits)
            }
            Some(limits) => self.spread_turn(position, now, &limits),
        };
        match turn {
            Turn::Now => {
                self.waiting.remove(position);
                if let Some(limits) = self.limits() {
                    self.window.send(ticket, now, &limits);
                    self.open_since = None;
                    self.note_open(now, &limits);
                }
                self.spread.send(now);
            }
            Turn::At(due) => {
                if let Some(waiting) = self.waiting.get_mut(position) {
                    waiting.due = due;
                }
            }
        }
        turn
    }

    fn window_turn(&mut self, position: usize, now: Duration, limits: &Limits) -> Turn {
        if now < self.paused_until {
            return Turn::At(self.paused_until);
        }
        self.note_open(now, limits);
        let open = self.window.open(now, limits);
        if open == 0 {
            return Turn::At(self.window.opens(position as u64, now, limits));
        }
        let overdue = self
            .open_since
            .is_some_and(|since| since.saturating_add(GRACE) < now);
        let mut before = 0;
        let mut turn_of_others = now;
        for (place, waiting) in (0..).zip(self.waiting.iter().take(position)) {
            let is_missed = place < open && overdue;
            if is_missed || waiting.due.saturating_add(GRACE) < now {
                continue;
            }
            before += 1;
            if before == open {
                return Turn::At(now.saturating_add(GRACE + FINEST));
            }
            if waiting.due < Duration::MAX {
                turn_of_others = turn_of_others.max(waiting.due);
            }
        }
        if turn_of_others > now {
            // Whoever is before may not be polled any more.
            return Turn::At(turn_of_others.min(now.saturating_add(GRACE + FINEST)));
        }
        Turn::Now
    }

    fn spread_turn(&self, position: usize, now: Duration, limits: &Limits) -> Turn {
        let interval = self.spread.interval(limits.interval);
        let mut next = self.spread.next(limits.interval).max(self.paused_until);
        let counted = |distrusted: Duration| distrusted.saturating_add(MINUTE + GRACE) > now;
        if self.distrusted.is_some_and(counted) {
            // What was sent at once before still counts.
            next = next.max(self.window.counted_out(0, now, limits));
        }
        // A caller that does not ask again does not know that its turn has come nearer.
        let before = (0..)
            .map(|place| next.saturating_add(interval.saturating_mul(place)))
            .zip(self.waiting.iter().take(position))
            .filter(|(due, waiting)| waiting.due.min(*due).saturating_add(GRACE) >= now)
            .count();
        let due = next
            .max(if before == 0 { Duration::ZERO } else { now })
            .saturating_add(interval.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX)));
        if now < due { Turn::At(due) } else { Turn::Now }
    }

    fn note_open(&mut self, now: Duration, limits: &Limits) {
        if self.window.open(now, limits) == 0 {
            self.open_since = None;
        } else {
            self.open_since.get_or_insert(now);
        }
    }

    /// Pauses all requests until this time.
    pub(crate) fn pause(&mut self, until: Duration) {
        if self.rule == Rule::Off {
            return;
        }
        self.paused_until = self.paused_until.max(until);
    }

    pub(crate) fn paused_until(&self) -> Duration {
        self.paused_until
    }

    /// How many callers wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// A request that was to leave did not. Whether those who wait should ask again.
    pub(crate) fn withdraw(&mut self, ticket: Ticket, now: Duration) -> bool {
        self.window.withdraw(ticket);
        self.comes_sooner(now)
    }

    /// A request ended without a response. Whether those who wait should ask again.
    pub(crate) fn end(&mut self, ticket: Ticket, now: Duration) -> bool {
        self.window.end(ticket, now);
        self.comes_sooner(now)
    }

    /// Takes in what a response says. Whether those who wait should ask again, because their turn may come sooner.
    pub(crate) fn learn(&mut self, ticket: Ticket, reported: &Reported, now: Duration) -> bool {
        let before = self.interval();
        if let Some(limit) = reported.limit.filter(|limit| *limit > 0)
            && self.learned.replace(limit) != Some(limit)
        {
            self.spread.limit_changed();
        }
        let Some(limits) = self.limits() else {
            return false;
        };
        if let Some(remaining) = reported.remaining {
            self.spread.learn(remaining, now, &limits);
        }
        let left = self.window.broken(now);
        let is_true = self.window.learn(ticket, reported, now, &limits);
        if !is_true {
            self.distrusted.get_or_insert(now);
            if reported.is_refused && left.max(self.window.broken(now)) > UNCONFIRMED {
                self.learn_ceiling(now);
            }
        }
        if let Some(limits) = self.limits() {
            self.note_open(now, &limits);
        }
        self.interval() < before || self.comes_sooner(now)
    }

    /// Requests were refused although many were left, so the limit is not what the service says. No window serves more
    /// than twice its limit in a minute, and the limit is taken to be no lower than it was assumed to be at first.
    fn learn_ceiling(&mut self, now: Duration) {
        if let Rule::Learned { initial, .. } = self.rule
            && self.ceiling.is_none()
        {
            self.ceiling = Some((self.window.served(now) / 2).max(initial.into()));
        }
    }

    /// The requests a minute that the service grants the token, as far as is known.
    pub(crate) fn limit(&self) -> Option<u64> {
        match self.rule {
            Rule::Off => self.learned,
            Rule::Fixed(limit) => Some(limit.into()),
            Rule::Learned { initial, .. } => {
                let limit = self.learned.unwrap_or_else(|| initial.into());
                Some(self.ceiling.map_or(limit, |ceiling| limit.min(ceiling)))
            }
        }
    }

    /// How far apart requests leave that are spread.
    pub(crate) fn interval(&self) -> Duration {
        self.limits().map_or(Duration::ZERO, |limits| {
            self.spread.interval(limits.interval)
        })
    }

    /// How long the limit makes so many requests take, from the first to the last.
    pub(crate) fn estimate(&self, requests: u64) -> Duration {
        let gaps = requests.saturating_sub(1);
        match self.limits() {
            None => Duration::ZERO,
            Some(limits) if self.spends_windows(&limits) => times(MINUTE, gaps / limits.ours),
            Some(limits) => times(self.spread.interval(limits.interval), gaps),
        }
    }

    fn limits(&self) -> Option<Limits> {
        let limit = self.limit().filter(|_| self.rule != Rule::Off)?;
        Some(Limits::new(limit, self.share))
    }

    /// Whether the requests are spread.
    #[cfg(test)]
    fn is_spread(&self) -> bool {
        self.limits()
            .is_some_and(|limits| !self.spends_windows(&limits))
    }

    fn spends_windows(&self, limits: &Limits) -> bool {
        let is_spread = match self.rule {
            Rule::Learned { is_spread, .. } => is_spread,
            Rule::Fixed(_) | Rule::Off => true,
        };
        // Less than one request a minute has no window.
        !is_spread && self.distrusted.is_none() && limits.ours > 0
    }

    /// Whether a turn comes sooner than a caller expects.
    fn comes_sooner(&self, now: Duration) -> bool {
        let Some((limits, first)) = self.limits().zip(self.waiting.front()) else {
            return false;
        };
        if !self.spends_windows(&limits) {
            return false;
        }
        let open = usize::try_from(self.window.open(now, &limits)).unwrap_or(usize::MAX);
        let mut open = self.waiting.iter().take(open);
        open.any(|waiting| waiting.due > now) || self.window.opens(0, now, &limits) < first.due
    }

    fn position(&self, ticket: Ticket) -> Option<usize> {
        self.waiting
            .binary_search_by_key(&ticket, |waiting| waiting.ticket)
            .ok()
    }
}
