//! The failed attempts of a call.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::ErrorKind;

/// A failed attempt of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// The category of the failure.
    pub kind: ErrorKind,
    /// The status of the response, or `None` without a response.
    pub status: Option<StatusCode>,
    /// Whether the service may have acted on this attempt.
    pub may_have_acted: bool,
    /// The wait after the attempt, before the call queued at the rate limiter again. `None` after the last attempt.
    pub waited: Option<Duration>,
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.kind)?;
        if let Some(status) = self.status {
            write!(formatter, " (status {})", status.as_u16())?;
        }
        if self.may_have_acted {
            formatter.write_str(", the service may have acted")?;
        }
        match self.waited {
            Some(waited) => write!(formatter, ", waited {waited:.1?}"),
            None => Ok(()),
        }
    }
}

/// The attempts of a call so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    pub(crate) count: u32,
    pub(crate) failed: Vec<FailedAttempt>,
    pub(crate) may_have_acted: bool,
}

impl Attempts {
    /// How many attempts are kept, the last ones. All are counted.
    const KEPT: usize = 32;

    pub(crate) fn push(&mut self, attempt: FailedAttempt) {
        self.may_have_acted |= attempt.may_have_acted;
        if self.failed.len() == Self::KEPT {
            self.failed.remove(0);
        }
        self.failed.push(attempt);
    }

    /// Inserts the attempts of earlier requests before these.
    pub(super) fn prepend(&mut self, earlier: &[FailedAttempt], may_have_acted: bool) {
        let more = u32::try_from(earlier.len()).unwrap_or(u32::MAX);
        self.count = self.count.saturating_add(more);
        self.may_have_acted |=
            may_have_acted || earlier.iter().any(|attempt| attempt.may_have_acted);
        self.failed.splice(0..0, earlier.iter().cloned());
        let surplus = self.failed.len().saturating_sub(Self::KEPT);
        self.failed.drain(..surplus);
    }
}
