//! The settings of a run and the values that derive from them.

use std::path::PathBuf;
use std::time::Duration;

use super::core::machine::Rules;
use super::core::plan::Limits;
use super::journal::{Parameters, Resend};
use crate::client::{Client, UpdateRequest};
use crate::error::{Error, InvalidInput};
use crate::id::CollectionId;
use crate::model::Batch;
use crate::retry::RetryPolicy;

/// The settings of [`Bulk`](super::Bulk), which documents each.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) skip_invalid_files: Option<bool>,
    pub(crate) concurrency: usize,
    pub(crate) max_batch_bytes: usize,
    pub(crate) assume_atomic: bool,
    pub(crate) max_consecutive_failures: u32,
    pub(crate) continue_after_unknown: bool,
    pub(crate) continue_after_source_error: bool,
    pub(crate) resend_unknown: bool,
    pub(crate) resend_rejected: bool,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) expected_items: Option<u64>,
    pub(crate) isolation_limit: u32,
    pub(crate) linger: Duration,
    pub(crate) accept_other_input: bool,
    pub(super) journal: Option<PathBuf>,
    pub(super) fsync: bool,
}

impl Settings {
    pub(crate) fn resend(&self) -> Resend {
        Resend {
            unknown: self.resend_unknown,
            rejected: self.resend_rejected,
        }
    }
}

/// A client, a collection and settings: all that a run needs except its source.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) client: Client,
    pub(crate) collection: CollectionId,
    pub(crate) settings: Settings,
}

impl Job {
    pub(crate) fn new(client: Client, collection: CollectionId) -> Self {
        Self {
            client,
            collection,
            settings: Settings {
                skip_invalid_files: None,
                concurrency: 4,
                max_batch_bytes: 4 * 1024 * 1024,
                assume_atomic: true,
                max_consecutive_failures: 3,
                continue_after_unknown: false,
                continue_after_source_error: false,
                resend_unknown: false,
                resend_rejected: false,
                retry: None,
                timeout: None,
                expected_items: None,
                isolation_limit: 20,
                linger: Duration::from_secs(5),
                accept_other_input: false,
                journal: None,
                fsync: false,
            },
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let Settings {
            continue_after_unknown,
            resend_unknown,
            ..
        } = &self.settings;
        if *continue_after_unknown && *resend_unknown {
            return Err(InvalidInput::Bulk {
                reason: "resend_unknown and continue_after_unknown conflict: \
                         an unknown update would be sent after later ones of the same item, and overwrite them",
            }
            .into());
        }
        if self
            .settings
            .timeout
            .is_some_and(|timeout| timeout.is_zero())
        {
            return Err(InvalidInput::ZeroTimeout.into());
        }
        Ok(())
    }

    pub(super) fn parameters(&self) -> Parameters {
        Parameters {
            collection: self.collection,
            skip_invalid_files: self.settings.skip_invalid_files,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            items: Batch::MAX_ITEMS,
            bytes: self.settings.max_batch_bytes,
        }
    }

    /// Returns the settings that the decisions of a run depend on.
    pub(super) fn rules(&self) -> Rules {
        let settings = &self.settings;
        Rules {
            limits: self.limits(),
            concurrency: settings.concurrency,
            assume_atomic: settings.assume_atomic,
            max_consecutive_failures: settings.max_consecutive_failures,
            continue_after_unknown: settings.continue_after_unknown,
            continue_after_source_error: settings.continue_after_source_error,
            resend_unknown: settings.resend_unknown,
            resend_rejected: settings.resend_rejected,
            isolation_limit: settings.isolation_limit,
            linger: settings.linger,
        }
    }

    /// Creates the request of a batch, with the settings of the run.
    pub(super) fn request(&self, batch: Batch) -> UpdateRequest {
        let retry = match &self.settings.retry {
            Some(policy) => policy.clone(),
            None => self.client.transport().parts().options.retry.patient(),
        };
        let mut request = self.client.update(self.collection, batch).retry(retry);
        if let Some(skip) = self.settings.skip_invalid_files {
            request = request.skip_invalid_files(skip);
        }
        if let Some(timeout) = self.settings.timeout {
            request = request.attempt_timeout(timeout);
        }
        request
    }
}
