//! The token, which neither report nor journal may contain.

use proptest::prelude::*;

use crate::client::Options;
use crate::rule::{Rule, property};
use crate::rules::bulk::fixture::follow::{Follow, Leg};
use crate::rules::fixture::{encodings, site};

pub(super) fn rules() -> Vec<Rule> {
    vec![token_is_never_recorded()]
}

fn token_is_never_recorded() -> Rule {
    const EDGES: [&str; 4] = ["400", "401", "403", "500"];
    const ALL: [&str; EDGES.len() + encodings::COMMON.len()] =
        crate::rules::fixture::edges::joined(EDGES, encodings::COMMON);
    Rule::new(
        "bulk/token-is-never-recorded",
        "no reason, dead letter or journal of a run contains the token in any encoding in which the server repeats it",
        "this suite: reports and journals are kept, and sent to others",
        &ALL,
        property(
            |case| {
                let encoding = usize::try_from(case).unwrap_or(0) % encodings::COMMON.len();
                let status = [400_u16, 401, 403, 500][usize::try_from(case / 3 % 4).unwrap_or(0)];
                (
                    Just(status),
                    Just(encoding),
                    0..6_usize,
                    "[0-9a-f]{64}",
                    1..5_usize,
                )
                    .boxed()
            },
            |(status, encoding, ..)| {
                let status = status.to_string();
                let edge = EDGES.into_iter().find(|edge| *edge == status);
                edge.into_iter()
                    .chain([encodings::COMMON[*encoding]])
                    .collect()
            },
            |harness, (status, encoding, place, token, size)| {
                let entries: Vec<_> = (0..*size).map(|item| site::marked((item, 0))).collect();
                let model = site::model_of(&entries);
                let follow =
                    Follow::begin(harness, model, &entries, Options::default(), |session| {
                        session.token.clone_from(token);
                        session.max_attempts = 1;
                    })?;
                let mut follow = follow.with_journal(harness);
                follow.configure(|settings| settings.token.clone_from(token));
                let written = encodings::encoded(token, *encoding);
                follow.script((0..40).map(|_| encodings::echo(*status, *place, &written)));
                let (reports, _) = follow.run(&Leg::default())?;
                let mut texts = vec![follow.journal_text()];
                for report in reports {
                    texts.push(report.reason);
                    texts.extend(report.dead_letter);
                }
                let shows = |text: &String| {
                    encodings::shows(text, &written) || encodings::shows(text, token)
                };
                match texts.iter().position(shows) {
                    Some(0) => Err("the token can be read in the journal".to_owned()),
                    Some(_) => Err("the token can be read in a reason or a dead letter".to_owned()),
                    None => Ok(()),
                }
            },
        ),
    )
}
