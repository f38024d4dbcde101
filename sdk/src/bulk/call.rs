//! A request in flight, including its retries.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use crate::bulk::control::Control;
use crate::bulk::core::machine::{self, Event};
use crate::bulk::journal::Writer;
use crate::bulk::settings::Job;
use crate::bulk::write_ahead::WriteAhead;
use crate::error::Error;
use crate::response::UpdateResponse;

/// A call that completes with an event for the machine: at its end, or, after the run was cancelled, as soon as no
/// attempt is in flight.
pub(super) struct Call {
    group: u64,
    call: BoxFuture<'static, Result<UpdateResponse, Error>>,
    attempts: Arc<WriteAhead>,
    control: Arc<Control>,
    is_abandoned: bool,
}

impl Call {
    pub(super) fn new(
        request: machine::Request,
        job: &Job,
        writer: &Writer,
        control: &Arc<Control>,
    ) -> Self {
        let (writer, control) = (writer.clone(), control.clone());
        let assume_atomic = job.settings.assume_atomic;
        let attempts = WriteAhead::new(writer, control.clone(), request.indices, assume_atomic);
        let attempts = Arc::new(attempts);
        let call = job.request(request.batch).watched(attempts.clone());
        Self {
            group: request.group,
            call: Box::pin(call.send()),
            attempts,
            control,
            is_abandoned: false,
        }
    }

    /// Makes the call complete without a response, because it belongs to another runtime.
    pub(super) fn abandon(&mut self) {
        self.is_abandoned = true;
    }

    fn is_aborted(&self) -> bool {
        let may_wait = self.control.is_cancelled() && !self.attempts.is_under_way();
        self.is_abandoned || may_wait
    }
}

impl Future for Call {
    type Output = Event;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Event> {
        let group = self.group;
        if !self.is_aborted()
            && let Poll::Ready(result) = self.call.as_mut().poll(context)
        {
            let result = Box::new(result);
            return Poll::Ready(Event::Response { group, result });
        }
        if !self.is_aborted() {
            return Poll::Pending;
        }
        let may_have_acted = self.attempts.may_have_acted();
        Poll::Ready(Event::Aborted {
            group,
            may_have_acted,
        })
    }
}
