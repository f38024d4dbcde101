//! How many requests may be sent again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a success gives back: ten of them pay for one request sent again.
const SUCCESSES_A_RETRY: u64 = 10;

/// Keeps a client from multiplying the load of a service that is failing: a limited number of requests can be sent
/// again, and each ten successes earn one more. Clones share it, and so do the clones of a client.
///
/// A request that was answered with 429 is sent again without drawing on it, since the pace limits those already.
#[derive(Clone)]
pub struct RetryBudget(Option<Arc<Balance>>);

struct Balance {
    /// In tenths of a retry.
    tenths: AtomicU64,
    most: u64,
}

impl RetryBudget {
    /// A budget that begins with this many requests to send again, and never holds more. A client has one of 100
    /// unless told otherwise.
    #[must_use]
    pub fn new(retries: u32) -> Self {
        let most = u64::from(retries).saturating_mul(SUCCESSES_A_RETRY);
        Self(Some(Arc::new(Balance {
            tenths: AtomicU64::new(most),
            most,
        })))
    }

    /// A budget without a bound.
    #[must_use]
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// How many requests can be sent again as it stands, or none if there is no bound.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        let balance = self.0.as_deref()?;
        Some(balance.tenths.load(Ordering::Relaxed) / SUCCESSES_A_RETRY)
    }

    /// Draws one, unless it is spent.
    pub(crate) fn draw(&self) -> Option<Draw<'_>> {
        if let Some(balance) = self.0.as_deref() {
            balance
                .tenths
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tenths| {
                    tenths.checked_sub(SUCCESSES_A_RETRY)
                })
                .ok()?;
        }
        Some(Draw { budget: self })
    }

    pub(crate) fn succeeded(&self) {
        self.give(1);
    }

    fn give(&self, tenths: u64) {
        if let Some(balance) = self.0.as_deref() {
            let add = |now: u64| Some(now.saturating_add(tenths).min(balance.most));
            // It is only ever refused if `add` says no, which it never does.
            let _ = balance
                .tenths
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
    }
}

impl Default for RetryBudget {
    /// A budget of 100.
    fn default() -> Self {
        Self::new(100)
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RetryBudget")
            .field("left", &self.left())
            .finish()
    }
}

/// Drawn from the budget, and given back if the request is not sent after all.
#[must_use]
pub(crate) struct Draw<'a> {
    budget: &'a RetryBudget,
}

impl Draw<'_> {
    pub(crate) fn spend(self) {
        std::mem::forget(self);
    }
}

impl Drop for Draw<'_> {
    fn drop(&mut self) {
        self.budget.give(SUCCESSES_A_RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_grants_what_it_holds_and_no_more() {
        let budget = RetryBudget::new(2);
        let shared = budget.clone();
        budget.draw().expect("the first").spend();
        shared.draw().expect("the second").spend();
        assert!(budget.draw().is_none());
    }

    #[test]
    fn what_is_drawn_and_not_spent_comes_back() {
        let budget = RetryBudget::new(1);
        drop(budget.draw().expect("it holds one"));
        assert_eq!(budget.left(), Some(1));
    }

    #[test]
    fn ten_successes_earn_one_and_the_bound_stays() {
        let budget = RetryBudget::new(1);
        budget.draw().expect("it holds one").spend();
        (0..9).for_each(|_| budget.succeeded());
        assert!(budget.draw().is_none());
        budget.succeeded();
        assert_eq!(budget.left(), Some(1));
        (0..100).for_each(|_| budget.succeeded());
        assert_eq!(budget.left(), Some(1));
    }

    #[test]
    fn no_bound_is_no_bound() {
        let budget = RetryBudget::unlimited();
        (0..10_000).for_each(|_| budget.draw().expect("always").spend());
        assert_eq!(budget.left(), None);
    }
}
