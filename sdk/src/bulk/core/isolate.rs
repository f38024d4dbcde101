//! The isolation of the items at fault in a refused batch, in few requests.
//!
//! The service accepts or refuses a batch as a whole, and does not name the entry at fault. So groups of its entries
//! are sent: the entries of an accepted group are good, and a refused group holds a bad entry.
//!
//! The unresolved entries form a row. **The next group is taken from the front of the row, with the length at which it
//! is as likely to be accepted as refused**, because then the response gives the most information. If it is refused,
//! the next group is taken from the front of it, down to a single entry, which is bad. If all entries of a refused
//! group but one are accepted, that one is bad without being sent alone. A refused batch of 100 takes 9 requests on
//! average if one entry is bad, 33 if five are, and 106 if all are. No pattern is known that takes more than 145.
//!
//! The probability comes from [`Odds`], which models two ways in which entries are bad: few of them or many. It counts
//! how often a bad entry followed a good one, and how often it followed a bad one. So scattered bad entries are found
//! one by one, a run of bad neighbours is followed to its end, and a mostly bad batch is sent one by one.
//!
//! An error may name entries. Then everything else is sent first. That resolves all of it if the name is right and
//! there is no other bad entry. The named entries are sent alone after that, if necessary. A wrong name costs two
//! requests, and later names are ignored.
//!
//! The search assumes that a refused batch changed nothing, and that an entry is good or bad on its own. If entries
//! refer to each other, or somebody corrects an item in the meantime, responses may contradict each other. The result
//! then depends on the last of them.

use std::ops::Range;

/// The search for the bad entries of one batch. Its first group is the whole batch.
///
/// Each response about [`group`](Self::group) is passed to [`accepted`](Self::accepted) or [`refused`](Self::refused).
/// A group whose request failed otherwise can be resent. Every position is resolved once, and every response makes
/// progress, so the search ends whatever the service responds.
#[derive(Clone, Debug)]
pub(crate) struct Isolation {
    /// All positions: the resolved ones, then the others.
    row: Vec<usize>,
    resolved: usize,
    /// The number of positions after the resolved ones of which at least one is bad; 0 if that is not known.
    suspects: usize,
    /// The number of consecutive requests with the suspects that were refused.
    refusals: u32,
    /// Whether an error has named entries, and was not wrong so far.
    is_named: bool,
    /// The part of the row to send next; empty at the end.
    group: Range<usize>,
    /// Unresolved positions that an error named.
    named: Vec<usize>,
    /// How often everything except the named entries may still be sent. If the service names one bad entry at a time,
    /// each costs two requests, which pays off only while they are few.
    patience: usize,
    odds: Odds,
}

/// The positions that a response has resolved, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The entries of an accepted group.
    pub(crate) good: Vec<usize>,
    /// It was refused alone, or in a group whose other entries were all accepted.
    pub(crate) bad: Option<usize>,
}

