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
    let error = fields.clear_field("name").expect_err("refused");
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
    single.clear_field("b").expect("new");
    assert_eq!(whole, single);
}

#[test]
fn a_field_with_a_documented_type_takes_no_other_however_it_comes() {
    #[derive(Serialize)]
    struct Named<T> {
        name: T,
    }
    fn wrong<T: Serialize>(name: T) -> &'static str {
        let raw = to_raw_value(&json!({"name": &name})).expect("JSON");
        let set = Fields::default().set("name", &name).expect_err("refused");
        let refusals = [
            refused(&Named { name: &name }),
            refused(&HashMap::from([("name", &name)])),
            refused(&raw),
            set.invalid_input().cloned().expect("bad input"),
        ];
        let [InvalidInput::WrongFieldType { found, .. }, ..] = refusals else {
            panic!("{refusals:?}");
        };
        for refusal in refusals {
            let wrong = InvalidInput::WrongFieldType {
                field: "name".into(),
                expected: "a string",
                found,
            };
            assert_eq!(refusal, wrong);
        }
        found
    }
    assert_eq!(wrong(5), "a number");
    assert_eq!(wrong(true), "a boolean");
    assert_eq!(wrong(["a"]), "an array");
    assert_eq!(wrong(HashMap::from([("a", 1)])), "an object");
    assert_eq!(wrong(()), "null");
    assert_eq!(wrong(None::<&str>), "null");
    for (field, is_string) in [
        ("name", true),
        ("slug", true),
        ("Name", false),
        ("title", false),
    ] {
        assert_eq!(
            Fields::default().clear_field(field).is_err(),
            is_string,
            "{field}"
        );
        assert_eq!(
            Fields::default().set(field, &1).is_err(),
            is_string,
            "{field}"
        );
        assert_eq!(
            Fields::new(&HashMap::from([(field, 1)])).is_err(),
            is_string,
            "{field}"
        );
        assert!(Fields::default().set(field, "").is_ok(), "{field}");
    }
    let error = Fields::default().clear_field("slug").expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the field \"slug\" must be a string, but it is null"
    );
}

#[test]
fn all_that_becomes_a_string_is_one() {
    #[derive(Serialize)]
    enum Colour {
        #[serde(rename = "red")]
        Red,
    }
    #[derive(Serialize)]
    struct Wrapped(Option<char>);
    let mut fields = Fields::default();
    fields.set("name", &Colour::Red).expect("a string");
    fields.set("slug", &Wrapped(Some('a'))).expect("a string");
    assert_eq!(text(&fields), r#"{"name":"red","slug":"a"}"#);
    let displayed = std::net::Ipv4Addr::LOCALHOST;
    assert!(Fields::new(&HashMap::from([("name", displayed)])).is_ok());
}

#[test]
fn a_name_or_slug_within_another_field_is_no_field() {
    let nested = json!({"author": {"name": 5, "slug": null}, "names": [null]});
    assert!(Fields::new(&nested).is_ok());
}

#[test]
fn half_a_surrogate_pair_is_refused_with_its_path() {
    let half = |path: &str| InvalidInput::UnpairedSurrogate { path: path.into() };
    let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).expect("JSON");
    let value = raw(r#"["cut \ud83d"]"#);
    assert_eq!(refused(&raw(r#"{"a":{"b":"\ude00"}}"#)), half("a.b"));
    assert_eq!(refused(&HashMap::from([("a", &value)])), half("a[0]"));
    let error = Fields::default().set("a", &value).expect_err("refused");
    assert_eq!(error.invalid_input(), Some(&half("a[0]")));
    let whole = raw(r#"{"a":"\ud83d\ude00"}"#);
    assert_eq!(text(&Fields::new(&whole).expect("fields")), whole.get());
}

#[test]
fn what_is_nested_as_deeply_as_allowed_is_still_read_by_others_within_the_request() {
    fn nested(levels: usize) -> serde_json::Value {
        (0..levels).fold(json!(1), |value, level| match level % 2 {
            0 => json!([value]),
            _ => json!({ "b": value }),
        })
    }
    let raw = |value: &_| to_raw_value(value).expect("JSON");
    let too_deep = InvalidInput::NestedTooDeep {
        field: "a".into(),
        most: MAX_NESTING,
    };
    let (most, more) = (nested(MAX_NESTING), nested(MAX_NESTING + 1));
    for field in [
        Fields::new(&json!({ "a": most })),
        Fields::new(&raw(&json!({ "a": most }))),
    ] {
        let body = format!(
            r#"{{"items":[{{"fieldData":{}}}]}}"#,
            text(&field.expect("fields"))
        );
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    }
    assert!(Fields::default().set("a", &most).is_ok());
    assert!(Fields::default().set("a", &raw(&most)).is_ok());
    assert_eq!(refused(&json!({ "a": more })), too_deep);
    assert_eq!(refused(&raw(&json!({ "a": more }))), too_deep);
    assert_eq!(refused(&HashMap::from([("a", raw(&more))])), too_deep);
    for error in [
        Fields::default().set("a", &more),
        Fields::default().set("a", &raw(&more)),
    ] {
        assert_eq!(error.expect_err("refused").invalid_input(), Some(&too_deep));
    }
}

#[test]
fn variants_are_as_deep_as_the_objects_that_they_become() {
    #[derive(Serialize)]
    enum Variant {
        Newtype(Vec<Variant>),
        Tuple(u8, Box<Variant>),
        Struct { inner: Box<Variant> },
        Unit,
    }
    fn nested(times: usize) -> Variant {
        (0..times).fold(Variant::Unit, |inner, _| {
            let tuple = Variant::Tuple(0, Box::new(inner));
            let inner = Variant::Struct {
                inner: tuple.into(),
            };
            Variant::Newtype(vec![inner])
        })
    }
    // Each time is six levels deep.
    assert!(Fields::default().set("a", &nested(MAX_NESTING / 6)).is_ok());
    assert!(
        Fields::default()
            .set("a", &nested(MAX_NESTING / 6 + 1))
            .is_err()
    );
}

#[test]
fn the_fields_of_text_with_spaces_are_found() {
    let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).expect("JSON");
    assert!(Fields::new(&raw("{ \n}")).expect("fields").is_empty());
    let mut fields = Fields::new(&raw(r#"{ "a" : [1, 2] , "\u0062":null }"#)).expect("fields");
    assert!(!fields.is_empty());
    fields.set("c", &3).expect("new");
    assert_eq!(text(&fields), r#"{"a":[1, 2],"b":null,"c":3}"#);
}
