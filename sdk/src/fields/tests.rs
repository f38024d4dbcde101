//! Laws of the fields.

use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer};
use serde_json::json;

use super::*;

fn text(fields: &Fields) -> String {
    serde_json::to_string(fields).expect("fields are JSON")
}

fn refused<T: Serialize + ?Sized>(value: &T) -> InvalidInput {
    Fields::new(value)
        .expect_err("refused")
        .invalid_input()
        .cloned()
        .expect("bad input")
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    #[serde(flatten)]
    more: HashMap<&'static str, f64>,
}

#[test]
fn a_number_that_is_not_finite_is_refused_at_any_depth_with_its_path() {
    #[derive(Serialize)]
    struct Deep {
        sizes: Vec<BTreeMap<&'static str, Option<f32>>>,
    }
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let deep = Deep {
            sizes: vec![BTreeMap::new(), BTreeMap::from([("width", Some(number))])],
        };
        assert_eq!(
            refused(&deep),
            InvalidInput::NotFinite {
                path: "sizes[1].width".into()
            }
        );
    }
    let flattened = Product {
        name: "a",
        more: HashMap::from([("weight", f64::NAN)]),
    };
    assert_eq!(
        refused(&flattened),
        InvalidInput::NotFinite {
            path: "weight".into()
        }
    );
    let mut fields = Fields::default();
    let error = fields
        .set("box", &(1.0, f64::INFINITY))
        .expect_err("refused");
    assert_eq!(
        error.invalid_input(),
        Some(&InvalidInput::NotFinite {
            path: "box[1]".into()
        })
    );
    assert!(fields.is_empty());
}

#[test]
fn what_is_no_object_is_refused() {
    for value in [
        json!(null),
        json!(1),
        json!("text"),
        json!([1]),
        json!(true),
    ] {
        assert_eq!(refused(&value), InvalidInput::FieldsNotAnObject, "{value}");
    }
    assert_eq!(refused(&()), InvalidInput::FieldsNotAnObject);
    assert_eq!(refused(&None::<Product>), InvalidInput::FieldsNotAnObject);
    let raw = to_raw_value(&[1]).expect("JSON");
    assert_eq!(refused(&raw), InvalidInput::FieldsNotAnObject);
}

#[test]
fn the_same_field_twice_is_refused_however_it_comes() {
    let twice = InvalidInput::DuplicateField {
        field: "name".into(),
    };
    let flattened = Product {
        name: "a",
        more: HashMap::from([("name", 1.0)]),
    };
    assert_eq!(refused(&flattened), twice);
    let raw = serde_json::from_str::<Box<RawValue>>(r#"{"name":1,"n\u0061me":2}"#).expect("JSON");
    assert_eq!(refused(&raw), twice);
    let mut fields = Fields::new(&json!({"name": "a"})).expect("an object");
    let error = fields.set("name", "b").expect_err("refused");
    assert_eq!(error.invalid_input(), Some(&twice));
    let error = fields.clear("name").expect_err("refused");
    assert_eq!(error.invalid_input(), Some(&twice));
    assert_eq!(
        text(&fields),
        r#"{"name":"a"}"#,
        "a refused field changes nothing"
    );
}

#[test]
fn the_same_member_twice_is_refused_in_any_object_with_its_path() {
    #[derive(Serialize)]
    struct Images {
        images: Vec<Product>,
    }
    let twice = |path: &str| InvalidInput::DuplicateField { field: path.into() };
    let images = Images {
        images: vec![Product {
            name: "a",
            more: HashMap::from([("name", 1.0)]),
        }],
    };
    assert_eq!(refused(&images), twice("images[0].name"));
    let raw = serde_json::from_str::<Box<RawValue>>(r#"{"a":{"b":1,"b":2}}"#).expect("JSON");
    assert_eq!(refused(&raw), twice("a.b"));
    assert_eq!(
        refused(&BTreeMap::from([("box", [&raw])])),
        twice("box[0].a.b")
    );
    let error = Fields::default().set("box", &raw).expect_err("refused");
    assert_eq!(error.invalid_input(), Some(&twice("box.a.b")));
}

#[test]
fn a_number_that_no_float_holds_is_refused_with_its_path() {
    let raw = serde_json::from_str::<Box<RawValue>>(r#"{"a":[0,-1e999]}"#).expect("JSON");
    let path = |path: &str| InvalidInput::NotFinite { path: path.into() };
    assert_eq!(refused(&raw), path("a[1]"));
    assert_eq!(refused(&BTreeMap::from([("box", &raw)])), path("box.a[1]"));
    let error = Fields::default().set("box", &raw).expect_err("refused");
    assert_eq!(error.invalid_input(), Some(&path("box.a[1]")));
}

#[test]
fn numeric_keys_are_seen_as_the_text_that_they_become() {
    struct Twice;
    impl Serialize for Twice {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry(&1, "a")?;
            map.serialize_entry("1", "b")?;
            map.end()
        }
    }
    assert_eq!(
        refused(&Twice),
        InvalidInput::DuplicateField { field: "1".into() }
    );
}

#[test]
fn a_key_may_recur_in_another_object() {
    let images = json!({"images": [{"url": "a"}, {"url": "b"}], "url": "c"});
    assert_eq!(
        text(&Fields::new(&images).expect("an object")),
        images.to_string()
    );
}

#[test]
fn numbers_keep_all_their_digits() {
    #[derive(Serialize)]
    struct Numbers {
        big: u128,
        small: f64,
        exact: i64,
        raw: Box<RawValue>,
    }
    let raw = serde_json::from_str("1234567890123456789012345678901234567890.10").expect("JSON");
    let numbers = Numbers {
        big: u128::MAX,
        small: 5e-324,
        exact: i64::MIN,
        raw,
    };
    assert_eq!(
        text(&Fields::new(&numbers).expect("an object")),
        format!(
            r#"{{"big":{},"small":5e-324,"exact":{},"raw":1234567890123456789012345678901234567890.10}}"#,
            u128::MAX,
            i64::MIN
        )
    );
}

#[test]
fn a_value_that_fails_to_serialize_says_where_and_why() {
    struct Failing;
    impl Serialize for Failing {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no such colour"))
        }
    }
    let refused = refused(&HashMap::from([("colour", Failing)]));
    assert_eq!(
        refused,
        InvalidInput::Unserializable {
            path: "colour".into(),
            reason: "no such colour".into()
        }
    );
}

#[test]
fn one_by_one_and_whole_are_written_alike() {
    let whole = Fields::new(&json!({"a": 1, "b": null})).expect("an object");
    let mut single = Fields::default();
    single.set("a", &1).expect("new");
    single.clear("b").expect("new");
    assert_eq!(whole, single);
}
