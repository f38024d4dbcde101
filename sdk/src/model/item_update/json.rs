//! An item update as a line of JSON, in the words of the API.

mod words;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use words::{SHOWN, found, syntax};

use super::ItemUpdate;
use crate::error::{Error, InvalidInput};
use crate::id::{CmsLocaleId, ItemId, ParseIdError};
use crate::model::Fields;
use crate::model::members::{Member, Members, type_of, unquoted};
use crate::text::{beginning, without_mark};

/// How many characters of a reason are kept, which can repeat a value of any length.
const MOST_OF_A_REASON: usize = 500;

/// Ends the error about a text that is something else.
const WANTED: &str =
    r#"an item update is one JSON object, such as {"id":"…","fieldData":{"name":"…"}}"#;

/// The members that a line may have.
const KNOWN: &str = "id, cmsLocaleId, isArchived, isDraft, fieldData and error";

/// The members in the order that Webflow's documentation has, which is not the generator's and stays as it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
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

/// Why a text is not an item update, and the byte that is at fault, counted from 0.
struct Unreadable {
    at: usize,
    reason: String,
}

impl Unreadable {
    fn new(at: usize, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { at, reason }
    }
}

impl From<Unreadable> for Error {
    fn from(unreadable: Unreadable) -> Self {
        InvalidInput::InvalidItemUpdate {
            column: unreadable.at + 1,
            reason: beginning(&unreadable.reason, MOST_OF_A_REASON),
        }
        .into()
    }
}

/// Checks that a text is one JSON object.
fn check_object(text: &str) -> Result<(), Unreadable> {
    let start = text.len() - text.trim_start().len();
    let rest = text.trim();
    if !rest.starts_with('{') {
        return Err(Unreadable::new(start, format!("{}; {WANTED}", found(rest))));
    }
    let Err(error) = serde_json::from_str::<&RawValue>(text) else {
        return Ok(());
    };
    let lines = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    let line_at: usize = lines.map(str::len).sum();
    let at = line_at + error.column().saturating_sub(1);
    Err(Unreadable::new(at, syntax(text, at, &error)))
}

/// The members of a line, each of which may be there once.
#[derive(Default)]
struct Line<'a> {
    id: Option<Member<'a>>,
    cms_locale_id: Option<Member<'a>>,
    is_archived: Option<Member<'a>>,
    is_draft: Option<Member<'a>>,
    field_data: Option<Member<'a>>,
    /// Why an earlier run did not update the item.
    error: Option<Member<'a>>,
}

impl<'a> Line<'a> {
    fn read(text: &'a str) -> Result<Self, Unreadable> {
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
                // A member that the API does not know is a typing error, and no line may have one.
                _ => {
                    let name = beginning(&name, SHOWN);
                    let reason = format!("unknown member {name:?}; a line may have {KNOWN}");
                    return Err(Unreadable::new(member.name_at, reason));
                }
            };
            if place.is_some() {
                let reason = format!("the member {name:?} appears twice");
                return Err(Unreadable::new(member.name_at, reason));
            }
            *place = Some(member);
        }
        Ok(line)
    }
}

/// A member may be left out. But `"cmsLocaleId": null` is more likely a locale that was not found than the primary one.
fn of_type<'a>(member: &Member<'a>, wanted: &str) -> Result<&'a str, Unreadable> {
    let found = type_of(member.value);
    let hint = match found {
        _ if wanted == found => return Ok(member.value),
        "null" => "; leave the key out instead",
        _ => "",
    };
    let name = member.name();
    let reason = format!("{name:?} must be {wanted}, but it is {found}{hint}");
    Err(Unreadable::new(member.value_at, reason))
}

fn boolean(member: &Member<'_>) -> Result<bool, Unreadable> {
    of_type(member, "a boolean").map(|value| value == "true")
}

fn id<T: FromStr<Err = ParseIdError>>(member: &Member<'_>) -> Result<T, Unreadable> {
    let text = unquoted(of_type(member, "a string")?);
    text.parse()
        .map_err(|error: ParseIdError| Unreadable::new(member.value_at, error.to_string()))
}

fn fields<'a>(member: &Member<'a>) -> Result<&'a RawValue, Unreadable> {
    let text = of_type(member, "an object")?;
    serde_json::from_str(text)
        .map_err(|error| Unreadable::new(member.value_at, syntax(text, 0, &error)))
}

impl ItemUpdate {
    /// Reads an update from a JSON object as the API takes it, such as one line of a file of JSON lines.
    ///
    /// Field values are kept as they are written; numbers keep all their digits. A member `error`, which is where
    /// the reason is written when an update could not be made, is passed over, so that a corrected line can be used
    /// again as it is. So is a byte order mark before the text.
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
    /// [`InvalidInput::InvalidItemUpdate`], with the column, for text that is not one JSON object; for a member that is
    /// unknown, there twice, `null`, or of another type; and for an id that is not 24 hexadecimal digits. Else, for
    /// what is in `fieldData`, as [`Fields::new`](crate::Fields::new).
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let text = without_mark(text);
        check_object(text)?;
        let line = Line::read(text)?;
        let id_member = line.id.as_ref();
        let id_member = id_member.ok_or_else(|| {
            Unreadable::new(
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

    fn written(&self) -> Written<'_> {
        Written {
            id: self.key.id,
            cms_locale_id: self.key.locale,
            is_archived: self.archived,
            is_draft: self.draft,
            field_data: self.fields.as_ref(),
        }
    }

    /// The update as a JSON object on one line, without a line break at its end: what is sent for it, in an order that
    /// people read more easily.
    ///
    /// # Errors
    ///
    /// None is known: everything in an update has been serialized once.
    pub fn to_json(&self) -> Result<String, Error> {
        let text = serde_json::to_string(&self.written()).map_err(|error| {
            InvalidInput::Unserializable {
                path: Box::default(),
                reason: error.to_string().into(),
            }
        })?;
        if text.contains(['\n', '\r']) {
            // Fields that were given as JSON text may have them between tokens; in a string of JSON they are escaped.
            return Ok(text.replace(['\n', '\r'], " "));
        }
        Ok(text)
    }
}

impl FromStr for ItemUpdate {
    type Err = Error;

    /// As [`ItemUpdate::from_json`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_json(text)
    }
}

impl TryFrom<&str> for ItemUpdate {
    type Error = Error;

    /// As [`ItemUpdate::from_json`].
    fn try_from(text: &str) -> Result<Self, Error> {
        Self::from_json(text)
    }
}

impl fmt::Display for ItemUpdate {
    /// As [`ItemUpdate::to_json`].
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_json().map_err(|_| fmt::Error)?)
    }
}

impl Serialize for ItemUpdate {
    /// As the JSON object of [`ItemUpdate::to_json`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ItemUpdate {
    /// From the JSON object of [`ItemUpdate::from_json`]; other formats than JSON are not supported.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_json(text.get()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
