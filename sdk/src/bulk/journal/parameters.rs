//! What a journal records of a run and of an item.

use super::fingerprint::Fingerprint;
use crate::bulk::core::reason::Reason;
use crate::bulk::core::status::ItemStatus;
use crate::error::JournalErrorKind;
use crate::id::CollectionId;

/// The parameters of a run by which its journal is known again: what an item comes to depends on them.
///
/// The token and the base URL are not among them. The first is a secret, and the second may change between two runs
/// without a change of what is updated, as when a proxy is put in between.
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

/// An update and its place in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    /// The place, counted from 0.
    pub(crate) index: u64,
    pub(crate) fingerprint: Fingerprint,
    /// How many updates of the same item and locale stand before it that earlier runs have settled.
    pub(crate) after: u32,
    /// Whether it is unknown what came of it in an earlier run.
    pub(crate) was_unknown: bool,
}

/// The settlement of an update that was sent. One that was not attempted is not recorded: a resumed run attempts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Updated,
    Rejected(Reason),
    Unknown(Reason),
}

impl Settled {
    /// The record of a settlement, if it has one.
    pub(crate) fn of(status: &ItemStatus) -> Option<Self> {
        match status {
            ItemStatus::Updated(_) => Some(Self::Updated),
            ItemStatus::Rejected(error) => Some(Self::Rejected(Reason::of(error))),
            ItemStatus::Unknown(why) => Some(Self::Unknown(why.reason())),
            ItemStatus::AlreadyUpdated
            | ItemStatus::RejectedBefore(_)
            | ItemStatus::NotAttempted(_) => None,
        }
    }
}
