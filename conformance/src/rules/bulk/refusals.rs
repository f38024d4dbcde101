//! Refused requests: those that stop a run, and those that are about one item.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::client::RateLimiter;
use crate::client::bulk::{ItemStatus, NotAttemptedReason};
use crate::rule::{Rule, property};
use crate::rules::bulk::fixture::case::{Bad, Case, Leg, Position, Trouble, Words};
use crate::rules::bulk::fixture::play::{Played, play};
use crate::rules::bulk::fixture::{generate, invariants};
use crate::rules::fixture::edges::among;
use crate::rules::fixture::timed::SECOND;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        token_revoked(),
        everything_refused(),
        one_refusal_stops_nothing(),
    ]
}

/// A case of batches with four or five entries.
fn small_batches(
    input: Vec<Position>,
    concurrency: usize,
    latency: u64,
    rate_limiter: RateLimiter,
) -> Case {
    Case {
        max_batch_bytes: Some(500),
        concurrency,
        latency,
        rate_limiter,
        journal: true,
        legs: vec![
            Leg::default(),
            Leg {
                resend: true,
                ..Leg::default()
            },
        ],
        ..Case::calm(input)
    }
}

fn client() -> impl Strategy<Value = (usize, u64, RateLimiter)> {
    let latency = prop_oneof![1 => Just(0), 2 => any::<u64>()];
    (
        1..5_usize,
        latency,
        select(vec![RateLimiter::Unlimited, RateLimiter::Fixed(60)]),
    )
}

/// Number of requests that succeed before the refusals. 0 in every second case.
fn accepted_before(case: u64) -> BoxedStrategy<usize> {
    match case % 2 {
        0 => Just(0).boxed(),
        _ => (1..4_usize).boxed(),
    }
}

/// Whether the first request is refused.
fn at_first(case: &Case) -> bool {
    case.legs[0].troubles.first() != Some(&Trouble::None)
}

/// Checks that the first run left unfinished entries as they were, and that the second run updated all of them.
fn check_recovery(case: &Case, played: &Played) -> Result<(), String> {
    let [first, second] = played.legs.as_slice() else {
        return Err("the case has two runs".to_owned());
    };
    for (index, end) in first.ends() {
        match end {
            ItemStatus::Updated
            | ItemStatus::Unknown
            | ItemStatus::NotAttempted(NotAttemptedReason::Stopped) => {}
            _ => return Err(format!("entry {index} is reported as {end:?}")),
        }
    }
    for (index, end) in second.ends() {
        if !matches!(end, ItemStatus::Updated | ItemStatus::AlreadyUpdated) {
            return Err(format!(
                "entry {index} is {end:?} although all requests succeed"
            ));
        }
    }
    invariants::agree(case, played)
}

fn token_revoked() -> Rule {
    const EDGES: [&str; 2] = ["at first", "later"];
    Rule::new(
        "bulk/token-revoked",
        "after a 401 no request is sent but those that were in flight, only one if the first request gets it, and all \
         other items are not attempted",
        "reference page of Update Items: the meaning of the status",
        &EDGES,
        property(
            |case| {
                let others = vec(
                    prop_oneof![
                        1 => Just(Trouble::None),
                        2 => (1..4_u64).prop_map(|wait| Trouble::Status(503, Some(wait))),
                        2 => Just(Trouble::Status(500, None)),
                    ],
                    0..6,
                );
                let input = generate::distinct(20..60_usize, 0);
                let words = select(Words::all());
                (input, accepted_before(case), others, client(), words)
                    .prop_map(|(input, accepted_before, others, client, words)| {
                        let (concurrency, latency, rate_limiter) = client;
                        let mut case = small_batches(input, concurrency, latency, rate_limiter);
                        let troubles = &mut case.legs[0].troubles;
                        troubles.extend(std::iter::repeat_n(Trouble::None, accepted_before));
                        troubles.push(Trouble::Refused(401, words));
                        troubles.extend(others);
                        case
                    })
                    .boxed()
            },
            |case| {
                let at_first = at_first(case);
                among(&EDGES, &[at_first, !at_first])
            },
            |harness, case| {
                let played = play(harness, case)?;
                let sent = played.legs.first().map(|leg| played.sent_in(leg));
                let sent = sent.unwrap_or_default();
                let Some(end) = sent.iter().find(|sent| sent.status == Some(401)) else {
                    return Err("the 401 was not sent".to_owned());
                };
                // The response arrives within the latency.
                let seen_at = end.acted_at.unwrap_or_default() + SECOND;
                let later = sent.iter().filter(|sent| sent.at > seen_at).count();
                if later > 0 {
                    return Err(format!("{later} requests are sent after the end"));
                }
                let further = sent.iter().filter(|sent| sent.at > end.at).count();
                let most = if at_first(case) { 0 } else { case.concurrency };
                if further > most {
                    return Err(format!("{further} requests are sent after the last one"));
                }
                check_recovery(case, &played)
            },
        ),
    )
}

