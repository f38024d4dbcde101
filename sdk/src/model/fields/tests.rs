//! Properties of fields.

use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer};
use serde_json::json;

use super::*;

fn text(fields: &Fields) -> String {
    serde_json::to_string(fields).expect("fields are JSON")
}

fn rejected<T: Serialize + ?Sized>(value: &T) -> InvalidInput {
    Fields::new(value)
        .expect_err("rejected")
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
fn a_number_that_is_not_finite_is_rejected_at_any_depth_with_its_path() {
    #[derive(Serialize)]
    struct Deep {
        sizes: Vec<BTreeMap<&'static str, Option<f32>>>,
    }
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let deep = Deep {
            sizes: vec![BTreeMap::new(), BTreeMap::from([("width", Some(number))])],
        };
        assert_eq!(
            rejected(&deep),
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
        rejected(&flattened),
        InvalidInput::NotFinite {
            path: "weight".into()
        }
    );
    let mut fields = Fields::default();
    let error = fields
        .set("box", &(1.0, f64::INFINITY))
        .expect_err("rejected");
    assert_eq!(
        error.invalid_input(),
        Some(&InvalidInput::NotFinite {
            path: "box[1]".into()
        })
    );
    assert!(fields.is_empty());
}

#[test]
fn a_value_that_is_not_an_object_is_rejected() {
    for value in [
        json!(null),
        json!(1),
        json!("text"),
        json!([1]),
        json!(true),
    ] {
        assert_eq!(rejected(&value), InvalidInput::FieldsNotAnObject, "{value}");
    }
    assert_eq!(rejected(&()), InvalidInput::FieldsNotAnObject);
    assert_eq!(rejected(&None::<Product>), InvalidInput::FieldsNotAnObject);
    let raw = to_raw_value(&[1]).expect("JSON");
    assert_eq!(rejected(&raw), InvalidInput::FieldsNotAnObject);
}

#[test]
fn a_duplicate_field_is_rejected_from_every_source() {
    let twice = InvalidInput::DuplicateField {
        field: "name".into(),
    };
    let flattened = Product {
        name: "a",
        more: HashMap::from([("name", 1.0)]),
    };
    assert_eq!(rejected(&flattened), twice);
    let raw = serde_json::from_str::<Box<RawValue>>(r#"{"name":1,"n\u0061me":2}"#).expect("JSON");
    assert_eq!(rejected(&raw), twice);
    let mut fields = Fields::new(&json!({"name": "a"})).expect("an object");
    let error = fields.set("name", "b").expect_err("rejected");
    assert_eq!(error.invalid_input(), Some(&twice));
    let error = fields.clear_field("name").expect_err("rejected");
    assert_eq!(error.invalid_input(), Some(&twice));
    assert_eq!(
        text(&fields),
        r#"{"name":"a"}"#,
        "a rejected field changes nothing"
    );
}

#[test]
fn a_duplicate_member_is_rejected_in_any_object_with_its_path() {
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
    assert_eq!(rejected(&images), twice("images[0].name"));
    let raw = serde_json::from_str::<Box<RawValue>>(r#"{"a":{"b":1,"b":2}}"#).expect("JSON");
    assert_eq!(rejected(&raw), twice("a.b"));
    assert_eq!(
        rejected(&BTreeMap::from([("box", [&raw])])),
        twice("box[0].a.b")
    );
    let error = Fields::default().set("box", &raw).expect_err("rejected");
    assert_eq!(error.invalid_input(), Some(&twice("box.a.b")));
}

#[test]
fn a_number_that_exceeds_a_float_is_rejected_with_its_path() {
    let raw = serde_json::from_str::<Box<RawValue>>(r#"{"a":[0,-1e999]}"#).expect("JSON");
    let path = |path: &str| InvalidInput::NotFinite { path: path.into() };
    assert_eq!(rejected(&raw), path("a[1]"));
    assert_eq!(rejected(&BTreeMap::from([("box", &raw)])), path("box.a[1]"));
    let error = Fields::default().set("box", &raw).expect_err("rejected");
    assert_eq!(error.invalid_input(), Some(&path("box.a[1]")));
}

#[test]
fn numeric_keys_are_compared_as_text() {
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
        rejected(&Twice),
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
fn a_value_that_fails_to_serialize_is_reported_with_path_and_reason() {
    struct Failing;
    impl Serialize for Failing {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no such colour"))
        }
    }
    let rejected = rejected(&HashMap::from([("colour", Failing)]));
    assert_eq!(
        rejected,
        InvalidInput::Unserializable {
            path: "colour".into(),
            reason: "no such colour".into()
        }
    );
}

#[test]
fn fields_set_one_by_one_equal_fields_of_an_object() {
    let whole = Fields::new(&json!({"a": 1, "b": null})).expect("an object");
    let mut single = Fields::default();
    single.set("a", &1).expect("new");
    single.clear_field("b").expect("new");
    assert_eq!(whole, single);
}

#[test]
fn a_field_with_a_documented_type_accepts_no_other_from_any_source() {
    #[derive(Serialize)]
    struct Named<T> {
        name: T,
    }
    fn wrong<T: Serialize>(name: T) -> &'static str {
        let raw = to_raw_value(&json!({"name": &name})).expect("JSON");
        let set = Fields::default().set("name", &name).expect_err("rejected");
        let refusals = [
            rejected(&Named { name: &name }),
            rejected(&HashMap::from([("name", &name)])),
            rejected(&raw),
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
    let error = Fields::default().clear_field("slug").expect_err("rejected");
    assert_eq!(
        error.to_string(),
        "the field \"slug\" must be a string, but it is null"
    );
}

#[test]
fn a_value_that_serializes_to_a_string_is_accepted_as_a_string() {
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
fn a_name_or_slug_inside_another_field_is_not_checked() {
    let nested = json!({"author": {"name": 5, "slug": null}, "names": [null]});
    assert!(Fields::new(&nested).is_ok());
}

#[test]
fn half_a_surrogate_pair_is_rejected_with_its_path() {
    let half = |path: &str| InvalidInput::UnpairedSurrogate { path: path.into() };
    let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).expect("JSON");
    let value = raw(r#"["half \ud83d"]"#);
    assert_eq!(rejected(&raw(r#"{"a":{"b":"\ude00"}}"#)), half("a.b"));
    assert_eq!(rejected(&HashMap::from([("a", &value)])), half("a[0]"));
    let error = Fields::default().set("a", &value).expect_err("rejected");
    assert_eq!(error.invalid_input(), Some(&half("a[0]")));
    let whole = raw(r#"{"a":"\ud83d\ude00"}"#);
    assert_eq!(text(&Fields::new(&whole).expect("fields")), whole.get());
}

#[test]
fn a_field_of_maximum_depth_can_be_parsed_within_its_request() {
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
    assert_eq!(rejected(&json!({ "a": more })), too_deep);
    assert_eq!(rejected(&raw(&json!({ "a": more }))), too_deep);
    assert_eq!(rejected(&HashMap::from([("a", raw(&more))])), too_deep);
    for error in [
        Fields::default().set("a", &more),
        Fields::default().set("a", &raw(&more)),
    ] {
        assert_eq!(
            error.expect_err("rejected").invalid_input(),
            Some(&too_deep)
        );
    }
}

#[test]
fn enum_variants_count_as_the_objects_that_they_serialize_to() {
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
    // Each repetition has six levels.
    assert!(Fields::default().set("a", &nested(MAX_NESTING / 6)).is_ok());
    assert!(
        Fields::default()
            .set("a", &nested(MAX_NESTING / 6 + 1))
            .is_err()
    );
}

#[test]
fn fields_of_text_with_white_space_are_found() {
    let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).expect("JSON");
    assert!(Fields::new(&raw("{ \n}")).expect("fields").is_empty());
    let mut fields = Fields::new(&raw(r#"{ "a" : [1, 2] , "\u0062":null }"#)).expect("fields");
    assert!(!fields.is_empty());
    fields.set("c", &3).expect("new");
    assert_eq!(text(&fields), r#"{"a":[1, 2],"b":null,"c":3}"#);
}
