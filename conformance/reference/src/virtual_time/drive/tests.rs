//! Properties of a virtual time without a network.

use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{join_all, select};
use tokio::sync::Notify;

use super::super::{Counts, VirtualTime};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn every_wait_ends_at_its_exact_instant_and_takes_no_real_time() {
    let time = VirtualTime::new();
    let start = Instant::now();
    let day = time.now();
    time.run(async {
        for number in 0..1_000_u32 {
            let wait = Duration::new(7, number);
            let before = time.elapsed();
            time.pause(wait).await;
            assert_eq!(time.elapsed(), before + wait);
        }
    })
    .await;
    assert_eq!(time.elapsed(), Duration::new(7_000, 499_500));
    assert_eq!(time.now(), day + time.elapsed());
    assert!(start.elapsed() < seconds(20), "{:?}", start.elapsed());
    assert_eq!(time.counts(), Counts::default());
}

#[tokio::test]
async fn timers_fire_by_instant_and_then_by_creation() {
    let time = VirtualTime::new();
    let order = RefCell::new(Vec::new());
    let wait = |name, at| {
        let (sleep, order) = (time.sleep(seconds(at)), &order);
        async move {
            sleep.await;
            order.borrow_mut().push(name);
        }
    };
    // Polled in another order than created.
    let (a, b, c, d) = (wait('a', 2), wait('b', 1), wait('c', 2), wait('d', 1));
    time.run(async { tokio::join!(c, a, d, b) }).await;
    assert_eq!(*order.borrow(), ['b', 'd', 'a', 'c']);
}

#[tokio::test]
async fn what_follows_from_a_timer_comes_before_the_next_one_of_the_same_instant() {
    let time = VirtualTime::new();
    let (order, woken) = (RefCell::new(Vec::new()), Notify::new());
    time.run(async {
        tokio::join!(
            async {
                time.pause(seconds(1)).await;
                woken.notify_one();
                order.borrow_mut().push("the first timer");
            },
            async {
                time.pause(seconds(1)).await;
                order.borrow_mut().push("the second timer");
            },
            async {
                woken.notified().await;
                for _ in 0..2 {
                    tokio::task::yield_now().await;
                }
                order.borrow_mut().push("what follows");
            }
        );
    })
    .await;
    assert_eq!(
        *order.borrow(),
        ["the first timer", "what follows", "the second timer"]
    );
}

#[tokio::test]
async fn a_caller_that_is_at_work_stops_time() {
    let time = VirtualTime::new();
    let work = time.caller(async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        time.elapsed()
    });
    let (at, ()) = time
        .run(async { tokio::join!(work, time.pause(seconds(5))) })
        .await;
    assert_eq!(at, Duration::ZERO);
    assert_eq!(time.elapsed(), seconds(5));
}

#[tokio::test]
async fn an_attempt_that_no_server_holds_stops_time() {
    let time = VirtualTime::new();
    let attempt = time.caller(async {
        let _attempt = time.attempt();
        tokio::time::sleep(Duration::from_millis(30)).await;
        time.elapsed()
    });
    let (at, ()) = time
        .run(async { tokio::join!(attempt, time.pause(seconds(5))) })
        .await;
    assert_eq!(at, Duration::ZERO);
}

#[tokio::test]
async fn calls_and_pauses_within_a_call_are_part_of_it() {
    let time = VirtualTime::new();
    let inner = async {
        time.pause(seconds(1)).await;
        time.counts()
    };
    let counts = time.run(time.caller(time.caller(inner))).await;
    assert_eq!(counts.callers, 1);
    assert_eq!(time.counts(), Counts::default());
}

#[tokio::test]
async fn a_call_counts_from_its_first_poll() {
    let time = VirtualTime::new();
    let later = time.caller(ready(()));
    time.run(time.pause(seconds(1))).await;
    later.await;
    assert_eq!(time.counts(), Counts::default());
}

#[tokio::test]
async fn a_thousand_tasks_sleep_side_by_side() {
    let time = VirtualTime::new();
    let sleeper = |number: u64| {
        let time = time.clone();
        async move {
            for round in 1..=3 {
                time.pause(seconds(number % 10 + round)).await;
            }
            time.elapsed().as_secs() == 3 * (number % 10) + 6
        }
    };
    let exact = time
        .run(async {
            let tasks = (0..1_000).map(|number| tokio::spawn(sleeper(number)));
            join_all(tasks).await
        })
        .await;
    assert!(exact.into_iter().all(|exact| exact.unwrap()));
    assert_eq!(time.counts(), Counts::default());
}