const SPEAKING_OF_EVERYTHING: [u16; 6] = [403, 404, 409, 422, 400, 410];

fn everything_refused() -> Rule {
    const EDGES: [&str; 7] = ["403", "404", "409", "422", "400", "at first", "later"];
    Rule::new(
        "bulk/everything-refused",
        "when every request is refused, as if the collection were missing or the token lacked a scope, the run stops \
         after at most 12 requests and those in flight, rejects nothing, and a later run updates every item",
        "this suite: the status does not say whether an item or everything is refused",
        &EDGES,
        property(
            |case| {
                let status = usize::try_from(case / 2).unwrap_or(0) % SPEAKING_OF_EVERYTHING.len();
                let status = SPEAKING_OF_EVERYTHING[status];
                // Fewer items may end before 12 requests are refused, and then each was refused for itself.
                let input =
                    generate::distinct(prop_oneof![3 => 60..100_usize, 1 => 200..400_usize], 0);
                let words = select(Words::all());
                (input, accepted_before(case), client(), words, any::<bool>())
                    .prop_map(move |(input, accepted_before, client, words, is_small)| {
                        let (concurrency, latency, rate_limiter) = client;
                        let mut case = small_batches(input, concurrency, latency, rate_limiter);
                        if !is_small && case.input.len() >= 200 {
                            case.max_batch_bytes = None;
                        }
                        let troubles = &mut case.legs[0].troubles;
                        troubles.extend(std::iter::repeat_n(Trouble::None, accepted_before));
                        // More refusals than a run can reach.
                        let refused = Trouble::Refused(status, words);
                        troubles.extend(std::iter::repeat_n(refused, 200));
                        case
                    })
                    .boxed()
            },
            |case| {
                let refused = case.legs[0].troubles.last();
                let is = |wanted| matches!(refused, Some(Trouble::Refused(status, _)) if *status == wanted);
                let at_first = at_first(case);
                let touched = [
                    is(403),
                    is(404),
                    is(409),
                    is(422),
                    is(400),
                    at_first,
                    !at_first,
                ];
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                let sent = played.legs.first().map(|leg| played.sent_in(leg));
                let sent = sent.unwrap_or_default();
                let refused = sent.iter().filter(|sent| sent.refused()).count();
                let is_over = sent.iter().all(|sent| sent.status == Some(200));
                if is_over && !at_first(case) {
                    // All entries were updated before the first refusal.
                    return invariants::agree(case, &played);
                }
                // Requests in flight with the last accepted one, and with the last one that counts.
                let beside = if at_first(case) {
                    0
                } else {
                    2 * (case.concurrency - 1)
                };
                if refused > 12 + beside {
                    return Err(format!("{refused} requests are refused before the end"));
                }
                check_recovery(case, &played)
            },
        ),
    )
}

/// The defect of one item, or of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Item(Bad),
    Request(Words),
}

