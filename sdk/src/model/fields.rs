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
use raw::What;
use strict::{Findings, MAX_NESTING, Strictly};

/// Values for the fields of an item, by slug: what is not in here stays as it is.
///
/// A value of one's own is written once, into the text that goes out. Numbers keep all their digits.
///
/// `name` and `slug` are strings, as the OpenAPI document says, and cannot be cleared. Fields that the document does
/// not name take any JSON value.
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
    /// The fields of any value that serializes to a JSON object.
    ///
    /// A `serde_json::Value`, and so the macro `json!`, has turned a number that is not finite into `null` before it comes
    /// here, and `null` clears a field; a struct has not.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput::FieldsNotAnObject`].
    /// - [`InvalidInput::WrongFieldType`] if a field is not of the type that the OpenAPI document gives it.
    /// - [`InvalidInput::DuplicateField`] if the value writes a field, or a member of any object in one, twice.
    /// - [`InvalidInput::NotFinite`] for NaN and infinities at any depth, which JSON would turn into `null`, and for
    ///   numbers in JSON text that no 64-bit float can hold.
    /// - [`InvalidInput::UnpairedSurrogate`] for JSON text with half of a surrogate pair in a string.
    /// - [`InvalidInput::NestedTooDeep`] if arrays and objects are nested more than 123 levels deep in a field.
    /// - [`InvalidInput::Unserializable`] if the value's own serialization fails.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let findings = Findings::default();
        let text = written(&Strictly::fields(value, &findings), &findings)?;
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
    /// [`InvalidInput::DuplicateField`] if the field is set already, else as [`Fields::new`].
    pub fn set<T: Serialize + ?Sized>(&mut self, field: &str, value: &T) -> Result<(), Error> {
        let findings = Findings::default();
        let value = written(&Strictly::field(value, &findings), &findings)
            .map_err(|error| within(field, error))?;
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

    /// Clears a field, by an explicit `null`. That `null` clears a field is what Webflow's users report; it is not
    /// documented. A field of several images or references is cleared by setting it to an empty array.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::DuplicateField`] if the field is set already; [`InvalidInput::WrongFieldType`] for `name` and
    /// `slug`, which an item always has.
    pub fn clear_field(&mut self, field: &str) -> Result<(), Error> {
        self.set(field, &())
    }

    /// Whether there is no field in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Text::Whole(text) => Members::of(text.get()).next().is_none(),
            Text::Parts(parts) => parts.is_empty(),
        }
    }

    /// Each field and the JSON text of its value.
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
            // Just replaced by its parts.
            Text::Whole(_) => Err(InvalidInput::FieldsNotAnObject.into()),
        }
    }
}

fn written<T: Serialize>(value: &T, findings: &Findings) -> Result<Box<RawValue>, Error> {
    to_raw_value(value).map_err(|error| {
        let path = findings.path().into_boxed_str();
        let refused = match findings.what() {
            Some(What::Duplicate) => InvalidInput::DuplicateField { field: path },
            Some(What::NotFinite) => InvalidInput::NotFinite { path },
            Some(What::UnpairedSurrogate) => InvalidInput::UnpairedSurrogate { path },
            Some(What::TooDeep) => InvalidInput::NestedTooDeep {
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

/// The error of a value, with the field that it was for in front of its path.
fn within(field: &str, error: Error) -> Error {
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
