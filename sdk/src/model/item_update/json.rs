//! An item update as one line of JSON, in the format of the API.

mod message;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use message::{SHOWN_CHARS, found, syntax};

use super::ItemUpdate;
use crate::error::{Error, InvalidInput};
use crate::id::{CmsLocaleId, ItemId, ParseIdError};
use crate::model::Fields;
use crate::model::members::{Member, Members, type_of, unquoted};
use crate::text::{beginning, without_mark};

/// The maximum length of a reason in characters. A reason can quote a value of any length.
const MAX_REASON_CHARS: usize = 500;

/// The end of the error about a text that is not an object.
const EXPECTED: &str =
    r#"an item update is one JSON object, such as {"id":"…","fieldData":{"name":"…"}}"#;

/// The members of a line.
const KNOWN: &str = "id, cmsLocaleId, isArchived, isDraft, fieldData and error";

/// The members in the order of Webflow's documentation. The generated type has another order, which may change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Serialized<'a> {
    id: ItemId,
    #[serde(skip_serializing_if = "Option::is_none")]
    cms_locale_id: Option<CmsLocaleId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_archived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_draft: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field_data: Option<&'a Fields>,
}

/// The error of a text that is not an item update.
struct Invalid {
    /// The position of the fault, in bytes from 0.
    at: usize,
    reason: String,
}

impl Invalid {
    fn new(at: usize, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { at, reason }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        InvalidInput::InvalidItemUpdate {
            column: invalid.at + 1,
            reason: beginning(&invalid.reason, MAX_REASON_CHARS),
        }
        .into()
    }
}

/// Checks that a text is one JSON object.
fn check_object(text: &str) -> Result<(), Invalid> {
    let start = text.len() - text.trim_start().len();
    let rest = text.trim();
    if !rest.starts_with('{') {
        return Err(Invalid::new(start, format!("{}; {EXPECTED}", found(rest))));
    }
    let Err(error) = serde_json::from_str::<&RawValue>(text) else {
        return Ok(());
    };
    let lines = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    let line_at: usize = lines.map(str::len).sum();
    let at = line_at + error.column().saturating_sub(1);
    Err(Invalid::new(at, syntax(text, at, &error)))
}

/// The members of a line, each at most once.
#[derive(Default)]
struct Line<'a> {
    id: Option<Member<'a>>,
    cms_locale_id: Option<Member<'a>>,
    is_archived: Option<Member<'a>>,
    is_draft: Option<Member<'a>>,
    field_data: Option<Member<'a>>,
    /// The reason why an earlier run did not update the item, which is ignored.
    error: Option<Member<'a>>,
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Result<Self, Invalid> {
        let mut line = Self::default();
        for member in Members::of(text) {
            let name = member.name();
            let place = match &*name {
                "id" => &mut line.id,
                "cmsLocaleId" => &mut line.cms_locale_id,
                "isArchived" => &mut line.is_archived,
                "isDraft" => &mut line.is_draft,
                "fieldData" => &mut line.field_data,
                "error" => &mut line.error,
                // A member that the API does not know is most likely a typing error.
                _ => {
                    let name = beginning(&name, SHOWN_CHARS);
                    let reason = format!("unknown member {name:?}; a line may have {KNOWN}");
                    return Err(Invalid::new(member.name_at, reason));
                }
            };
            if place.is_some() {
                let reason = format!("the member {name:?} appears twice");
                return Err(Invalid::new(member.name_at, reason));
            }
            *place = Some(member);
        }
        Ok(line)
    }
}

/// Checks the type of a member. `null` is rejected: `"cmsLocaleId": null` is more likely the result of a failed lookup
/// than a reference to the primary locale.
fn of_type<'a>(member: &Member<'a>, expected: &str) -> Result<&'a str, Invalid> {
    let found = type_of(member.value);
    let hint = match found {
        _ if expected == found => return Ok(member.value),
        "null" => "; leave the key out instead",
        _ => "",
    };
    let name = member.name();
    let reason = format!("{name:?} must be {expected}, but it is {found}{hint}");
    Err(Invalid::new(member.value_at, reason))
}

fn boolean(member: &Member<'_>) -> Result<bool, Invalid> {
    of_type(member, "a boolean").map(|value| value == "true")
}

