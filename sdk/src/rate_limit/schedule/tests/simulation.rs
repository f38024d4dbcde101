//! A service and its callers in simulated time: the world of the schedule's property tests.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::super::{Reported, Rule, Schedule, Ticket, Turn};

const MINUTE: Duration = Duration::from_secs(60);

/// How the service counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Windows of 60 seconds, each from the first request after the one before.
    FromFirst,
    /// Windows of 60 seconds, one after the other, of which one begins then.
    Fixed(Duration),
    Sliding,
    Bucket,
}

/// What `Retry-After` gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wait {
    /// The time to the end of the window, or until the bucket is full.
    Whole,
    /// The time until the next request is admitted.
    Next,
    /// 60 seconds.
    Constant,
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rounding {
    Up,
    Down,
    Nearest,
}

/// How the headers lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Lie {
    Absent,
    OnlyLimit,
    OnlyRemaining,
    /// The remaining requests never fall.
    Constant,
    /// The remaining requests are those of so many requests ago.
    Late(usize),
    /// The limit and what remains are so many times as high.
    Higher(u64),
    /// Anything.
    Random,
}

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) kind: Kind,
    pub(super) limit: u64,
    pub(super) wait: Wait,
    pub(super) rounding: Rounding,
    pub(super) lie: Option<Lie>,
    /// How much faster the service's clock runs.
    pub(super) skew: f64,
    /// How many requests are made, by how many callers at once.
    pub(super) requests: usize,
    pub(super) callers: usize,
    /// Latencies of 50 to 500 ms, in any split, or of half of these bounds for all.
    pub(super) seed: u64,
    pub(super) rule: Rule,
    pub(super) share: f64,
    /// How many requests were made before the first one, and when others make some.
    pub(super) before: u64,
    pub(super) others: Vec<Duration>,
    /// The client's clock when it begins.
    pub(super) start: Duration,
    /// How long the caller waits that makes so manieth request, before it asks for its turn.
    pub(super) idle: Vec<(usize, Duration)>,
}

impl Scenario {
    pub(super) fn new(kind: Kind, limit: u64, requests: usize) -> Self {
        Self {
            kind,
            limit,
            wait: Wait::Whole,
            rounding: Rounding::Up,
            lie: None,
            skew: 0.0,
            requests,
            callers: 4,
            seed: 1,
            rule: Rule::Learned {
                initial: 60,
                is_spread: false,
            },
            share: 1.0,
            before: 0,
            others: Vec::new(),
            start: Duration::ZERO,
            idle: Vec::new(),
        }
    }
}

/// The result of a scenario.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// From the first request to the last response.
    pub(super) took: Duration,
    pub(super) sent: Vec<Duration>,
    pub(super) arrived: Vec<Duration>,
    /// The numbers of the requests, in the order in which they left.
    pub(super) order: Vec<usize>,
    pub(super) refused: usize,
    /// How many were in flight when the first refusal was received, that one included.
    pub(super) at_first_refusal: usize,
    pub(super) refusals: Vec<Duration>,
    pub(super) is_spread: bool,
}

struct Service {
    kind: Kind,
    limit: u64,
    admitted: VecDeque<f64>,
    window: Option<(f64, u64)>,
    tokens: f64,
    at: f64,
    history: Vec<u64>,
}

struct Verdict {
    admitted: bool,
    remaining: u64,
    whole: f64,
    next: f64,
}

impl Service {
    fn new(kind: Kind, limit: u64) -> Self {
        Self {
            kind,
            limit,
            admitted: VecDeque::new(),
            window: None,
            tokens: limit as f64,
            at: 0.0,
            history: Vec::new(),
        }
    }

