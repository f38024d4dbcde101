//! Options of a run in each of its requests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use webflow_cms_reference::{Exchange, Fault, Model};

use crate::client::{Entry, Options};
use crate::rule::{Rule, edges_first, property};
use crate::rules::bulk::fixture::case::Trouble;
use crate::rules::bulk::fixture::follow::{Follow, Leg};
use crate::rules::fixture::edges::{among, joined};
use crate::rules::fixture::request::{is_addressed, same_head, skip, skip_edge};
use crate::rules::fixture::timed::{SECOND, within};
use crate::rules::fixture::{members, site, wire};

pub(super) fn rules() -> Vec<Rule> {
    vec![options_reach_every_request(), attempt_timeout()]
}

const SAME: &str = "this suite: a retry is the same request, and options reach every request";

/// The defect of some of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Value,
    NoItem,
    /// The service refuses longer bodies than this.
    Long(usize),
}

#[derive(Clone, Debug)]
struct Case {
    entries: Vec<Entry>,
    wrong: Wrong,
    places: BTreeSet<usize>,
    skip: Option<bool>,
    legs: Vec<Leg>,
}

impl Case {
    fn model(&self) -> Model {
        let bad = self
            .places
            .iter()
            .filter_map(|place| self.entries.get(*place));
        let (good, bad): (Vec<_>, Vec<_>) = match self.wrong {
            Wrong::NoItem => {
                let bad: BTreeSet<_> = bad.map(|entry| entry.id.clone()).collect();
                let is_good = |entry: &&Entry| !bad.contains(&entry.id);
                (
                    self.entries.iter().filter(is_good).cloned().collect(),
                    vec![],
                )
            }
            Wrong::Value => (self.entries.clone(), bad.cloned().collect()),
            _ => (self.entries.clone(), vec![]),
        };
        bad.iter().fold(site::model_of(&good), |model, entry| {
            model.reject(site::COLLECTION, &entry.id, entry.cms_locale_id.as_deref())
        })
    }
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let faults = vec![
        Fault::ResetBeforeActing,
        Fault::ResetAfterActing,
        Fault::ClosedInHead,
        Fault::SilenceAfterActing,
    ];
    prop_oneof![
        2 => Just(Trouble::None),
        2 => select(vec![500_u16, 502, 429]).prop_map(|status| Trouble::Status(status, None)),
        1 => (1..4_u64).prop_map(|wait| Trouble::Status(429, Some(wait))),
        2 => select(faults).prop_map(Trouble::Fault),
    ]
}

fn make(case: u64) -> BoxedStrategy<Case> {
    let pick = |of: u64, by: u64| usize::try_from(case / by % of).unwrap_or(0);
    let size = edges_first(case, &[1, 100, 2, 12, 101, 5], 2..30_usize);
    let wrong = match pick(4, 1) {
        0 => Just(Wrong::Nothing).boxed(),
        1 => Just(Wrong::Value).boxed(),
        2 => Just(Wrong::NoItem).boxed(),
        _ => (2_000..6_000_usize).prop_map(Wrong::Long).boxed(),
    };
    let skip = skip(pick(3, 1));
    // The first request succeeds in every second case, so that later ones fail.
    let first = match pick(2, 4) {
        0 => Just(vec![Trouble::None]).boxed(),
        _ => vec(trouble(), 1).boxed(),
    };
    let troubles =
        || (first.clone(), vec(trouble(), 0..10)).prop_map(|(first, more)| [first, more].concat());
    let is_resumed = pick(3, 2) == 0;
    let dropped = is_resumed.then_some(0..120_usize);
    let dropped = dropped.map_or_else(|| Just(None).boxed(), |at| at.prop_map(Some).boxed());
    (
        members::entries(size),
        wrong,
        vec(any::<u16>(), 1..4),
        (troubles(), troubles(), dropped),
    )
        .prop_map(
            move |(entries, wrong, places, (first, second, dropped_after))| {
                let place = |place: &u16| usize::from(*place) % entries.len().max(1);
                let places = match wrong {
                    Wrong::Value | Wrong::NoItem => places.iter().map(place).collect(),
                    _ => BTreeSet::new(),
                };
                let leg = |troubles, dropped_after| Leg {
                    troubles,
                    dropped_after,
                    cancelled_after: None,
                };
                let mut legs = vec![leg(first, dropped_after)];
                if dropped_after.is_some() {
                    legs.push(leg(second, None));
                }
                Case {
                    entries,
                    wrong,
                    places,
                    skip,
                    legs,
                }
            },
        )
        .boxed()
}

const EDGES: [&str; 10] = [
    "a first request that fails",
    "bad items",
    "bad items, and a request that looks for them fails",
    "parts of what was too large",
    "resumed",
    "1 entry",
    "100 or 101 entries",
    "no option",
    "option true",
    "option false",
];

fn touched(case: &Case) -> Vec<&'static str> {
    let fails = |troubles: &[Trouble]| troubles.iter().any(|trouble| *trouble != Trouble::None);
    let troubles = &case.legs[0].troubles;
    let (first, others) = troubles.split_at(1.min(troubles.len()));
    let is_bad = !case.places.is_empty() && case.entries.len() > 1;
    let touched = [
        fails(first),
        is_bad,
        is_bad && !fails(first) && fails(&others[..1.min(others.len())]),
        matches!(case.wrong, Wrong::Long(_)),
        case.legs.len() > 1,
        case.entries.len() == 1,
        (100..=101).contains(&case.entries.len()),
    ];
    let touched = among(&EDGES, &touched).into_iter();
    touched
        .chain([skip_edge(case.skip)])
        .chain(members::touched(&case.entries))
        .collect()
}

