//! Bulk runs that are resumed from a journal that was cut anywhere.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use futures_util::StreamExt as _;
use serde_json::Value;
use support::{COLLECTION, builder, collection};
use webflow_cms::bulk::{Bulk, ItemStatus, NotAttempted, Unknown};
use webflow_cms::{Client, ItemId, ItemUpdate};
use webflow_cms_reference::{Model, ReferenceServer, Step, Variant};

/// Which item each update is about. The second is refused, and the last is about an item that comes twice.
const ITEMS: [u64; 6] = [0, 1, 2, 3, 4, 2];
const BAD: u64 = 1;
const TWICE: (u64, u64) = (2, 5);

fn id(item: u64) -> String {
    format!("66f6ed95{item:016x}")
}

fn updates() -> impl Iterator<Item = ItemUpdate> {
    ITEMS.iter().zip(0_u64..).map(|(item, index)| {
        let id = ItemId::new(id(*item)).expect("an id");
        ItemUpdate::new(id).field("mark", index).expect("a field")
    })
}

fn model() -> Model {
    let insert = |model: Model, item: &u64| {
        model.insert(COLLECTION, &id(*item), None, Variant::named("a", "a"))
    };
    let model = ITEMS.iter().fold(Model::new(), insert);
    model.reject(COLLECTION, &id(ITEMS[BAD as usize]), None)
}

/// What is said of an item, by a journal or by a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Updated,
    AlreadyUpdated,
    Rejected,
    AlreadyRejected,
    Unknown,
    RejectedUnknown,
    AfterUnknown,
}

/// What whole lines of a journal say, read without the crate.
fn recorded(lines: &[u8]) -> BTreeMap<u64, Known> {
    let mut open = BTreeMap::<u64, u32>::new();
    let mut known = BTreeMap::new();
    let whole = lines.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    for line in lines[..whole].split(|byte| *byte == b'\n').skip(1) {
        let line: Value = serde_json::from_slice(line).expect("a line of JSON");
        let indices = |value: &Value| {
            let spans: Vec<(u64, u64)> = serde_json::from_value(value.clone()).unwrap_or_default();
            spans.into_iter().flat_map(|(first, last)| first..=last)
        };
        for index in indices(&line["sent"]["indices"]) {
            *open.entry(index).or_default() += 1;
        }
        for index in indices(&line["unsent"]) {
            *open.get_mut(&index).expect("it was sent") -= 1;
        }
        known.extend(indices(&line["updated"]).map(|index| (index, Known::AlreadyUpdated)));
        for (name, status) in [
            ("rejected", Known::AlreadyRejected),
            ("unknown", Known::Unknown),
        ] {
            let index = line[name]["index"].as_u64();
            known.extend(index.map(|index| (index, status)));
        }
    }
    for index in open
        .into_iter()
        .filter_map(|(index, open)| (open > 0).then_some(index))
    {
        known.entry(index).or_insert(Known::Unknown);
    }
    known
}

async fn outcomes(bulk: Bulk) -> BTreeMap<u64, Known> {
    let mut outcomes = BTreeMap::new();
    let mut run = bulk.run(updates()).expect("a run");
    while let Some(outcome) = run.next().await {
        let known = match outcome.status {
            ItemStatus::Updated(_) => Known::Updated,
            ItemStatus::AlreadyUpdated => Known::AlreadyUpdated,
            ItemStatus::Rejected(error) if error.may_have_acted() => Known::RejectedUnknown,
            ItemStatus::Rejected(_) => Known::Rejected,
            ItemStatus::AlreadyRejected(_) => Known::AlreadyRejected,
            ItemStatus::Unknown(Unknown::EarlierRequest) => Known::Unknown,
            ItemStatus::NotAttempted(NotAttempted::AfterUnknown) => Known::AfterUnknown,
            other => panic!("item {}: {other:?}", outcome.index),
        };
        let before = outcomes.insert(outcome.index, known);
        assert_eq!(before, None, "item {} comes twice", outcome.index);
    }
    outcomes
}

fn sent(server: &ReferenceServer) -> BTreeSet<u64> {
    let log = server.log();
    let items = log
        .iter()
        .filter_map(|exchange| exchange.json.as_ref()?["items"].as_array());
    let mark = |item: &Value| item["fieldData"]["mark"].as_u64().expect("a mark");
    items.flatten().map(mark).collect()
}

/// The journal of a run that meets with a refusal, and with an answer that lacks an item.
async fn journal(server: &ReferenceServer, client: &Client, path: &Path) {
    server.reset(model());
    let steps = (0..6).map(|number| match number {
        3 => Step::model_then(|answer| answer.edit_items(|items| drop(items.pop()))),
        _ => Step::Model,
    });
    server.core().script(steps);
    let bulk = client.bulk(collection()).journal(path);
    let run = bulk.run(updates()).expect("a run");
    let outcomes: Vec<_> = run.collect().await;
    assert_eq!(outcomes.len(), ITEMS.len());
}

/// At the ends of lines both ways to resume are tried, and the run is resumed once more, which leaves alone what the
/// first one has settled. In between the ways take turns, since there are many bytes.
#[tokio::test]
async fn a_journal_that_was_cut_anywhere_can_be_resumed_and_every_item_is_in_the_account() {
    let server = ReferenceServer::builder().model(model()).start().await;
    let client = builder(&server.base_url(), &server.token())
        .build()
        .expect("a client");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    journal(&server, &client, &path).await;
    let whole = fs::read(&path).expect("the journal");

    for cut in 0..=whole.len() {
        let cut = &whole[..cut];
        let is_end = cut.ends_with(b"\n");
        for resend in [false, true] {
            if !is_end && resend != (cut.len() % 2 == 1) {
                continue;
            }
            fs::write(&path, cut).expect("a file");
            server.reset(model());
            let bulk = client
                .bulk(collection())
                .resend_unknown(resend)
                .journal(&path);
            let context = format!("cut to {} bytes, resend_unknown({resend})", cut.len());
            let (before, after) = (recorded(cut), outcomes(bulk.clone()).await);
            assert_follows(&before, &after, resend, &context);
            let attempted = after.iter().filter(|(_, known)| {
                matches!(
                    known,
                    Known::Updated | Known::Rejected | Known::RejectedUnknown
                )
            });
            assert!(
                sent(&server).iter().eq(attempted.map(|(index, _)| index)),
                "{context}"
            );
            if is_end {
                let settled = recorded(&fs::read(&path).expect("the journal"));
                let again = outcomes(bulk).await;
                assert_follows(&settled, &again, resend, &context);
            }
        }
    }
}

/// Says what a run makes of what an earlier one has recorded.
fn assert_follows(
    before: &BTreeMap<u64, Known>,
    after: &BTreeMap<u64, Known>,
    resend: bool,
    context: &str,
) {
    assert_eq!(after.len(), ITEMS.len(), "{context}");
    for (index, known) in after {
        let fresh = match *index {
            BAD => Known::Rejected,
            _ => Known::Updated,
        };
        let first_is_unknown = before.get(&TWICE.0) == Some(&Known::Unknown);
        let expected = match before.get(index) {
            // It is refused for good now; that does not say that nothing came of the request before.
            Some(Known::Unknown) if resend && *index == BAD => Known::RejectedUnknown,
            Some(Known::Unknown) if resend => fresh,
            Some(known) => *known,
            None if *index == TWICE.1 && first_is_unknown && !resend => Known::AfterUnknown,
            None => fresh,
        };
        assert_eq!(*known, expected, "item {index}, {context}");
    }
}