impl Isolation {
    /// Creates a search in a batch of `len` entries that was not sent yet. Its first group is the whole batch, unless
    /// that is unlikely to be accepted.
    pub(crate) fn new(len: usize, odds: Odds) -> Self {
        /// The probability of acceptance below which a batch is split before it is sent.
        const MIN_CHANCE: f64 = 0.05;
        let is_hopeless = odds
            .all_good()
            .take(len)
            .last()
            .is_some_and(|chance| chance < MIN_CHANCE);
        let mut isolation = Self {
            row: (0..len).collect(),
            resolved: 0,
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

    /// Returns the odds for the next batch.
    pub(crate) fn odds(&self) -> Odds {
        self.odds.faded()
    }

    /// Makes a single entry the next group. `number` counts such groups, and each selects an entry at another place, so
    /// that bad neighbours do not look like a bad batch.
    pub(crate) fn ask_alone(&mut self, number: usize) {
        /// The golden ratio in 1/1024. Its multiples are far from each other.
        const STEP: usize = 633;
        let unresolved = self.row.len() - self.resolved;
        let part = (number + 1).wrapping_mul(STEP) % 1024;
        let place = self.resolved + unresolved * part / 1024;
        self.group = place..(place + 1).min(self.row.len());
    }

    /// Returns the positions to send next, or `None` if all are resolved.
    pub(crate) fn group(&self) -> Option<&[usize]> {
        self.row
            .get(self.group.clone())
            .filter(|group| !group.is_empty())
    }

    /// Resolves the group as accepted. If one entry of a refused group is left now, it is bad. It is sent alone instead
    /// if `infer` is `false`, or if it was in a single refused request, which may have been refused for a passing
    /// reason.
    pub(crate) fn accepted(&mut self, infer: bool) -> Resolved {
        let group = self.group.clone();
        let refuted = group.len() == 1 && self.is_named(group.start);
        let good = self.resolve(group, false);
        if refuted {
            self.named.clear();
            self.is_named = false;
            self.patience = 0;
        }
        let bad = if self.suspects == 1 && infer && (self.refusals > 1 || self.is_named) {
            self.resolve(self.resolved..self.resolved + 1, true).pop()
        } else {
            None
        };
        self.choose();
        Resolved { good, bad }
    }

    /// Resolves the group as refused, with an error that names these positions. Positions outside of the group are
    /// ignored.
    pub(crate) fn refused(&mut self, named: &[usize]) -> Resolved {
        let group = self.group.clone();
        let mut resolved = Resolved::default();
        if group.len() == 1 {
            resolved.bad = self.resolve(group, true).pop();
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
                // A service that names an entry has examined it.
                self.is_named |= self.named.len() > before;
            }
        }
        self.choose();
        resolved
    }

    /// Returns the unresolved positions in ascending order.
    #[cfg(test)]
    pub(crate) fn into_unresolved(mut self) -> Vec<usize> {
        let mut rest = self.row.split_off(self.resolved);
        rest.sort_unstable();
        rest
    }

    /// Moves a part of the row to the resolved positions.
    fn resolve(&mut self, part: Range<usize>, bad: bool) -> Vec<usize> {
        if part.start == self.resolved {
            for _ in part.clone() {
                self.odds.learn(bad);
            }
        }
        if part.start < self.resolved + self.suspects {
            self.suspects = if bad { 0 } else { self.suspects - part.len() };
        }
        let positions = self.row.get(part.clone()).unwrap_or_default().to_vec();
        if let Some(moved) = self.row.get_mut(self.resolved..part.end) {
            moved.rotate_right(part.len());
        }
        self.resolved += part.len();
        self.named.retain(|position| !positions.contains(position));
        positions
    }

    fn choose(&mut self) {
        let suspects = self.resolved..self.resolved + self.suspects;
        let unresolved = self.resolved..self.row.len();
        self.group = if self.suspects == 1 {
            suspects
        } else if self.named.is_empty() {
            self.sort();
            let len = self.odds.even_group(suspects.len(), unresolved.len());
            self.resolved..self.resolved + len
        } else if let Some(alone) = self.named_alone(&suspects, unresolved) {
            alone..alone + 1
        } else {
            self.patience = self.patience.saturating_sub(1);
            if let Some(part) = self.row.get_mut(suspects.clone()) {
                part.sort_by_key(|position| self.named.contains(position));
            }
            suspects.start..suspects.end - self.named.len()
        };
    }

    /// Returns the place of a named position to send alone, because no suspect could be sent without it.
    fn named_alone(&self, suspects: &Range<usize>, unresolved: Range<usize>) -> Option<usize> {
        let outside = suspects.end..unresolved.end;
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

    /// Restores the order that named positions have changed.
    fn sort(&mut self) {
        let (_, unresolved) = self.row.split_at_mut(self.resolved);
        let (suspects, others) = unresolved.split_at_mut(self.suspects);
        suspects.sort_unstable();
        others.sort_unstable();
    }
}

/// The probability that the next entries of the row are good.
///
/// It mixes two models. The weight of each is the probability that it gave to what was observed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    models: [Model; 2],
    after_bad: bool,
}

/// A model of how entries are bad: its weight, and its counts on top of initial values.
#[derive(Clone, Copy, Debug)]
struct Model {
    weight: f64,
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
    /// The approximate number of entries in the counts. Older ones fade, so that the odds follow a change of the input.
    const MEMORY: f64 = 500.0;

    /// Returns the odds with older counts faded.
    fn faded(mut self) -> Self {
        /// The minimum weight, so that each model can recover.
        const MIN_WEIGHT: f64 = 0.01;
        for model in &mut self.models {
            model.weight = model.weight.clamp(MIN_WEIGHT, 1.0 - MIN_WEIGHT);
            for counts in [&mut model.after_good, &mut model.after_bad] {
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

    /// The initial odds: few entries are bad, more often next to a bad one; in one of a hundred batches, half are bad.
    /// The numbers were chosen by simulation. None is critical: half or twice as much changes a mean by one request.
    const PRIOR: Self = Self {
        models: [
            Model {
                weight: 0.99,
                after_good: Counts {
                    good: 100.0,
                    bad: 0.5,
                },
                after_bad: Counts {
                    good: 1.0,
                    bad: 0.25,
                },
            },
            Model {
                weight: 0.01,
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

    /// Adds the next entry, and returns the probability that it was predicted with.
    fn learn(&mut self, bad: bool) -> f64 {
        let mut likely = 0.0;
        for model in &mut self.models {
            let counts = if self.after_bad {
                &mut model.after_bad
            } else {
                &mut model.after_good
            };
            let all = counts.good + counts.bad;
            let count = if bad {
                &mut counts.bad
            } else {
                &mut counts.good
            };
            model.weight *= *count / all;
            *count += 1.0;
            likely += model.weight;
        }
        for model in &mut self.models {
            model.weight /= likely;
        }
        self.after_bad = bad;
        likely
    }

    /// Returns the probabilities that the next one, two, three and so on are all good.
    fn all_good(mut self) -> impl Iterator<Item = f64> {
        std::iter::repeat_with(move || self.learn(false)).scan(1.0, |all, next| {
            *all *= next;
            Some(*all)
        })
    }

    /// Returns the group length at which the probability of acceptance is closest to one half. It is less than the
    /// number of suspects, if there are any.
    fn even_group(&self, suspects: usize, unresolved: usize) -> usize {
        // At least one suspect is bad, so each probability is conditional on that.
        let (longest, impossible) = match suspects.checked_sub(1) {
            None => (unresolved, 0.0),
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
