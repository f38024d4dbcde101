//! The system clock under a paused tokio clock.

use std::time::Duration;

use tokio::runtime::Builder;
use webflow_cms::time::{Clock as _, SystemClock};

#[test]
fn the_clock_advances_after_another_runtime_has_advanced_its_time() {
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