fn options_reach_every_request() -> Rule {
    const ALL: [&str; EDGES.len() + members::EDGES.len()] = joined(EDGES, members::EDGES);
    Rule::new(
        "bulk/options-reach-every-request",
        "every request of a run has the run's options in its query, the same headers, and each of its entries byte \
         for byte as the first request had it: also a retry, a part of a batch, and a request of a resumed run",
        SAME,
        &ALL,
        property(make, touched, |harness, case| {
            let options = Options {
                skip_invalid_files: case.skip,
                ..Options::default()
            };
            let follow = Follow::begin(harness, case.model(), &case.entries, options, |_| {})?;
            let mut follow = match case.legs.len() {
                1 => follow,
                _ => follow.with_journal(harness),
            };
            if let Wrong::Long(most) = case.wrong {
                follow.configure(|settings| settings.max_body = Some(most));
            }
            for leg in &case.legs {
                follow.run(leg)?;
            }
            carries_all(case, &follow.log())
        }),
    )
}

fn carries_all(case: &Case, log: &[Exchange]) -> Result<(), String> {
    let given: BTreeMap<_, _> = case
        .entries
        .iter()
        .map(|entry| ((entry.id.as_str(), entry.cms_locale_id.as_deref()), entry))
        .collect();
    let Some(first) = log.first() else {
        let is_dropped = case.legs.iter().all(|leg| leg.dropped_after.is_some());
        return if is_dropped {
            Ok(())
        } else {
            Err("nothing was sent".to_owned())
        };
    };
    let mut texts: BTreeMap<(String, Option<String>), String> = BTreeMap::new();
    for exchange in log {
        is_addressed(exchange, case.skip)?;
        same_head(first, exchange)?;
        let reported = |reason: String| format!("request {}: {reason}", exchange.index);
        for entry in wire::entries(exchange).map_err(reported)? {
            let text = |name: &str| {
                let value = entry.get(name)?;
                serde_json::from_str::<String>(value.get()).ok()
            };
            let key = (text("id").unwrap_or_default(), text("cmsLocaleId"));
            let original = given
                .get(&(key.0.as_str(), key.1.as_deref()))
                .ok_or_else(|| reported(format!("it has an entry of no update, {key:?}")))?;
            wire::is_entry(&entry, original)
                .map_err(|reason| reported(format!("entry {key:?}: {reason}")))?;
            let members: Vec<_> = entry.values().map(|value| value.get()).collect();
            let now = members.join(",");
            let before = texts.entry(key).or_insert_with(|| now.clone());
            if *before != now {
                return Err(reported(format!("an entry is {now} and was {before}")));
            }
        }
    }
    Ok(())
}

fn attempt_timeout() -> Rule {
    const EDGES: [&str; 6] = [
        "shorter than the client's",
        "longer than the client's",
        "a first request",
        "a second attempt",
        "a request that looks for a bad item",
        "a resumed run",
    ];
    const CLIENTS: Duration = Duration::from_secs(30);
    Rule::new(
        "bulk/attempt-timeout",
        "the attempt timeout of a run ends each of its attempts: the first, a retry, one that isolates a bad item, \
         and those of a resumed run",
        SAME,
        &EDGES,
        property(
            |case| {
                let limit = match case % 2 {
                    0 => 500..25_000_u64,
                    _ => 40_000..90_000_u64,
                };
                let form = usize::try_from(case / 2 % 4).unwrap_or(0);
                let limit = limit.prop_map(Duration::from_millis);
                (limit, Just(form), 2..30_usize).boxed()
            },
            |(limit, form, _)| {
                let limit = if *limit < CLIENTS { EDGES[0] } else { EDGES[1] };
                vec![limit, EDGES[2 + form]]
            },
            |harness, (limit, form, size)| {
                let entries: Vec<_> = (0..*size).map(|item| site::marked((item, 0))).collect();
                let mut model = site::model_of(&entries);
                if *form == 2 {
                    model = model.reject(site::COLLECTION, &entries[size / 2].id, None);
                }
                let options = Options {
                    attempt_timeout: Some(*limit),
                    ..Options::default()
                };
                let follow = Follow::begin(harness, model, &entries, options, |session| {
                    session.attempt_timeout = CLIENTS;
                })?;
                let silence = || Trouble::Fault(Fault::SilenceBeforeActing);
                let mut follow = follow.with_journal(harness);
                let mut leg = Leg::default();
                if *form == 3 {
                    // The run stops before any update.
                    leg.troubles = vec![Trouble::Status(401, None)];
                    follow.run(&leg)?;
                }
                leg.troubles = match form {
                    1 => vec![silence(), silence()],
                    2 => vec![
                        Trouble::None,
                        silence(),
                        silence(),
                        Trouble::None,
                        silence(),
                    ],
                    _ => vec![silence()],
                };
                let (_, ended) = follow.run(&leg)?;
                let log = follow.log();
                let silent = |exchange: &Exchange| exchange.fault == Fault::SilenceBeforeActing;
                let least = leg
                    .troubles
                    .iter()
                    .filter(|trouble| **trouble == silence())
                    .count();
                let mut checked = 0;
                for (place, exchange) in log
                    .iter()
                    .enumerate()
                    .filter(|(_, exchange)| silent(exchange))
                {
                    let next = log.get(place + 1).map_or(ended, |next| next.at);
                    // The client waits at most 2 seconds before the next attempt.
                    within(
                        "the time of an attempt",
                        next - exchange.at,
                        *limit,
                        *limit + 2 * SECOND,
                    )?;
                    checked += 1;
                }
                if checked == 0 || (*form < 2 && checked < least) {
                    return Err(format!("{checked} attempts ran out of time"));
                }
                Ok(())
            },
        ),
    )
}
