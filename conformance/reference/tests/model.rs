//! Properties of the model behind the reference server.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Map, Value, json};
use webflow_cms_reference::{
    Entry, MAX_ENTRIES, Model, Reason, Reply, Update, Variant, VariantKey,
};

const C: &str = "580e63fc8c9a982ac9b8b700";
const EN: &str = "66f6e966c9e1dc700a857c01";
const FR: &str = "66f6e966c9e1dc700a857c02";
const ITEMS: usize = 5;

fn item(number: usize) -> String {
    format!("66f6ed9576ddacf3149d{number:04x}")
}

/// Items 0 to 4, each in English, those with an even number also in French.
fn model() -> Model {
    (0..ITEMS).fold(Model::new().collection(C, EN, &[FR]), |model, number| {
        let variant = Variant::named("name", "slug")
            .field("tags", json!(["a", "b"]))
            .field("rating", 1);
        let model = model.insert(C, &item(number), None, variant.clone());
        if number % 2 == 0 {
            model.insert(C, &item(number), Some(FR), variant)
        } else {
            model
        }
    })
}

fn update(items: &Value) -> Update {
    Update::from_body(C, &json!({ "items": items }))
}

fn key(number: usize, locale: &str) -> VariantKey {
    VariantKey {
        collection: C.to_owned(),
        item: item(number),
        locale: locale.to_owned(),
    }
}

fn key_of(entry: &Entry) -> VariantKey {
    let locale = entry.locale.clone().unwrap_or_else(|| EN.to_owned());
    VariantKey {
        collection: C.to_owned(),
        item: entry.id.clone(),
        locale,
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let locale = prop_oneof![
        Just(None),
        Just(Some(EN.to_owned())),
        Just(Some(FR.to_owned()))
    ];
    let value = prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        Just(json!([])),
        Just(json!(["c"]))
    ];
    let fields = proptest::collection::btree_map("name|tags|rating|new", value, 0..3);
    (
        0..ITEMS,
        locale,
        any::<Option<bool>>(),
        any::<Option<bool>>(),
        fields,
    )
        .prop_map(|(number, locale, is_archived, is_draft, fields)| Entry {
            id: item(number),
            locale,
            is_archived,
            is_draft,
            field_data: fields.into_iter().collect(),
        })
}

/// Batches without two entries for one variant, each of whose entries could be applied alone.
fn applicable() -> impl Strategy<Value = Update> {
    proptest::collection::vec(entry(), 1..12).prop_filter_map("no entry is left", |entries| {
        let mut seen = BTreeSet::new();
        let model = model();
        let entries: Vec<_> = entries
            .into_iter()
            .filter(|e| {
                model.variant(C, &e.id, e.locale.as_deref()).is_some() && seen.insert(key_of(e))
            })
            .collect();
        (!entries.is_empty()).then(|| Update {
            collection: C.to_owned(),
            entries,
        })
    })
}