fn id<T: FromStr<Err = ParseIdError>>(member: &Member<'_>) -> Result<T, Invalid> {
    let text = unquoted(of_type(member, "a string")?);
    text.parse()
        .map_err(|error: ParseIdError| Invalid::new(member.value_at, error.to_string()))
}

fn fields<'a>(member: &Member<'a>) -> Result<&'a RawValue, Invalid> {
    let text = of_type(member, "an object")?;
    serde_json::from_str(text)
        .map_err(|error| Invalid::new(member.value_at, syntax(text, 0, &error)))
}

impl ItemUpdate {
    /// Parses an update from a JSON object in the format of the API, such as one line of a JSON Lines file.
    ///
    /// Field values are kept as written, and numbers keep all their digits. Two things are ignored: a byte order mark
    /// before the text, and a member `error`. A dead letter has the reason of its failure in that member, so a
    /// corrected dead letter can be used as input.
    ///
    /// ```
    /// use webflow_cms::ItemUpdate;
    /// use webflow_cms::error::InvalidInput;
    ///
    /// let line = r#"{"id":"66f6ed9576ddacf3149d5ea6","isDraft":true,"fieldData":{"weight":1.50}}"#;
    /// assert_eq!(ItemUpdate::from_json(line)?.to_json()?, line);
    ///
    /// let error = ItemUpdate::from_json(r#"{"id":"66f6ed9576ddacf3149d5ea6","draft":true}"#).unwrap_err();
    /// assert!(matches!(error.invalid_input(), Some(InvalidInput::InvalidItemUpdate { column: 34, .. })));
    /// # Ok::<_, webflow_cms::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`InvalidInput::InvalidItemUpdate`] with the column, if the text is not one JSON object, or an id is not 24
    ///   hexadecimal digits. The same applies to a member that is unknown, repeated, `null` or of another type.
    /// - The errors of [`Fields::new`] for the content of `fieldData`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let text = without_mark(text);
        check_object(text)?;
        let line = Line::parse(text)?;
        let id_member = line.id.as_ref();
        let id_member = id_member.ok_or_else(|| {
            Invalid::new(
                text.trim_end().len().saturating_sub(1),
                "the member \"id\" is missing",
            )
        })?;
        let mut update = Self::new(id(id_member)?);
        update.key.locale = line.cms_locale_id.as_ref().map(id).transpose()?;
        update.archived = line.is_archived.as_ref().map(boolean).transpose()?;
        update.draft = line.is_draft.as_ref().map(boolean).transpose()?;
        match line.field_data {
            Some(member) => update.fields(fields(&member)?),
            None => Ok(update),
        }
    }

    fn serialized(&self) -> Serialized<'_> {
        Serialized {
            id: self.key.id,
            cms_locale_id: self.key.locale,
            is_archived: self.archived,
            is_draft: self.draft,
            field_data: self.fields.as_ref(),
        }
    }

    /// Returns the update as a JSON object on one line, without a line break at the end.
    ///
    /// The object has the members that are sent, in the order of Webflow's documentation.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::Unserializable`]. No case is known, because the content has been serialized before.
    pub fn to_json(&self) -> Result<String, Error> {
        let text = serde_json::to_string(&self.serialized()).map_err(|error| {
            InvalidInput::Unserializable {
                path: Box::default(),
                reason: error.to_string().into(),
            }
        })?;
        if text.contains(['\n', '\r']) {
            // JSON text from the caller may have them between tokens. Inside a string they are always escaped.
            return Ok(text.replace(['\n', '\r'], " "));
        }
        Ok(text)
    }
}

impl FromStr for ItemUpdate {
    type Err = Error;

    /// Parses the JSON object of [`ItemUpdate::from_json`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_json(text)
    }
}

impl TryFrom<&str> for ItemUpdate {
    type Error = Error;

    /// Parses the JSON object of [`ItemUpdate::from_json`].
    fn try_from(text: &str) -> Result<Self, Error> {
        Self::from_json(text)
    }
}

impl fmt::Display for ItemUpdate {
    /// Writes the JSON object of [`ItemUpdate::to_json`].
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_json().map_err(|_| fmt::Error)?)
    }
}

impl Serialize for ItemUpdate {
    /// Serializes the JSON object of [`ItemUpdate::to_json`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialized().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ItemUpdate {
    /// Deserializes the JSON object of [`ItemUpdate::from_json`]. Only `serde_json` is supported.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_json(text.get()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
