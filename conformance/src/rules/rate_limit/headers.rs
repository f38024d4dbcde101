//! Waits for the next window, and in headers other than `Retry-After`.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use webflow_cms_reference::{ModelResponse, Reply, Step};

use crate::client::{Random, RateLimiter};
use crate::rule::{Rule, edges_first, property};
use crate::rules::fixture::edges::index;
use crate::rules::fixture::timed::{NEARLY_UNLIMITED, SECOND, fixture, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![waits_for_the_next_window(), waits_in_other_headers()]
}

fn waits_for_the_next_window() -> Rule {
    const EDGES: [&str; 5] = [
        "a second is left",
        "half a window is left",
        "a whole window is left",
        "no request remains, by the headers",
        "no header",
    ];
    /// A client that waits sends no more requests than this in a window.
    const MOST: usize = 12;
    Rule::new(
        "rate-limit/waits-for-the-next-window",
        "a client with default settings outlasts an exhausted window of a minute, although the 429 asks for no wait, \
         in at most 12 requests",
        "this suite, beyond the reference: the window was observed to last 60 seconds from its first request",
        &EDGES,
        property(
            |case| {
                let left = edges_first(case, &[1_000, 30_000, 60_000], 1..60_000_u64);
                (left, Just(case % 2 == 0), any::<u64>()).boxed()
            },
            |(left, headers, _)| {
                let left = match left {
                    1_000 => Some(EDGES[0]),
                    30_000 => Some(EDGES[1]),
                    60_000 => Some(EDGES[2]),
                    _ => None,
                };
                let headers = if *headers { EDGES[3] } else { EDGES[4] };
                left.into_iter().chain([headers]).collect()
            },
            |harness, (left, headers, seed)| {
                let fixture = fixture(harness, |settings| {
                    settings.client_defaults = true;
                    settings.random = Random::Seeded(*seed);
                })?;
                let (left, headers) = (Duration::from_millis(*left), *headers);
                let time = fixture.world.time();
                fixture.world.script((0..100).map(|_| {
                    let time = time.clone();
                    Step::model_then(move |response: ModelResponse| {
                        if time.elapsed() >= left {
                            return response.reply;
                        }
                        match headers {
                            true => Reply::new(429)
                                .header("x-ratelimit-limit", "60")
                                .header("x-ratelimit-remaining", "0"),
                            false => Reply::new(429),
                        }
                    })
                }));
                let (outcome, _) = fixture.call()?;
                outcome.updated()?;
                match fixture.arrivals().len() {
                    1..=MOST => Ok(()),
                    requests => Err(format!("{requests} requests are sent within {left:?}")),
                }
            },
        ),
    )
}

fn waits_in_other_headers() -> Rule {
    const EDGES: [&str; 6] = [
        "retry-after-ms",
        "retry-after-ms beside seconds",
        "a reset as the time of day",
        "a reset in seconds",
        "another call",
        "garbage",
    ];
    Rule::new(
        "rate-limit/waits-in-other-headers",
        "after a 429 no request of the call, or of another call with the token, is sent before the time that `retry- \
         after-ms` or `X-RateLimit-Reset` names; values that cannot be read are ignored",
        "this suite, beyond the reference: the official clients look for both headers",
        &EDGES,
        property(
            |case| {
                let wait = edges_first(case, &[1_500, 59_000, 60_000, 61_000], 1_000..100_000_u64);
                (Just(index(case, 5)), wait, Just(case % 2 == 0), 0.0..1.0).boxed()
            },
            |(form, _, other, _)| {
                let form = if *form == 4 { EDGES[5] } else { EDGES[*form] };
                let other = other.then_some(EDGES[4]);
                [form].into_iter().chain(other).collect()
            },
            |harness, (form, wait, other, random)| {
                let fixture = fixture(harness, |settings| {
                    settings.random = Random::Always(*random);
                    settings.rate_limiter = if *other {
                        NEARLY_UNLIMITED
                    } else {
                        RateLimiter::Unlimited
                    };
                })?;
                let now = fixture.world.time().now();
                let seconds = wait.div_ceil(1_000);
                let reply = Reply::new(429);
                let (reply, least) = match form {
                    0 => (reply.header("retry-after-ms", &wait.to_string()), *wait),
                    1 => {
                        let reply = reply
                            .header("retry-after-ms", &wait.to_string())
                            .header("retry-after", "1");
                        (reply, *wait)
                    }
                    2 => {
                        let at = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                        let at = (at + seconds).to_string();
                        (reply.header("x-ratelimit-reset", &at), seconds * 1_000)
                    }
                    3 => {
                        let reply = reply.header("x-ratelimit-reset", &seconds.to_string());
                        (reply, seconds * 1_000)
                    }
                    _ => {
                        let reply = reply
                            .header("retry-after-ms", "soon")
                            .header("x-ratelimit-reset", "-7")
                            .header("retry-after", &seconds.to_string());
                        (reply, seconds * 1_000)
                    }
                };
                fixture.world.script([reply]);
                let second = async {
                    // The other call starts after the first response.
                    fixture.world.time().pause(SECOND / 2).await;
                    match other {
                        true => Some(fixture.update(1).await),
                        false => None,
                    }
                };
                let both = async { futures_util::join!(fixture.update(0), second) };
                let ((outcome, _), second) = fixture.run(both)?;
                outcome.updated()?;
                if let Some((outcome, _)) = second {
                    outcome.updated()?;
                }
                let arrivals = fixture.sent(2 + usize::from(*other))?;
                let least = Duration::from_millis(least);
                for arrival in arrivals.iter().skip(1) {
                    // No client needs longer than this.
                    let most = least.max(60 * SECOND) * 2;
                    within("the wait", *arrival - arrivals[0], least, most)?;
                }
                Ok(())
            },
        ),
    )
}
