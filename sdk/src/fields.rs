//! The fields that an item update sets or clears.

mod raw;
mod strict;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::error::{Error, InvalidInput};
use strict::{Findings, Strictly};

/// Values for the fields of an item, by slug: what is not in here stays as it is.
///
/// A value of one's own is written once, into the text that goes out. Numbers keep all their digits.
///
/// ```
/// use serde::Serialize;
/// use webflow_cms::Fields;
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
/// fields.clear("old-price")?;
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
    /// [`InvalidInput::FieldsNotAnObject`]; [`InvalidInput::DuplicateField`] if the value writes a field, or a member of
    /// any object in one, twice; [`InvalidInput::NotFinite`] for NaN and infinities at any depth, which JSON would turn
    /// into `null`, and for numbers in JSON text that no 64-bit float can hold; [`InvalidInput::Unserializable`] if the value's own serialization fails.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let findings = Findings::default();
        let text = written(&Strictly::outermost(value, &findings), &findings)?;
        if !text.get().starts_with('{') {
            return Err(InvalidInput::FieldsNotAnObject.into());
        }
        let mut fields = Self(Text::Whole(text));
        if findings.raw.get() {
            fields.parts()?;
        }
        Ok(fields)
    }

    /// Sets one more field.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::DuplicateField`] if the field is set already, else as [`Fields::new`].
    pub fn set<T: Serialize + ?Sized>(&mut self, field: &str, value: &T) -> Result<(), Error> {
        let findings = Findings::default();
        let value = written(&Strictly::inner(value, &findings), &findings)
            .map_err(|error| within(field, error))?;
        let parts = self.parts()?;
        if parts.iter().any(|(name, _)| **name == *field) {
            return Err(InvalidInput::DuplicateField {
                field: field.into(),
            }
            .into());
        }
        parts.push((field.into(), value));
        Ok(())
    }

    /// Clears a field, by an explicit `null`. That `null` clears a field is what Webflow's users report; it is not
    /// documented. A field of several images or references is cleared by setting it to an empty array.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::DuplicateField`] if the field is set already.
    pub fn clear(&mut self, field: &str) -> Result<(), Error> {
        self.set(field, &())
    }

    /// Whether there is no field in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Text::Whole(text) => text.get() == "{}",
            Text::Parts(parts) => parts.is_empty(),
        }
    }

    fn parts(&mut self) -> Result<&mut Vec<Part>, Error> {
        if let Text::Whole(text) = &self.0 {
            let Parts(parts) =
                serde_json::from_str(text.get()).map_err(|error| InvalidInput::Unserializable {
                    path: Box::default(),
                    reason: error.to_string().into(),
                })?;
            for (position, (field, _)) in parts.iter().enumerate() {
                if parts
                    .iter()
                    .take(position)
                    .any(|(earlier, _)| earlier == field)
                {
                    return Err(InvalidInput::DuplicateField {
                        field: field.clone(),
                    }
                    .into());
                }
            }
            self.0 = Text::Parts(parts);
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
        let refused = if findings.duplicate.get() {
            InvalidInput::DuplicateField { field: path }
        } else if findings.not_finite.get() {
            InvalidInput::NotFinite { path }
        } else {
            InvalidInput::Unserializable {
                path,
                reason: error.to_string().into(),
            }
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

struct Parts(Vec<Part>);

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Parts;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts, A::Error> {
                let mut parts = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(part) = map.next_entry()? {
                    parts.push(part);
                }
                Ok(Parts(parts))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests;