#[tokio::test]
async fn dropped_sleepers_and_callers_leave_nothing_behind() {
    let time = VirtualTime::new();
    time.run(async {
        let mut never_polled = time.sleep(seconds(1));
        drop(time.pause(seconds(1)));
        let mut waiting = Box::pin(time.caller(time.pause(seconds(100))));
        assert!(waiting.as_mut().now_or_never().is_none());
        time.pause(seconds(2)).await;
        assert_eq!(time.counts().callers, 1);
        drop(waiting);
        assert!(
            (&mut never_polled).now_or_never().is_some(),
            "its instant has passed"
        );
        let fired = time.sleep(seconds(1));
        time.pause(seconds(1)).await;
        assert_eq!(time.counts().fired, 1);
        drop(fired);
    })
    .await;
    assert_eq!(
        (time.elapsed(), time.counts()),
        (seconds(3), Counts::default())
    );
}

#[tokio::test]
async fn a_woken_owner_that_does_not_look_does_not_stop_time_for_ever() {
    let time = VirtualTime::new();
    time.run(async {
        let mut deadline = time.sleep(seconds(1));
        let look = |context: &mut Context<'_>| Poll::Ready(deadline.poll_unpin(context));
        assert!(poll_fn(look).await.is_pending());
        time.pause(seconds(9)).await;
        deadline.await;
    })
    .await;
    assert_eq!(time.elapsed(), seconds(9));
}

#[tokio::test]
async fn time_waits_for_a_woken_owner_that_takes_a_while_to_look() {
    let time = VirtualTime::new();
    let mut sleep = time.sleep(seconds(1));
    let mut looks = 0;
    let clock = time.clone();
    let slow = async move {
        poll_fn(|context| {
            looks += 1;
            match looks % 600 {
                1 => sleep.poll_unpin(context),
                _ => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        })
        .await;
        clock.elapsed()
    };
    let slow = tokio::spawn(slow);
    let sooner = time.sleep(seconds(2));
    let (at, ()) = time.run(async { tokio::join!(slow, sooner) }).await;
    assert_eq!(at.unwrap(), seconds(1));
}

#[tokio::test]
async fn an_abandoned_request_is_not_taken_for_one_that_has_yet_to_arrive() {
    let time = VirtualTime::new();
    let server: Arc<dyn crate::Time> = Arc::new(time.clone());
    let given_up = (server.arrived(), server.held());
    drop(time.attempt());
    let slow = time.caller(async {
        let _attempt = time.attempt();
        for _ in 0..30 {
            tokio::task::yield_now().await;
        }
        drop(given_up);
        let _arrived = (server.arrived(), server.held());
        let at = time.elapsed();
        time.sleep(seconds(3)).await;
        at
    });
    let pause = time.pause(seconds(1));
    let (at, ()) = time.run(async { tokio::join!(slow, pause) }).await;
    assert_eq!((at, time.elapsed()), (Duration::ZERO, seconds(3)));
}

#[tokio::test]
async fn no_time_is_ready_at_once_and_the_longest_never() {
    let time = VirtualTime::new();
    assert!(time.sleep(Duration::ZERO).now_or_never().is_some());
    time.run(time.pause(seconds(1))).await;
    let never = time.sleep(Duration::MAX);
    let pause = pin!(time.pause(seconds(1_000_000)));
    time.run(select(never, pause)).await;
    assert_eq!(time.elapsed(), seconds(1_000_001));
}

#[tokio::test]
async fn a_stall_is_reported_with_the_counts_instead_of_a_hang() {
    let time = VirtualTime::new();
    let stuck = async {
        let _timer = time.sleep(seconds(5));
        time.caller(pending::<()>()).await;
    };
    let stalled = time.run_with(stuck, Duration::from_millis(50)).await;
    let reported = stalled.unwrap_err().to_string();
    let expected =
        "virtual time stands still at 0ns: the next timer is for 5s; Counts { callers: 1,";
    assert!(reported.starts_with(expected), "{reported}");
    assert_eq!(time.counts(), Counts::default());

    let nobody = time
        .run_with(pending::<()>(), Duration::from_millis(50))
        .await;
    let reported = nobody.unwrap_err().to_string();
    assert!(reported.contains("there is no timer"), "{reported}");
}

#[tokio::test]
async fn a_lost_attempt_does_not_stop_time_for_ever() {
    let time = VirtualTime::new();
    let server: Arc<dyn crate::Time> = Arc::new(time.clone());
    drop(time.attempt());
    time.run(time.caller(async {
        let (_attempt, _arrived, _held) = (time.attempt(), server.arrived(), server.held());
        time.sleep(seconds(1)).await;
    }))
    .await;
    assert_eq!(time.elapsed(), seconds(1));
}

#[test]
#[should_panic = "virtual time passes on a current-thread runtime"]
fn several_threads_are_refused() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(VirtualTime::new().run(ready(())));
}
