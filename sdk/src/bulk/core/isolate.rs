//! Which entries of a refused batch are at fault, in few requests.
//!
//! The service takes a batch or refuses it whole, and does not say for which entry. So groups of the entries are sent:
//! one that is accepted is done, and one that is refused holds a bad entry.
//!
//! The entries that are not settled stand in a row. **The next group is taken from the front of the row, so long that
//! it is as likely to be accepted as not**, for then the answer tells most. If it is refused, the next one is taken
//! from the front of it, down to a single entry, which is bad. If all of a refused group but one entry is accepted,
//! that entry is bad without being sent alone. A refused batch of 100 takes 9 requests in the mean if one entry is bad,
//! 33 if five are, 106 if all are, and no pattern is known that takes more than 145.
//!
//! How likely that is comes from [`Odds`]: entries go wrong in one of two ways, few or many, and what is counted is how
//! often a bad entry followed a good one, and how often it followed a bad one. So scattered faults are dug out one by
//! one, a run of bad neighbours is followed to its end, and what is mostly bad is sent one by one.
//!
//! An error may name entries. Then everything else is sent first, which settles all if the name was right and there is
//! no other bad entry, and the named ones alone after that, if need be. A name that turns out wrong costs two requests,
//! and no other is listened to.
//!
//! All this presumes that a refused batch changed nothing, and that an entry is good or bad by itself. If entries refer
//! to each other, or somebody repairs an item meanwhile, the answers may contradict each other, and a verdict then
//! rests on the last of them.

use std::ops::Range;

/// The search for the bad entries of one batch. It starts with the whole batch as its first group.
///
/// Each response about [`group`](Self::group) is taken in by [`accepted`](Self::accepted) or [`refused`](Self::refused);
/// a group whose request came to nothing can be sent again. Every position is settled once, and no response leaves all as
/// it was, so the search ends whatever the service says.
#[derive(Clone, Debug)]
pub(crate) struct Isolation {
    /// All positions: those that are settled, then those that are not.
    row: Vec<usize>,
    settled: usize,
    /// How many of those that follow the settled ones are known to hold a bad one between them; 0 if that is not known.
    suspects: usize,
    /// How many requests in a row that held the suspects were refused.
    refusals: u32,
    /// Whether an error has named entries, and was not wrong.
    is_named: bool,
    /// What is to be sent next, as a part of the row; empty at the end.
    group: Range<usize>,
    /// Positions that an error named and that are not settled.
    named: Vec<usize>,
    /// How often everything but the named may still be sent. A service that names one bad entry a time makes each cost
    /// two requests, which is worth it only while they are few.
    patience: usize,
    odds: Odds,
}

/// The positions that an answer has settled, each ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// They were in an accepted group.
    pub(crate) good: Vec<usize>,
    /// It was refused alone, or with others that were accepted without it.
    pub(crate) bad: Option<usize>,
}

impl Isolation {
    /// A search in a batch of `len` entries that is still to be sent, as whole unless the odds are that it will be refused.
    pub(crate) fn new(len: usize, odds: Odds) -> Self {
        /// A batch that is accepted less often than this is taken apart before it is refused.
        const HARDLY: f64 = 0.05;
        let is_hopeless = odds
            .all_good()
            .take(len)
            .last()
            .is_some_and(|chance| chance < HARDLY);
        let mut isolation = Self {
            row: (0..len).collect(),
            settled: 0,
            suspects: 0,
            refusals: 0,
            is_named: false,
            group: 0..len,
            named: Vec::new(),
            patience: len.div_ceil(4),
            odds,
        };
        if is_hopeless {
            isolation.choose();
        }
        isolation
    }

    /// What was learned of how entries go wrong, for the next batch.
    pub(crate) fn odds(&self) -> Odds {
        self.odds.faded()
    }

    /// Has one entry be sent next, alone, in place of what would be. With another number, which counts such requests, it
    /// is one that stands elsewhere: bad neighbours must not look like all there is.
    pub(crate) fn ask_alone(&mut self, number: usize) {
        /// Multiples of the golden ratio, in 1/1024, stand far from each other.
        const STEP: usize = 633;
        let unsettled = self.row.len() - self.settled;
        let part = (number + 1).wrapping_mul(STEP) % 1024;
        let place = self.settled + unsettled * part / 1024;
        self.group = place..(place + 1).min(self.row.len());
    }

