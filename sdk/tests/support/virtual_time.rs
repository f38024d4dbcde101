//! The virtual time of the reference server, as the clock and observer of a client.

use std::time::{Duration, SystemTime};

use webflow_cms::observe::{
    AttemptEnded, AttemptStarted, CallEnded, CallStarted, JournalWriteEnded, JournalWriteStarted,
    Observer, WaitEnded, WaitStarted,
};
use webflow_cms::time::{Clock, Sleep};
use webflow_cms_reference::VirtualTime;

/// A [`VirtualTime`] for [`ClientBuilder::clock`](webflow_cms::ClientBuilder::clock) and `observer`.
#[derive(Clone, Debug)]
pub(crate) struct SdkTime(pub(crate) VirtualTime);

impl Clock for SdkTime {
    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self.0.sleep(duration))
    }
}

impl Observer for SdkTime {
    fn call_started(&self, started: &CallStarted) {
        self.0.call_started(started.call.as_u64());
    }

    fn call_ended(&self, ended: &CallEnded) {
        self.0.call_ended(ended.call.as_u64());
    }

    fn attempt_started(&self, _: &AttemptStarted) {
        self.0.request_started();
    }

    fn attempt_ended(&self, _: &AttemptEnded) {
        self.0.request_ended();
    }

    fn wait_started(&self, _: &WaitStarted) {
        self.0.wait_started();
    }

    fn wait_ended(&self, _: &WaitEnded) {
        self.0.wait_ended();
    }

    fn journal_write_started(&self, _: &JournalWriteStarted) {
        self.0.work_started();
    }

    fn journal_write_ended(&self, _: &JournalWriteEnded) {
        self.0.work_ended();
    }
}
