//! Calls that are dropped.

use std::time::Duration;

use futures_util::future::{Either, select};
use proptest::prelude::*;
use webflow_cms_reference::{Fault, Reply};

use crate::client::{Options, RateLimiter};
use crate::rule::{Rule, property};
use crate::rules::fixture::edges::index;
use crate::rules::fixture::timed::{Fixture, SECOND, entry, fixture, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![cancellation()]
}

fn cancellation() -> Rule {
    const EDGES: [&str; 6] = [
        "connecting",
        "in the queue",
        "before the head",
        "in the body",
        "in a wait",
        "in the queue before another",
    ];
    Rule::new(
        "retries/cancellation",
        "a call that is dropped sends nothing more and delays no other call",
        "this suite: dropping a future is how Rust cancels",
        &EDGES,
        property(
            |case| (Just(index(case, 6)), 1..20_000_u64).boxed(),
            |(form, _)| vec![EDGES[*form]],
            |harness, (form, after)| {
                let after = Duration::from_millis(*after);
                let fixture = fixture(harness, |settings| {
                    settings.rate_limiter = if matches!(form, 1 | 5) {
                        RateLimiter::Fixed(1)
                    } else {
                        RateLimiter::Unlimited
                    };
                    settings.backoff = (60 * SECOND, 60 * SECOND);
                    settings.retry_budget = Some(3);
                })?;
                match form {
                    2 => fixture.world.faults([Fault::SilenceAfterActing]),
                    3 => fixture.world.faults([Fault::HeadOnly]),
                    4 => fixture.world.script([Reply::new(500)]),
                    _ => {}
                }
                if matches!(form, 1 | 5) {
                    fixture.call()?.0.updated()?;
                }
                if *form == 5 {
                    let behind = async {
                        futures_util::join!(drop_after(&fixture, after), fixture.update(1))
                    };
                    let (dropped, (outcome, at)) = fixture.run(behind)?;
                    dropped?;
                    outcome.updated()?;
                    fixture.sent(2)?;
                    return within("the next one's end", at, 60 * SECOND, 61 * SECOND);
                }
                let before = usize::from(*form != 0);
                dropped(&fixture, *form, after)?;
                if fixture.client.waiting() > 0
                    || fixture.client.retry_budget().is_some_and(|left| left != 3)
                {
                    return Err(format!(
                        "it left {} waiting and a budget of {:?}",
                        fixture.client.waiting(),
                        fixture.client.retry_budget()
                    ));
                }
                fixture.sent(before)?;
                let started = fixture.world.time().elapsed();
                let (outcome, at) = fixture.call()?;
                outcome.updated()?;
                let arrivals = fixture.sent(before + 1)?;
                // The rate limiter allows one request per minute.
                let most = if *form == 1 { 61 * SECOND } else { started };
                within("the next call", at, started, most)?;
                within("its request", arrivals[before], started, most)
            },
        ),
    )
}

/// Makes a call and drops it after some time, or after its first poll.
fn dropped(fixture: &Fixture<'_>, form: usize, after: Duration) -> Result<(), String> {
    if form == 0 {
        let call = fixture.client.update(entry(0), Options::default());
        return fixture.run(async {
            let polled = futures_util::poll!(call);
            match polled {
                std::task::Poll::Pending => Ok(()),
                std::task::Poll::Ready(_) => Err("it ended at once".to_owned()),
            }
        })?;
    }
    fixture.run(drop_after(fixture, after))?
}

async fn drop_after(fixture: &Fixture<'_>, after: Duration) -> Result<(), String> {
    let call = fixture.client.update(entry(0), Options::default());
    let pause = Box::pin(fixture.world.time().pause(after));
    match select(call, pause).await {
        Either::Left((outcome, _)) => Err(format!("it ended: {outcome:?}")),
        Either::Right(_) => Ok(()),
    }
}
