//! The retry budget of a client.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many successful requests earn one retry.
const SUCCESSES_PER_RETRY: u64 = 10;

/// Limits the retries of a client, so that it does not multiply the load of a failing service.
///
/// The budget is a token bucket: it starts full, each retry takes one token, and every ten successful requests add one.
/// A retry after a 429 is free, since the [`RateLimiter`](crate::RateLimiter) limits those.
///
/// Clones share the budget, and so do the clones of a client.
#[derive(Clone)]
pub struct RetryBudget(Option<Arc<Balance>>);

struct Balance {
    /// In tenths of a retry.
    tenths: AtomicU64,
    max: u64,
}

impl RetryBudget {
    /// Creates a budget that starts with this number of retries, which is also its maximum. Default of a client: 100.
    #[must_use]
    pub fn new(retries: u32) -> Self {
        let max = u64::from(retries).saturating_mul(SUCCESSES_PER_RETRY);
        Self(Some(Arc::new(Balance {
            tenths: AtomicU64::new(max),
            max,
        })))
    }

    /// Creates a budget without a limit.
    #[must_use]
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// Returns the number of retries that are left, or `None` without a limit.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        let balance = self.0.as_deref()?;
        Some(balance.tenths.load(Ordering::Relaxed) / SUCCESSES_PER_RETRY)
    }

    /// Takes one retry, unless the budget is exhausted.
    pub(crate) fn acquire(&self) -> Option<RetryPermit<'_>> {
        if let Some(balance) = self.0.as_deref() {
            balance
                .tenths
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tenths| {
                    tenths.checked_sub(SUCCESSES_PER_RETRY)
                })
                .ok()?;
        }
        Some(RetryPermit { budget: self })
    }

    pub(crate) fn succeeded(&self) {
        self.add(1);
    }

    fn add(&self, tenths: u64) {
        if let Some(balance) = self.0.as_deref() {
            let add = |now: u64| Some(now.saturating_add(tenths).min(balance.max));
            // It fails only if `add` returns `None`.
            let _ = balance
                .tenths
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
    }
}

impl Default for RetryBudget {
    /// Creates a budget of 100 retries.
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

/// One retry, which returns to the budget when dropped.
#[must_use]
pub(crate) struct RetryPermit<'a> {
    budget: &'a RetryBudget,
}

impl RetryPermit<'_> {
    pub(crate) fn consume(self) {
        std::mem::forget(self);
    }
}

impl Drop for RetryPermit<'_> {
    fn drop(&mut self) {
        self.budget.add(SUCCESSES_PER_RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_grants_its_retries_and_no_more() {
        let budget = RetryBudget::new(2);
        let shared = budget.clone();
        budget.acquire().expect("the first").consume();
        shared.acquire().expect("the second").consume();
        assert!(budget.acquire().is_none());
    }

    #[test]
    fn a_dropped_permit_returns_to_the_budget() {
        let budget = RetryBudget::new(1);
        drop(budget.acquire().expect("one is left"));
        assert_eq!(budget.left(), Some(1));
    }

    #[test]
    fn ten_successes_earn_one_retry_up_to_the_maximum() {
        let budget = RetryBudget::new(1);
        budget.acquire().expect("one is left").consume();
        (0..9).for_each(|_| budget.succeeded());
        assert!(budget.acquire().is_none());
        budget.succeeded();
        assert_eq!(budget.left(), Some(1));
        (0..100).for_each(|_| budget.succeeded());
        assert_eq!(budget.left(), Some(1));
    }

    #[test]
    fn an_unlimited_budget_is_never_exhausted() {
        let budget = RetryBudget::unlimited();
        (0..10_000).for_each(|_| budget.acquire().expect("always").consume());
        assert_eq!(budget.left(), None);
    }
}
