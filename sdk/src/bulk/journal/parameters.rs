//! The data that a journal records of a run and of an item.

use super::fingerprint::Fingerprint;
use crate::bulk::core::reason::Reason;
use crate::bulk::core::status::ItemStatus;
use crate::error::JournalErrorKind;
use crate::id::CollectionId;

/// The parameters that all runs of a journal must share, because the result of an item depends on them.
///
/// The token and the base URL are not among them. The token is a secret. The base URL may change without a change of
/// the items, for example with a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) collection: CollectionId,
    pub(crate) skip_invalid_files: Option<bool>,
}

impl Parameters {
    pub(crate) fn agree(&self, recorded: &Self) -> Result<(), JournalErrorKind> {
        if self.collection != recorded.collection {
            return Err(JournalErrorKind::OtherCollection {
                recorded: recorded.collection,
            });
        }
        if self.skip_invalid_files != recorded.skip_invalid_files {
            return Err(JournalErrorKind::OtherParameter {
                name: "skip_invalid_files",
                recorded: recorded.skip_invalid_files,
            });
        }
        Ok(())
    }
}

/// An update and its position in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    /// The position, counted from 0.
    pub(crate) index: u64,
    pub(crate) fingerprint: Fingerprint,
    /// The number of updates of the same item and locale before it that earlier runs have recorded.
    pub(crate) after: u32,
    /// Whether its result in an earlier run is unknown.
    pub(crate) was_unknown: bool,
}

/// The recorded status of an update. One that was not attempted is not recorded: a resumed run attempts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordedStatus {
    Updated,
    Rejected(Reason),
    Unknown(Reason),
}

impl RecordedStatus {
    /// Returns the record of a status, if it has one.
    pub(crate) fn of(status: &ItemStatus) -> Option<Self> {
        match status {
            ItemStatus::Updated(_) => Some(Self::Updated),
            ItemStatus::Rejected(error) => Some(Self::Rejected(Reason::from_error(error))),
            ItemStatus::Unknown(why) => Some(Self::Unknown(why.reason())),
            ItemStatus::AlreadyUpdated
            | ItemStatus::AlreadyRejected(_)
            | ItemStatus::NotAttempted(_) => None,
        }
    }
}