fn one_refusal_stops_nothing() -> Rule {
    const EDGES: [&str; 8] = [
        "404",
        "409",
        "422",
        "403",
        "a request",
        "first batch",
        "middle batch",
        "last batch",
    ];
    Rule::new(
        "bulk/one-refusal-stops-nothing",
        "one refused item, whatever its status and position, or one request that is refused once, keeps no other item \
         from being updated, and costs at most 11 requests",
        "this suite: a 404, a 409 or a 422 can be about one item, and a firewall can refuse a request at random",
        &EDGES,
        property(
            |case| {
                let of_item = |status| {
                    let words = select(Words::all());
                    words
                        .prop_map(move |words| Wrong::Item(Bad::Refused(status, words)))
                        .boxed()
                };
                let wrong = match case / 3 % 6 {
                    0 => select(vec![Bad::NoItem, Bad::NoVariant])
                        .prop_map(Wrong::Item)
                        .boxed(),
                    1 => of_item(404),
                    2 => of_item(409),
                    3 => of_item(422),
                    4 => of_item(403),
                    _ => select(Words::all()).prop_map(Wrong::Request).boxed(),
                };
                let size = prop_oneof![2 => 201..500_usize, 1 => Just(300)];
                let place = case % 3;
                (size, 0..100_usize, wrong, 1..5_usize, any::<u64>())
                    .prop_map(move |(size, within, wrong, concurrency, latency)| {
                        let last = (size - 1) / 100;
                        let batch = match place {
                            0 => 0,
                            1 => last / 2,
                            _ => last,
                        };
                        let place = (batch * 100 + within).min(size - 1);
                        (
                            place,
                            wrong,
                            one_wrong(size, place, wrong, concurrency, latency),
                        )
                    })
                    .boxed()
            },
            |(place, wrong, case)| {
                let is = |wanted| matches!(wrong, Wrong::Item(Bad::Refused(status, _)) if *status == wanted);
                let missing = matches!(wrong, Wrong::Item(Bad::NoItem | Bad::NoVariant));
                let (batch, last) = (place / 100, (case.input.len() - 1) / 100);
                let touched = [
                    missing || is(404),
                    is(409),
                    is(422),
                    is(403),
                    matches!(wrong, Wrong::Request(_)),
                    batch == 0,
                    batch > 0 && batch < last,
                    batch == last,
                ];
                among(&EDGES, &touched)
            },
            |harness, (place, wrong, case)| {
                let played = play(harness, case)?;
                for (index, end) in played.legs.iter().flat_map(|leg| leg.ends()) {
                    let is_right = match wrong {
                        // As the last item, it may be the first one that the token lacks a scope for.
                        Wrong::Item(Bad::Refused(403, _)) if index == *place => {
                            matches!(
                                end,
                                ItemStatus::Rejected
                                    | ItemStatus::NotAttempted(NotAttemptedReason::Stopped)
                            )
                        }
                        Wrong::Item(_) if index == *place => end == ItemStatus::Rejected,
                        _ => end == ItemStatus::Updated,
                    };
                    if !is_right {
                        return Err(format!("entry {index} is {end:?}"));
                    }
                }
                let most = case.input.len().div_ceil(100) + 11;
                if played.sent.len() > most {
                    return Err(format!(
                        "{} requests are sent, more than {most}",
                        played.sent.len()
                    ));
                }
                invariants::agree(case, &played)
            },
        ),
    )
}

fn one_wrong(size: usize, place: usize, wrong: Wrong, concurrency: usize, latency: u64) -> Case {
    let slot = |number| Position::Update {
        key: (number, number % 4),
        pad: 0,
    };
    let mut case = Case {
        concurrency,
        latency,
        ..Case::calm((0..size).map(slot).collect())
    };
    match wrong {
        Wrong::Item(bad) => case.bad = vec![((place, place % 4), bad)],
        Wrong::Request(words) => {
            let troubles = &mut case.legs[0].troubles;
            troubles.extend(std::iter::repeat_n(Trouble::None, place / 100));
            troubles.push(Trouble::Refused(403, words));
        }
    }
    case
}