    /// The positions to be sent next, ascending. None if all are settled.
    pub(crate) fn group(&self) -> Option<&[usize]> {
        self.row
            .get(self.group.clone())
            .filter(|group| !group.is_empty())
    }

    /// The group was accepted. If all of a refused group but one entry is accepted now, that one is bad, unless nothing is
    /// to be inferred, or it was in one refused request only, which may have been refused in passing: then it is sent
    /// alone.
    pub(crate) fn accepted(&mut self, infer: bool) -> Settled {
        let group = self.group.clone();
        let refuted = group.len() == 1 && self.is_named(group.start);
        let good = self.settle(group, false);
        if refuted {
            self.named.clear();
            self.is_named = false;
            self.patience = 0;
        }
        let bad = if self.suspects == 1 && infer && (self.refusals > 1 || self.is_named) {
            self.settle(self.settled..self.settled + 1, true).pop()
        } else {
            None
        };
        self.choose();
        Settled { good, bad }
    }

    /// The group was refused because of what it holds, with an error that seems to name these positions. Those that
    /// were not in the group are passed over.
    pub(crate) fn refused(&mut self, named: &[usize]) -> Settled {
        let group = self.group.clone();
        let mut settled = Settled::default();
        if group.len() == 1 {
            settled.bad = self.settle(group, true).pop();
        } else {
            self.refusals = match self.suspects {
                0 => 1,
                _ => self.refusals.saturating_add(1),
            };
            self.suspects = group.len();
            if self.patience > 0 {
                let members = self.row.get(group).unwrap_or_default();
                let before = self.named.len();
                self.named.extend(
                    members
                        .iter()
                        .filter(|position| named.contains(position))
                        .copied(),
                );
                // Who names an entry has looked at it.
                self.is_named |= self.named.len() > before;
            }
        }
        self.choose();
        settled
    }

    /// The positions that are not settled, ascending.
    #[cfg(test)]
    pub(crate) fn into_unsettled(mut self) -> Vec<usize> {
        let mut rest = self.row.split_off(self.settled);
        rest.sort_unstable();
        rest
    }

    /// Moves a part of the row to what is settled.
    fn settle(&mut self, part: Range<usize>, bad: bool) -> Vec<usize> {
        if part.start == self.settled {
            for _ in part.clone() {
                self.odds.learn(bad);
            }
        }
        if part.start < self.settled + self.suspects {
            self.suspects = if bad { 0 } else { self.suspects - part.len() };
        }
        let positions = self.row.get(part.clone()).unwrap_or_default().to_vec();
        if let Some(moved) = self.row.get_mut(self.settled..part.end) {
            moved.rotate_right(part.len());
        }
        self.settled += part.len();
        self.named.retain(|position| !positions.contains(position));
        positions
    }

    fn choose(&mut self) {
        let suspects = self.settled..self.settled + self.suspects;
        let unsettled = self.settled..self.row.len();
        self.group = if self.suspects == 1 {
            suspects
        } else if self.named.is_empty() {
            self.sort();
            let len = self.odds.even_group(suspects.len(), unsettled.len());
            self.settled..self.settled + len
        } else if let Some(alone) = self.named_alone(&suspects, unsettled) {
            alone..alone + 1
        } else {
            self.patience = self.patience.saturating_sub(1);
            if let Some(part) = self.row.get_mut(suspects.clone()) {
                part.sort_by_key(|position| self.named.contains(position));
            }
            suspects.start..suspects.end - self.named.len()
        };
    }

    /// The place of a named position that can only be sent alone, since nothing that is suspected could go without it.
    fn named_alone(&self, suspects: &Range<usize>, unsettled: Range<usize>) -> Option<usize> {
        let outside = suspects.end..unsettled.end;
        let only_named = suspects.len() == self.named.len();
        outside
            .chain(suspects.clone().filter(|_| only_named))
            .find(|place| self.is_named(*place))
    }