fn config() -> ProptestConfig {
    let file = FileFailurePersistence::Direct("proptest-regressions/reference_model.txt");
    ProptestConfig {
        failure_persistence: Some(Box::new(file)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn exactly_the_addressed_variants_change_and_are_returned_as_sent(update in applicable()) {
        let before = model();
        let mut after = before.clone();
        let updated = after.apply(&update).unwrap();
        let addressed: Vec<_> = update.entries.iter().map(key_of).collect();
        prop_assert_eq!(updated.iter().map(|u| u.key.clone()).collect::<Vec<_>>(), addressed.clone());
        prop_assert_eq!(before.differences(&after), addressed.into_iter().collect());
        for u in updated {
            prop_assert_eq!(Some(&u.variant), after.variant(C, &u.key.item, Some(&u.key.locale)));
            prop_assert_eq!(u.primary, u.key.locale == EN);
        }
    }

    #[test]
    fn a_batch_does_what_its_entries_do_one_by_one(update in applicable()) {
        let (mut whole, mut single) = (model(), model());
        whole.apply(&update).unwrap();
        for entry in &update.entries {
            single.apply(&Update { collection: C.to_owned(), entries: vec![entry.clone()] }).unwrap();
        }
        prop_assert_eq!(whole, single);
    }

    #[test]
    fn a_batch_applied_again_changes_no_content(update in applicable()) {
        let mut once = model();
        once.apply(&update).unwrap();
        let mut twice = once.clone();
        twice.apply(&update).unwrap();
        for ((key, first), (_, second)) in once.variants().zip(twice.variants()) {
            prop_assert!(first.same_content(second), "{key:?}");
        }
    }

    #[test]
    fn time_moves_with_every_entry(update in applicable()) {
        let mut model = model();
        let first = model.apply(&update).unwrap();
        let second = model.apply(&update).unwrap();
        let times: Vec<_> = first.iter().chain(&second).map(|u| u.variant.last_updated.clone()).collect();
        prop_assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        prop_assert!(times.iter().all(|time| time.len() == 24 && time.ends_with('Z')));
    }

    #[test]
    fn a_refused_batch_changes_nothing_or_what_precedes_the_bad_entry(
        update in applicable(),
        at in any::<prop::sample::Index>(),
        bad in prop_oneof![
            Just((Entry { id: item(99), ..Entry::default() }, Reason::UnknownItem)),
            Just((Entry { id: item(0), locale: Some(C.to_owned()), ..Entry::default() }, Reason::UnknownLocale)),
            Just((Entry { id: item(1), locale: Some(FR.to_owned()), ..Entry::default() }, Reason::MissingVariant)),
        ],
    ) {
        let at = at.index(update.entries.len() + 1);
        let mut broken = update.clone();
        broken.entries.insert(at, bad.0);

        let mut atomic = model();
        let refusal = atomic.apply(&broken).unwrap_err();
        prop_assert_eq!((refusal.reason, refusal.applied), (bad.1, 0));
        prop_assert_eq!(&atomic, &model());

        let mut torn = model().atomic(false);
        let refusal = torn.apply(&broken).unwrap_err();
        prop_assert_eq!((refusal.reason, refusal.applied), (bad.1, at));
        let applied = update.entries.iter().take(at).map(key_of).collect::<BTreeSet<_>>();
        prop_assert_eq!(torn.differences(&model()), applied);
    }
}

#[test]
fn without_a_locale_only_the_primary_changes() {
    let mut after = model();
    after
        .apply(&update(
            &json!([{"id": item(0), "fieldData": {"rating": 2}}]),
        ))
        .unwrap();
    assert_eq!(after.differences(&model()), BTreeSet::from([key(0, EN)]));
}

#[test]
fn fields_merge_one_by_one_null_clears_and_arrays_are_replaced_whole() {
    let mut model = model();
    let sent = json!([{"id": item(0), "fieldData": {"rating": null, "tags": ["c"], "new": ""}}]);
    model.apply(&update(&sent)).unwrap();
    let fields = Value::Object(model.variant(C, &item(0), None).unwrap().field_data.clone());
    assert_eq!(
        fields,
        json!({"name": "name", "slug": "slug", "tags": ["c"], "new": ""})
    );
}

#[test]
fn flags_that_are_left_out_stay() {
    let draft = Variant {
        is_draft: true,
        ..Variant::new(Map::new())
    };
    let mut model = Model::new().insert(C, &item(0), None, draft);
    model
        .apply(&update(&json!([{"id": item(0), "isArchived": true}])))
        .unwrap();
    let variant = model.variant(C, &item(0), None).unwrap();
    assert!(variant.is_draft && variant.is_archived);
    model
        .apply(&update(&json!([{"id": item(0), "isDraft": false}])))
        .unwrap();
    let variant = model.variant(C, &item(0), None).unwrap();
    assert!(!variant.is_draft && variant.is_archived);
}

#[test]
fn one_hundred_entries_are_taken_and_none_or_one_more_refused() {
    let model = (0..=MAX_ENTRIES).fold(Model::new(), |model, n| {
        model.insert(C, &item(n), None, Variant::new(Map::new()))
    });
    let batch = |n: usize| update(&(0..n).map(|n| json!({"id": item(n)})).collect());
    assert_eq!(model.clone().apply(&batch(100)).unwrap().len(), 100);
    assert_eq!(
        model.clone().apply(&batch(101)).unwrap_err().reason,
        Reason::TooManyEntries
    );
    assert_eq!(
        model.clone().apply(&batch(0)).unwrap_err().reason,
        Reason::Empty
    );
}

#[test]
fn the_same_variant_twice_is_refused_however_it_is_addressed() {
    for (a, b) in [
        (None, None),
        (None, Some(EN)),
        (Some(EN), None),
        (Some(FR), Some(FR)),
    ] {
        let entry = |locale: Option<&str>| Entry {
            id: item(0),
            locale: locale.map(str::to_owned),
            ..Entry::default()
        };
        let twice = Update {
            collection: C.to_owned(),
            entries: vec![entry(a), entry(b)],
        };
        let refusal = model().apply(&twice).unwrap_err();
        assert_eq!(
            (refusal.reason, refusal.status()),
            (Reason::Duplicate, 400),
            "{a:?} {b:?}"
        );
    }
}

#[test]
fn a_rejected_variant_refuses_the_batch_and_the_error_does_not_name_it() {
    let mut model = model().reject(C, &item(0), Some(FR));
    let refusal = model
        .apply(&update(
            &json!([{"id": item(1)}, {"id": item(0), "cmsLocaleId": FR}]),
        ))
        .unwrap_err();
    assert_eq!((refusal.reason, refusal.status()), (Reason::Rejected, 400));
    let body = refusal.body().to_string();
    assert!(!body.contains(&item(0)) && !body.contains(FR), "{body}");
    assert!(
        model.apply(&update(&json!([{"id": item(0)}]))).is_ok(),
        "its primary variant is not rejected"
    );
}

#[test]
fn a_refused_value_refuses_the_batch_whichever_variant_it_is_for() {
    let mut model = model().refuse_value("rating", 9, Reply::new(422));
    for (rating, expected) in [(9, Err(422)), (8, Ok(()))] {
        let items = json!([{"id": item(1)}, {"id": item(0), "fieldData": {"rating": rating}}]);
        let applied = model.apply(&update(&items)).map(drop);
        assert_eq!(applied.map_err(|refusal| refusal.status()), expected);
    }
}

#[test]
fn what_is_not_there_is_a_404() {
    let at = |collection: &str, items| Update::from_body(collection, &json!({ "items": items }));
    let unknown = model()
        .apply(&at(EN, json!([{"id": item(0)}])))
        .unwrap_err();
    assert_eq!(
        (unknown.reason, unknown.status()),
        (Reason::UnknownCollection, 404)
    );
    let unknown = model().apply(&at(C, json!([{"id": item(9)}]))).unwrap_err();
    assert_eq!(
        (unknown.reason, unknown.status()),
        (Reason::UnknownItem, 404)
    );
    let missing = model()
        .apply(&at(C, json!([{"id": item(1), "cmsLocaleId": FR}])))
        .unwrap_err();
    assert_eq!(
        (missing.reason, missing.status()),
        (Reason::MissingVariant, 404)
    );
    let foreign = model()
        .apply(&at(C, json!([{"id": item(1), "cmsLocaleId": C}])))
        .unwrap_err();
    assert_eq!(
        (foreign.reason, foreign.status()),
        (Reason::UnknownLocale, 400)
    );
}
