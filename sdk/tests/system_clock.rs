//! The time of a client, where a test has its own idea of time.

use std::time::Duration;

use tokio::runtime::Builder;
use webflow_cms::time::{Clock as _, SystemClock};

#[test]
fn a_time_that_ran_ahead_in_one_runtime_does_not_stand_still_in_the_next() {
    let hour = Duration::from_secs(3_600);
    let ahead = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    ahead.expect("a runtime").block_on(async {
        #[expect(
            clippy::disallowed_methods,
            reason = "what is tried is time that others have moved"
        )]
        tokio::time::sleep(hour).await;
        // This is the first that anybody asks for the time.
        let before = SystemClock.elapsed();
        SystemClock.sleep(hour).await;
        assert!(SystemClock.elapsed() >= before + hour);
    });
    let next = Builder::new_current_thread().enable_time().build();
    next.expect("a runtime").block_on(async {
        let before = SystemClock.elapsed();
        SystemClock.sleep(Duration::from_millis(20)).await;
        assert!(SystemClock.elapsed() > before);
    });
}