    fn ask(&mut self, now: f64) -> Verdict {
        let limit = self.limit;
        let verdict = match self.kind {
            Kind::FromFirst | Kind::Fixed(_) => {
                if self.window.is_none_or(|(end, _)| now >= end) {
                    let end = match self.kind {
                        Kind::Fixed(phase) => {
                            let phase = phase.as_secs_f64();
                            now + 60.0 - (now - phase).rem_euclid(60.0)
                        }
                        _ => now + 60.0,
                    };
                    self.window = Some((end, 0));
                }
                let (end, used) = self.window.as_mut().unwrap();
                let admitted = *used < limit;
                *used += u64::from(admitted);
                let remaining = limit - *used;
                let whole = *end - now;
                Verdict {
                    admitted,
                    remaining,
                    whole,
                    next: if remaining > 0 { 0.0 } else { whole },
                }
            }
            Kind::Sliding => {
                while self.admitted.front().is_some_and(|at| at + 60.0 <= now) {
                    self.admitted.pop_front();
                }
                let admitted = (self.admitted.len() as u64) < limit;
                if admitted {
                    self.admitted.push_back(now);
                }
                let remaining = limit - self.admitted.len() as u64;
                let oldest = self.admitted.front().unwrap() + 60.0 - now;
                Verdict {
                    admitted,
                    remaining,
                    whole: self.admitted.back().unwrap() + 60.0 - now,
                    next: if remaining > 0 { 0.0 } else { oldest },
                }
            }
            Kind::Bucket => {
                let rate = limit as f64 / 60.0;
                self.tokens = (self.tokens + (now - self.at) * rate).min(limit as f64);
                self.at = now;
                // A hair, since these are no whole numbers.
                let admitted = self.tokens >= 1.0 - 1e-9;
                if admitted {
                    self.tokens -= 1.0;
                }
                let remaining = (self.tokens + 1e-9).floor().max(0.0) as u64;
                Verdict {
                    admitted,
                    remaining,
                    whole: (limit as f64 - self.tokens) / rate,
                    next: if remaining > 0 {
                        0.0
                    } else {
                        (1.0 - self.tokens) / rate
                    },
                }
            }
        };
        self.history.push(verdict.remaining);
        verdict
    }

