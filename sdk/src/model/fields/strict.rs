//! A serializer that rejects values which JSON would change silently.
//!
//! `serde_json` writes a number that is not finite as `null`, and `null` clears a field of Webflow. It also writes
//! duplicate keys. Since the written text does not show the former, this serializer wraps the one of `serde_json` and
//! checks each value first. JSON text that the caller supplies is scanned.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt::Display;

use super::raw::{self, FlawKind, Names};
use serde::ser::{self, Error as _, Serialize, SerializeMap, Serializer};

/// The maximum depth of arrays and objects in the value of a field.
///
/// Webflow documents no limit. Common JSON parsers, `serde_json` among them, accept fewer than 128 levels. The value is
/// at level 4 of the request, inside the body, its list, the entry and the field data.
pub(super) const MAX_NESTING: usize = 128 - 1 - 4;

/// The maximum depth including the object of the fields.
const LEVELS: usize = MAX_NESTING + 1;

/// The fault of a value and its path, shared by all levels of the value.
#[derive(Default)]
pub(super) struct Findings {
    flaw: Cell<Option<FlawKind>>,
    path: RefCell<Vec<String>>,
}

impl Findings {
    /// Returns the fault, or `None` if the value itself failed to serialize.
    pub(super) fn flaw(&self) -> Option<FlawKind> {
        self.flaw.get()
    }

    /// Returns the outermost step of the path.
    pub(super) fn first_step(&self) -> String {
        self.path.borrow().last().cloned().unwrap_or_default()
    }

    /// Returns the path to the value at which serialization stopped, such as `images[2].width`.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for step in self.path.borrow().iter().rev() {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        path
    }

    fn at<T, E>(&self, result: Result<T, E>, step: impl FnOnce() -> String) -> Result<T, E> {
        if result.is_err() {
            self.path.borrow_mut().push(step());
        }
        result
    }

    fn found<E: ser::Error>(&self, kind: FlawKind) -> E {
        self.flaw.set(Some(kind));
        E::custom("a value that JSON would change")
    }

    fn duplicate<E: ser::Error>(&self, name: &str) -> E {
        self.path.borrow_mut().push(name.to_owned());
        self.found(FlawKind::Duplicate)
    }

    /// Checks JSON text that the caller supplies.
    fn check<E: ser::Error>(&self, text: &str, depth: usize) -> Result<(), E> {
        match raw::flaw(text, LEVELS.saturating_sub(depth)) {
            None => Ok(()),
            Some(flaw) => {
                self.path.borrow_mut().extend(flaw.path.into_iter().rev());
                Err(self.found(flaw.kind))
            }
        }
    }
}

/// The names of the structs by which serde_json passes raw JSON text, and numbers with all their digits.
const RAW: &str = "$serde_json::private::RawValue";
const NUMBER: &str = "$serde_json::private::Number";

/// A value that is serialized strictly.
pub(super) struct Strictly<'a, T: ?Sized> {
    value: &'a T,
    findings: &'a Findings,
    /// How many arrays and objects enclose it.
    depth: usize,
}

impl<'a, T: ?Sized> Strictly<'a, T> {
    /// The object of all fields.
    pub(super) fn fields(value: &'a T, findings: &'a Findings) -> Self {
        let depth = 0;
        Self {
            value,
            findings,
            depth,
        }
    }

    /// The value of a field.
    pub(super) fn field(value: &'a T, findings: &'a Findings) -> Self {
        let depth = 1;
        Self {
            value,
            findings,
            depth,
        }
    }
}

impl<T: Serialize + ?Sized> Serialize for Strictly<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Strict {
            inner: serializer,
            findings: self.findings,
            depth: self.depth,
        })
    }
}

struct Strict<'a, S> {
    inner: S,
    findings: &'a Findings,
    depth: usize,
}

impl<'a, S: Serializer> Strict<'a, S> {
    fn wrap<'v, T: ?Sized>(&self, value: &'v T) -> Strictly<'v, T>
    where
        'a: 'v,
    {
        Strictly {
            value,
            findings: self.findings,
            depth: self.depth,
        }
    }

    /// Returns the depth inside of `levels` more arrays and objects.
    fn deeper(&self, levels: usize) -> Result<usize, S::Error> {
        match self.depth + levels {
            depth if depth > LEVELS => Err(self.findings.found(FlawKind::TooDeep)),
            depth => Ok(depth),
        }
    }

    fn finite(&self, finite: bool) -> Result<(), S::Error> {
        match finite {
            true => Ok(()),
            false => Err(self.findings.found(FlawKind::NotFinite)),
        }
    }
}

macro_rules! delegated {
    ($($method:ident($($argument:ident: $ty:ty),*);)*) => {
        $(fn $method(self $(, $argument: $ty)*) -> Result<S::Ok, S::Error> { self.inner.$method($($argument),*) })*
    };
}

