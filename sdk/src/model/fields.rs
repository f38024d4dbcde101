//! The fields that an item update sets or clears.

mod documented;
mod raw;
mod strict;

use std::borrow::Cow;
use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::members::Members;
use crate::error::{Error, InvalidInput};
use raw::FlawKind;
use strict::{Findings, MAX_NESTING, Strictly};

/// The values of the fields of an item, by slug.
///
/// Webflow leaves fields that are not in the object unchanged. A value is serialized once, directly into the text of
/// the request, so numbers keep all their digits.
///
/// `name` and `slug` must be strings, as the OpenAPI document specifies, and cannot be cleared. All other fields accept
/// any JSON value.
///
/// ```
/// use serde::Serialize;
/// use webflow_cms::model::Fields;
///
/// #[derive(Serialize)]
/// struct Lamp {
///     name: &'static str,
///     #[serde(rename = "price-eur")]
///     price: f64,
/// }
///
/// let mut fields = Fields::new(&Lamp { name: "Étoile", price: 99.5 })?;
/// fields.set("in-stock", &true)?;
/// fields.clear_field("old-price")?;
/// assert_eq!(
///     serde_json::to_string(&fields)?,
///     r#"{"name":"Étoile","price-eur":99.5,"in-stock":true,"old-price":null}"#,
/// );
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Fields(Text);

#[derive(Clone)]
enum Text {
    Whole(Box<RawValue>),
    Parts(Vec<Part>),
}

/// A field and its value.
type Part = (Box<str>, Box<RawValue>);

impl Default for Fields {
    fn default() -> Self {
        Self(Text::Parts(Vec::new()))
    }
}

impl Fields {
    /// Makes fields of a value that serializes to a JSON object.
    ///
    /// Prefer a struct over `serde_json::Value` and the macro `json!`: they turn a number that is not finite into
    /// `null` before this function sees it, and `null` clears a field.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput::FieldsNotAnObject`] if the value does not serialize to an object.
    /// - [`InvalidInput::WrongFieldType`] if a field has another type than the OpenAPI document specifies.
    /// - [`InvalidInput::DuplicateField`] if a field, or a member of an object in a field, occurs twice.
    /// - [`InvalidInput::NotFinite`] for NaN and infinities at any depth, which JSON would turn into `null`, and for
    ///   numbers in JSON text that exceed a 64-bit float.
    /// - [`InvalidInput::UnpairedSurrogate`] for JSON text with half of a surrogate pair in a string.
    /// - [`InvalidInput::NestedTooDeep`] if arrays and objects are nested more than 123 levels deep in a field.
    /// - [`InvalidInput::Unserializable`] if the value fails to serialize.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let findings = Findings::default();
        let text = serialized(&Strictly::fields(value, &findings), &findings)?;
        if !text.get().starts_with('{') {
            return Err(InvalidInput::FieldsNotAnObject.into());
        }
        for member in Members::of(text.get()) {
            documented::check(&member.name(), member.value)?;
        }
        Ok(Self(Text::Whole(text)))
    }

    /// Sets one more field.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::DuplicateField`] if the field is already set, and the errors of [`Fields::new`] for the value.
    pub fn set<T: Serialize + ?Sized>(&mut self, field: &str, value: &T) -> Result<(), Error> {
        let findings = Findings::default();
        let value = serialized(&Strictly::field(value, &findings), &findings)
            .map_err(|error| with_field(field, error))?;
        let parts = self.parts()?;
        if parts.iter().any(|(name, _)| **name == *field) {
            return Err(InvalidInput::DuplicateField {
                field: field.into(),
            }
            .into());
        }
        documented::check(field, value.get())?;
        parts.push((field.into(), value));
        Ok(())
    }

    /// Clears a field: sends `null` for it.
    ///
    /// Users of Webflow report that `null` clears a field; it is not documented. To clear a field of several images or
    /// references, set it to an empty array.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput::DuplicateField`] if the field is already set.
    /// - [`InvalidInput::WrongFieldType`] for `name` and `slug`, which an item always has.
    pub fn clear_field(&mut self, field: &str) -> Result<(), Error> {
        self.set(field, &())
    }

    /// Returns `true` without any field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Text::Whole(text) => Members::of(text.get()).next().is_none(),
            Text::Parts(parts) => parts.is_empty(),
        }
    }

    /// Iterates over the fields and the JSON texts of their values.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        let (text, parts): (_, &[Part]) = match &self.0 {
            Text::Whole(text) => (text.get(), &[]),
            Text::Parts(parts) => ("", parts),
        };
        let members = Members::of(text).map(|member| (member.name(), member.value));
        let parts = parts.iter();
        members.chain(parts.map(|(field, value)| (Cow::Borrowed(&**field), value.get())))
    }

    fn parts(&mut self) -> Result<&mut Vec<Part>, Error> {
        if let Text::Whole(text) = &self.0 {
            let parts = Members::of(text.get()).map(|member| {
                let value = serde_json::from_str(member.value).map_err(|error| {
                    InvalidInput::Unserializable {
                        path: member.name().into(),
                        reason: error.to_string().into(),
                    }
                })?;
                Ok((member.name().into(), value))
            });
            self.0 = Text::Parts(parts.collect::<Result<_, Error>>()?);
        }
        match &mut self.0 {
            Text::Parts(parts) => Ok(parts),
            // Unreachable: replaced by its parts above.
            Text::Whole(_) => Err(InvalidInput::FieldsNotAnObject.into()),
        }
    }
}