    fn reported(
        &self,
        verdict: &Verdict,
        scenario: &Scenario,
        random: &mut fastrand::Rng,
    ) -> Reported {
        let seconds = match scenario.wait {
            Wait::Whole => Some(verdict.whole),
            Wait::Next => Some(verdict.next),
            Wait::Constant => Some(60.0),
            Wait::Absent => None,
        };
        let seconds = seconds.or_else(|| (!verdict.admitted).then_some(verdict.next));
        let seconds = seconds.map(|seconds| match scenario.rounding {
            Rounding::Up => seconds.ceil(),
            Rounding::Down => seconds.floor(),
            Rounding::Nearest => seconds.round(),
        });
        let mut reported = Reported {
            limit: Some(self.limit),
            remaining: Some(verdict.remaining),
            retry_after: seconds.map(Duration::from_secs_f64),
            is_refused: !verdict.admitted,
        };
        match scenario.lie {
            None => {}
            Some(Lie::Absent) => (reported.limit, reported.remaining) = (None, None),
            Some(Lie::OnlyLimit) => reported.remaining = None,
            Some(Lie::OnlyRemaining) => reported.limit = None,
            Some(Lie::Constant) => reported.remaining = Some(self.limit - 1),
            Some(Lie::Late(requests)) => {
                let then = self.history.len().saturating_sub(requests + 1);
                reported.remaining = Some(self.history[then]);
            }
            Some(Lie::Higher(times)) => {
                reported.limit = Some(self.limit * times);
                reported.remaining = Some(self.limit * (times - 1) + verdict.remaining);
            }
            Some(Lie::Random) => {
                reported.limit = random.bool().then(|| random.u64(0..=self.limit * 2));
                reported.remaining = random.bool().then(|| random.u64(0..=self.limit * 2));
                if !reported.is_refused {
                    reported.retry_after = random
                        .bool()
                        .then(|| Duration::from_secs(random.u64(0..=90)));
                }
            }
        }
        reported
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Other,
    Arrival(usize, Ticket),
    Response(usize, Ticket, usize),
    Begin(usize, usize),
    /// Of the caller, and how many times it has asked before.
    Wake(usize, usize),
}

pub(super) fn latency(seed: u64, number: usize) -> (Duration, Duration) {
    let mut random =
        fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
    let whole = random.u64(50..=500);
    let there = match random.u8(0..4) {
        0 => 0,
        1 => whole,
        _ => random.u64(0..=whole),
    };
    (
        Duration::from_millis(there),
        Duration::from_millis(whole - there),
    )
}

/// The time that the requests take if nothing is waited for but the callers.
pub(super) fn latency_bound(seed: u64, requests: usize, callers: usize) -> Duration {
    let mut free = BinaryHeap::from(vec![Reverse(Duration::ZERO); callers]);
    let mut last = Duration::ZERO;
    for number in 0..requests {
        let Reverse(at) = free.pop().unwrap();
        let (there, back) = latency(seed, number);
        last = last.max(at + there + back);
        free.push(Reverse(at + there + back));
    }
    last
}

pub(super) fn run(scenario: &Scenario) -> Outcome {
    let mut random = fastrand::Rng::with_seed(scenario.seed);
    let mut schedule = Schedule::new(scenario.rule, scenario.share);
    let mut service = Service::new(scenario.kind, scenario.limit);
    let service_time = |now: Duration| now.as_secs_f64() * (1.0 + scenario.skew) + 1_000.0;
    service.at = service_time(scenario.start);
    for _ in 0..scenario.before {
        service.ask(service_time(scenario.start));
    }
    let mut outcome = Outcome::default();
    let mut events = BinaryHeap::new();
    let mut order = 0_u64;
    let mut push =
        |events: &mut BinaryHeap<Reverse<(Duration, u64, Event)>>, at: Duration, event| {
            order += 1;
            events.push(Reverse((at, order, event)));
        };
    for other in &scenario.others {
        push(&mut events, scenario.start + *other, Event::Other);
    }
    let mut next_request = 0;
    // Each caller's request and ticket, while it waits.
    let mut waiting: Vec<Option<(usize, Ticket)>> = vec![None; scenario.callers];
    let mut asked = vec![0; scenario.callers];
    let mut in_flight = 0_usize;
    let mut heads: Vec<Reported> = Vec::new();
    let idle = |request: usize| {
        let idle = scenario.idle.iter().find(|(before, _)| *before == request);
        idle.map_or(Duration::ZERO, |(_, idle)| *idle)
    };
    for caller in 0..scenario.callers.min(scenario.requests) {
        push(
            &mut events,
            scenario.start + idle(next_request),
            Event::Begin(caller, next_request),
        );
        next_request += 1;
    }
    let mut sends = 0;
    let mut callers_of: Vec<usize> = Vec::new();
    let mut steps = 0_u64;
    while let Some(Reverse((now, _, event))) = events.pop() {
        steps += 1;
        assert!(steps < 400_000, "it comes to no end: {scenario:?}");
        match event {
            Event::Other => {
                service.ask(service_time(now));
            }
            Event::Begin(caller, request) => {
                waiting[caller] = Some((request, schedule.enter()));
                push(&mut events, now, Event::Wake(caller, asked[caller]));
            }
            Event::Wake(caller, times) => {
                let Some((request, ticket)) = waiting[caller] else {
                    continue;
                };
                if asked[caller] != times {
                    continue;
                }
                asked[caller] += 1;
                match schedule.ask(ticket, now) {
                    Turn::Now => {
                        waiting[caller] = None;
                        in_flight += 1;
                        outcome.sent.push(now);
                        outcome.order.push(request);
                        let (there, _) = latency(scenario.seed, sends);
                        callers_of.push(caller);
                        assert_eq!(callers_of.len(), sends + 1);
                        push(&mut events, now + there, Event::Arrival(sends, ticket));
                        sends += 1;
                    }
                    Turn::At(due) => {
                        assert!(due > now, "a turn that is due would be asked for for ever");
                        push(&mut events, due, Event::Wake(caller, asked[caller]));
                    }
                }
            }
            Event::Arrival(send, ticket) => {
                outcome.arrived.push(now);
                let verdict = service.ask(service_time(now));
                let reported = service.reported(&verdict, scenario, &mut random);
                let (_, back) = latency(scenario.seed, send);
                heads.push(reported);
                push(
                    &mut events,
                    now + back,
                    Event::Response(send, ticket, heads.len() - 1),
                );
            }
            Event::Response(send, ticket, head) => {
                let caller = callers_of[send];
                let reported = heads[head];
                if reported.is_refused {
                    if outcome.refused == 0 {
                        outcome.at_first_refusal = in_flight;
                    }
                    outcome.refused += 1;
                    outcome.refusals.push(outcome.sent[send]);
                    schedule.pause(now + reported.retry_after.unwrap_or(MINUTE));
                }
                in_flight -= 1;
                let sooner = schedule.learn(ticket, &reported, now);
                outcome.took = now - scenario.start;
                // One that was refused is made again.
                if reported.is_refused {
                    push(&mut events, now, Event::Begin(caller, outcome.order[send]));
                } else if next_request < scenario.requests {
                    push(
                        &mut events,
                        now + idle(next_request),
                        Event::Begin(caller, next_request),
                    );
                    next_request += 1;
                }
                if sooner {
                    for other in (0..waiting.len()).filter(|other| *other != caller) {
                        if waiting[other].is_some() {
                            push(&mut events, now, Event::Wake(other, asked[other]));
                        }
                    }
                }
            }
        }
    }
    assert!(
        waiting.iter().all(Option::is_none),
        "all have left: {scenario:?}"
    );
    outcome.is_spread = schedule.is_spread();
    outcome
}

/// The least time that the requests take under this kind of window, for callers that know everything beforehand.
pub(super) fn optimum(scenario: &Scenario) -> Duration {
    let limit = scenario.limit as usize;
    let mut free = BinaryHeap::from(vec![Reverse(0.0_f64.to_bits()); scenario.callers]);
    let mut arrivals: Vec<f64> = Vec::new();
    let start = scenario.start.as_secs_f64() + 1_000.0;
    let mut windows = std::collections::BTreeMap::new();
    let mut last: f64 = 0.0;
    for number in 0..scenario.requests {
        let Reverse(at) = free.pop().unwrap();
        let (there, back) = latency(scenario.seed, number);
        let mut arrives = f64::from_bits(at) + there.as_secs_f64();
        match scenario.kind {
            Kind::Fixed(phase) => loop {
                let window = ((arrives + start - phase.as_secs_f64()) / 60.0).floor();
                let used = windows.entry(window as i64).or_insert(0);
                if *used < limit {
                    *used += 1;
                    break;
                }
                arrives = (window + 1.0) * 60.0 + phase.as_secs_f64() - start + 1e-9;
            },
            Kind::FromFirst => {
                if number >= limit {
                    let window = number / limit * limit;
                    let first = arrivals[window - limit..window]
                        .iter()
                        .copied()
                        .fold(f64::MAX, f64::min);
                    arrives = arrives.max(first + 60.0);
                }
            }
            Kind::Sliding => {
                if number >= limit {
                    arrives = arrives.max(arrivals[number - limit] + 60.0);
                }
            }
            Kind::Bucket => {
                let tokens = (number + 1).saturating_sub(limit) as f64;
                arrives = arrives.max(
                    tokens * 60.0 / scenario.limit as f64
                        + arrivals.first().copied().unwrap_or(0.0),
                );
            }
        }
        arrivals.push(arrives);
        last = last.max(arrives + back.as_secs_f64());
        free.push(Reverse((arrives + back.as_secs_f64()).to_bits()));
    }
    Duration::from_secs_f64(last)
}
