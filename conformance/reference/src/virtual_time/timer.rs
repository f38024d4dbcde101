//! A future that is ready at an instant of virtual time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::state::Shared;

pub(super) struct Timer {
    shared: Arc<Shared>,
    wait: Wait,
}

enum Wait {
    Over,
    Until { at: Duration, timer: u64 },
    ForEver,
}

impl Timer {
    pub(super) fn new(shared: Arc<Shared>, duration: Duration) -> Self {
        let wait = shared.change(|state| match state.now.checked_add(duration) {
            None => Wait::ForEver,
            Some(_) if duration.is_zero() => Wait::Over,
            Some(at) => Wait::Until {
                at,
                timer: state.add_timer(at),
            },
        });
        Self { shared, wait }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let ready = match self.wait {
            Wait::Over => return Poll::Ready(()),
            Wait::ForEver => return Poll::Pending,
            Wait::Until { at, timer } => self.shared.poll_timer(at, timer, context),
        };
        if ready.is_ready() {
            self.wait = Wait::Over;
        }
        ready
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Wait::Until { at, timer } = self.wait {
            drop(self.shared.change(|state| state.remove_timer(at, timer)));
        }
    }
}