impl<'a, S: Serializer> Serializer for Strict<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<'a, S::SerializeSeq>;
    type SerializeTuple = Compound<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'a, S::SerializeTupleVariant>;
    type SerializeMap = Compound<'a, S::SerializeMap>;
    type SerializeStruct = Compound<'a, S::SerializeStruct>;
    type SerializeStructVariant = Compound<'a, S::SerializeStructVariant>;

    delegated! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.finite(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.finite(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.wrap(value);
        self.inner.serialize_some(&value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.wrap(value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let (depth, findings) = (self.deeper(1)?, self.findings);
        let value = Strictly {
            value,
            findings,
            depth,
        };
        let result = self
            .inner
            .serialize_newtype_variant(name, index, variant, &value);
        findings.at(result, || variant.to_owned())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let depth = self.deeper(1)?;
        let inner = self.inner.serialize_seq(len)?;
        Ok(Compound::new(inner, self.findings, depth))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let depth = self.deeper(1)?;
        let inner = self.inner.serialize_tuple(len)?;
        Ok(Compound::new(inner, self.findings, depth))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let depth = self.deeper(1)?;
        let inner = self.inner.serialize_tuple_struct(name, len)?;
        Ok(Compound::new(inner, self.findings, depth))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let depth = self.deeper(2)?;
        let inner = self
            .inner
            .serialize_tuple_variant(name, index, variant, len)?;
        Ok(Compound::new(inner, self.findings, depth))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let depth = self.deeper(1)?;
        let inner = self.inner.serialize_map(len)?;
        Ok(Compound::new(inner, self.findings, depth))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        // serde_json passes raw JSON text as a struct, which is not an object of its own.
        let is_raw = name == RAW || name == NUMBER;
        let depth = self.deeper(usize::from(!is_raw))?;
        let inner = self.inner.serialize_struct(name, len)?;
        Ok(Compound {
            is_raw,
            ..Compound::new(inner, self.findings, depth)
        })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let depth = self.deeper(2)?;
        let inner = self
            .inner
            .serialize_struct_variant(name, index, variant, len)?;
        Ok(Compound::new(inner, self.findings, depth))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// An array or object that is being serialized.
struct Compound<'a, C> {
    inner: C,
    findings: &'a Findings,
    /// How many arrays and objects enclose its elements.
    depth: usize,
    /// Whether its only member is raw JSON text.
    is_raw: bool,
    names: Names,
    index: usize,
    /// The last key of a map, whose value is serialized in a separate call.
    key: String,
}

impl<'a, C> Compound<'a, C> {
    fn new(inner: C, findings: &'a Findings, depth: usize) -> Self {
        Self {
            inner,
            findings,
            depth,
            is_raw: false,
            names: Names::default(),
            index: 0,
            key: String::new(),
        }
    }

    fn element<'v, T: ?Sized>(&self, value: &'v T) -> Strictly<'v, T>
    where
        'a: 'v,
    {
        Strictly {
            value,
            findings: self.findings,
            depth: self.depth,
        }
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident;)*) => {
        $(impl<C: ser::$trait> ser::$trait for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let index = self.index;
                self.index += 1;
                let value = self.element(value);
                let result = self.inner.$method(&value);
                self.findings.at(result, || format!("[{index}]"))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

elements! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! members {
    ($($trait:ident;)*) => {
        $(impl<C: ser::$trait> ser::$trait for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), C::Error> {
                if self.is_raw
                    && let Ok(serde_json::Value::String(text)) = serde_json::to_value(value)
                {
                    self.findings.check(&text, self.depth)?;
                }
                if !self.names.insert(Cow::Borrowed(key)) {
                    return Err(self.findings.duplicate(key));
                }
                let value = self.element(value);
                let result = self.inner.serialize_field(key, &value);
                self.findings.at(result, || key.to_owned())
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(key)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

members! {
    SerializeStruct;
    SerializeStructVariant;
}

impl<C: SerializeMap> SerializeMap for Compound<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.key = key_text(key).map_err(C::Error::custom)?;
        if !self.names.insert(Cow::Owned(self.key.clone())) {
            return Err(self.findings.duplicate(&self.key));
        }
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let value = self.element(value);
        let result = self.inner.serialize_value(&value);
        self.findings.at(result, || self.key.clone())
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

/// Returns the text of a key, which only serde_json's serializer of keys determines.
fn key_text<T: Serialize + ?Sized>(key: &T) -> serde_json::Result<String> {
    struct Only<'a, T: ?Sized>(&'a T);

    impl<T: Serialize + ?Sized> Serialize for Only<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(self.0, &())?;
            map.end()
        }
    }

    match Only(key).serialize(serde_json::value::Serializer)? {
        serde_json::Value::Object(members) => {
            Ok(members.into_iter().map(|(name, _)| name).collect())
        }
        _ => Ok(String::new()),
    }
}