    fn is_named(&self, place: usize) -> bool {
        self.row
            .get(place)
            .is_some_and(|position| self.named.contains(position))
    }

    /// Puts in order again what names have moved.
    fn sort(&mut self) {
        let (_, unsettled) = self.row.split_at_mut(self.settled);
        let (suspects, others) = unsettled.split_at_mut(self.suspects);
        suspects.sort_unstable();
        others.sort_unstable();
    }
}

/// How likely the next entries of the row are to be good, by two beliefs of which each is as credible as it has been a
/// good prophet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    beliefs: [Belief; 2],
    after_bad: bool,
}

/// A way in which entries go wrong, with what was counted on top of what is taken for granted.
#[derive(Clone, Copy, Debug)]
struct Belief {
    credit: f64,
    after_good: Counts,
    after_bad: Counts,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    good: f64,
    bad: f64,
}

impl Default for Odds {
    fn default() -> Self {
        Self::PRIOR
    }
}

impl Odds {
    /// How many entries are remembered, about, so that what changes on the way is learned anew.
    const MEMORY: f64 = 500.0;

    /// The same, with what was learned long ago fading.
    fn faded(mut self) -> Self {
        /// No belief is given up for good.
        const LEAST_CREDIT: f64 = 0.01;
        for belief in &mut self.beliefs {
            belief.credit = belief.credit.clamp(LEAST_CREDIT, 1.0 - LEAST_CREDIT);
            for counts in [&mut belief.after_good, &mut belief.after_bad] {
                let all = counts.good + counts.bad;
                if all > Self::MEMORY {
                    counts.good *= Self::MEMORY / all;
                    counts.bad *= Self::MEMORY / all;
                }
            }
        }
        self.after_bad = false;
        self
    }

    /// A few are bad, and neighbours of bad ones rather than others; or, once in a hundred batches, half of them are.
    /// The numbers were chosen by simulation, and none is critical: half or twice as much changes a mean by a request.
    const PRIOR: Self = Self {
        beliefs: [
            Belief {
                credit: 0.99,
                after_good: Counts {
                    good: 100.0,
                    bad: 0.5,
                },
                after_bad: Counts {
                    good: 1.0,
                    bad: 0.25,
                },
            },
            Belief {
                credit: 0.01,
                after_good: Counts {
                    good: 1.0,
                    bad: 1.0,
                },
                after_bad: Counts {
                    good: 1.0,
                    bad: 1.0,
                },
            },
        ],
        after_bad: false,
    };

    /// Takes in what the next entry is, and returns how likely that was.
    fn learn(&mut self, bad: bool) -> f64 {
        let mut likely = 0.0;
        for belief in &mut self.beliefs {
            let counts = if self.after_bad {
                &mut belief.after_bad
            } else {
                &mut belief.after_good
            };
            let all = counts.good + counts.bad;
            let count = if bad {
                &mut counts.bad
            } else {
                &mut counts.good
            };
            belief.credit *= *count / all;
            *count += 1.0;
            likely += belief.credit;
        }
        for belief in &mut self.beliefs {
            belief.credit /= likely;
        }
        self.after_bad = bad;
        likely
    }

    /// The chances that the next one, two, three and so on are all good.
    fn all_good(mut self) -> impl Iterator<Item = f64> {
        std::iter::repeat_with(move || self.learn(false)).scan(1.0, |all, next| {
            *all *= next;
            Some(*all)
        })
    }

    /// How many to send so that the chance of acceptance is nearest to a half: less than all suspects, if there are
    /// any.
    fn even_group(&self, suspects: usize, unsettled: usize) -> usize {
        // That all suspects are good is known not to be so; what is left of each chance is in proportion to that.
        let (longest, impossible) = match suspects.checked_sub(1) {
            None => (unsettled, 0.0),
            Some(others) => (others, self.all_good().nth(others).unwrap_or_default()),
        };
        let even = f64::midpoint(1.0, impossible);
        let (mut best, mut nearest) = (0, f64::INFINITY);
        for (len, chance) in (1..=longest).zip(self.all_good()) {
            let distance = (chance - even).abs();
            if distance >= nearest {
                break;
            }
            (best, nearest) = (len, distance);
        }
        best
    }
}

#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trial;
