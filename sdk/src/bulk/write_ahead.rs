//! The hooks of a call that write the journal ahead of the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;

use super::control::Control;
use super::core::classify;
use super::journal::Writer;
use crate::http::attempts::Watch;
use crate::retry::Failed;

/// Records each attempt of a call before it is sent, and reverts the record if the attempt changed nothing.
#[derive(Debug)]
pub(crate) struct WriteAhead {
    writer: Writer,
    control: Arc<Control>,
    /// The positions in the source of the items in the request.
    indices: Vec<u64>,
    assume_atomic: bool,
    is_under_way: AtomicBool,
    has_acted: AtomicBool,
}

impl WriteAhead {
    pub(crate) fn new(
        writer: Writer,
        control: Arc<Control>,
        indices: Vec<u64>,
        assume_atomic: bool,
    ) -> Self {
        Self {
            writer,
            control,
            indices,
            assume_atomic,
            is_under_way: AtomicBool::new(false),
            has_acted: AtomicBool::new(false),
        }
    }

    /// Returns `true` while an attempt is in flight: from before its record is written until its result is recorded.
    pub(crate) fn is_under_way(&self) -> bool {
        self.is_under_way.load(Ordering::Relaxed)
    }

    /// Returns `true` if an attempt was sent that may have changed an item.
    pub(crate) fn may_have_acted(&self) -> bool {
        self.is_under_way() || self.has_acted.load(Ordering::Relaxed)
    }
}

impl Watch for WriteAhead {
    fn leaving(&self) -> BoxFuture<'_, bool> {
        Box::pin(async {
            if self.control.is_cancelled() {
                return false;
            }
            self.is_under_way.store(true, Ordering::Relaxed);
            let mut may_leave = self.writer.sent(&self.indices).await;
            if may_leave && self.control.is_cancelled() {
                self.writer.unsent(&self.indices).await;
                may_leave = false;
            }
            self.is_under_way.store(may_leave, Ordering::Relaxed);
            may_leave
        })
    }

    fn failed<'a>(&'a self, failed: &'a Failed) -> BoxFuture<'a, ()> {
        Box::pin(async {
            if classify::may_have_changed(failed, self.indices.len(), self.assume_atomic) {
                self.has_acted.store(true, Ordering::Relaxed);
            } else {
                self.writer.unsent(&self.indices).await;
            }
            self.is_under_way.store(false, Ordering::Relaxed);
        })
    }
}

#[cfg(test)]
mod tests;