fn serialized<T: Serialize>(value: &T, findings: &Findings) -> Result<Box<RawValue>, Error> {
    to_raw_value(value).map_err(|error| {
        let path = findings.path().into_boxed_str();
        let refused = match findings.flaw() {
            Some(FlawKind::Duplicate) => InvalidInput::DuplicateField { field: path },
            Some(FlawKind::NotFinite) => InvalidInput::NotFinite { path },
            Some(FlawKind::UnpairedSurrogate) => InvalidInput::UnpairedSurrogate { path },
            Some(FlawKind::TooDeep) => InvalidInput::NestedTooDeep {
                field: findings.first_step().into(),
                most: MAX_NESTING,
            },
            None => InvalidInput::Unserializable {
                path,
                reason: error.to_string().into(),
            },
        };
        refused.into()
    })
}

/// Adds the name of the field to the path in an error.
fn with_field(field: &str, error: Error) -> Error {
    let path = |path: &str| match path {
        "" => field.into(),
        path if path.starts_with('[') => format!("{field}{path}").into(),
        path => format!("{field}.{path}").into(),
    };
    match error.invalid_input() {
        Some(InvalidInput::DuplicateField { field: inner }) => {
            InvalidInput::DuplicateField { field: path(inner) }.into()
        }
        Some(InvalidInput::NotFinite { path: inner }) => {
            InvalidInput::NotFinite { path: path(inner) }.into()
        }
        Some(InvalidInput::UnpairedSurrogate { path: inner }) => {
            InvalidInput::UnpairedSurrogate { path: path(inner) }.into()
        }
        Some(InvalidInput::NestedTooDeep { most, .. }) => InvalidInput::NestedTooDeep {
            field: field.into(),
            most: *most,
        }
        .into(),
        Some(InvalidInput::Unserializable {
            path: inner,
            reason,
        }) => InvalidInput::Unserializable {
            path: path(inner),
            reason: reason.clone(),
        }
        .into(),
        _ => error,
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Text::Whole(text) => text.serialize(serializer),
            Text::Parts(parts) => {
                let mut map = serializer.serialize_map(Some(parts.len()))?;
                for (name, value) in parts {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        serde_json::to_string(self).ok() == serde_json::to_string(other).ok()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests;
