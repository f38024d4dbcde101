//! An item update as a line of JSON, in the words of the API.

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::ItemUpdate;
use crate::error::{Error, InvalidInput};
use crate::text::beginning;
use crate::{CmsLocaleId, Fields, ItemId};

/// How much of a reason is kept, which can repeat a value of any length.
const MOST_OF_A_REASON: usize = 500;

/// A member that the API does not know is a typing error, and no line may have one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Read {
    id: ItemId,
    #[serde(default, deserialize_with = "not_null")]
    cms_locale_id: Option<CmsLocaleId>,
    #[serde(default, deserialize_with = "not_null")]
    is_archived: Option<bool>,
    #[serde(default, deserialize_with = "not_null")]
    is_draft: Option<bool>,
    /// As it is written, so that numbers keep their digits and a field that comes twice is noticed.
    #[serde(default, deserialize_with = "not_null")]
    field_data: Option<Box<RawValue>>,
    /// Why an earlier run did not update the item.
    #[serde(default, rename = "error")]
    _error: IgnoredAny,
}

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

/// A member may be left out. But `"cmsLocaleId": null` is more likely a locale that was not found than the primary one.
fn not_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    match Option::deserialize(deserializer)? {
        Some(value) => Ok(Some(value)),
        None => Err(D::Error::custom(
            "null is no value for this key; leave the key out instead",
        )),
    }
}

impl ItemUpdate {
    /// Reads an update from a JSON object as the API takes it, such as one line of a file of JSON lines.
    ///
    /// Field values are kept as they are written; numbers keep all their digits. A member `error`, which is where
    /// the reason is written when an update could not be made, is passed over, so that a corrected line can be used
    /// again as it is.
    ///
    /// ```
    /// use webflow_cms::{InvalidInput, ItemUpdate};
    ///
    /// let line = r#"{"id":"66f6ed9576ddacf3149d5ea6","isDraft":true,"fieldData":{"weight":1.50}}"#;
    /// assert_eq!(ItemUpdate::from_json(line)?.to_json()?, line);
    ///
    /// let error = ItemUpdate::from_json(r#"{"id":"66f6ed9576ddacf3149d5ea6","draft":true}"#).unwrap_err();
    /// assert!(matches!(error.invalid_input(), Some(InvalidInput::UnreadableUpdate { column: 40, .. })));
    /// # Ok::<_, webflow_cms::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidInput::UnreadableUpdate`], with the column, for text that is not one JSON object; for a member that is
    /// unknown, there twice, `null`, or of another type; and for an id that is not 24 hexadecimal digits.
    /// [`InvalidInput::FieldsNotAnObject`], [`InvalidInput::DuplicateField`] and [`InvalidInput::NotFinite`] as
    /// [`Fields::new`](crate::Fields::new).
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let unreadable = |column, reason: &str| InvalidInput::UnreadableUpdate {
            column,
            reason: beginning(reason, MOST_OF_A_REASON),
        };
        // An array would be read as the members in the order of the struct.
        if text.trim_start().starts_with('[') {
            return Err(unreadable(1, "an array is no item update; it takes an object").into());
        }
        let entry: Read = serde_json::from_str(text).map_err(|error| {
            // For the reader of one line, it is always line 1.
            let reason = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            unreadable(
                error.column(),
                reason.strip_suffix(&place).unwrap_or(&reason),
            )
        })?;
        let mut update = Self::new(entry.id);
        update.key.locale = entry.cms_locale_id;
        update.archived = entry.is_archived;
        update.draft = entry.is_draft;
        match entry.field_data {
            Some(fields) => update.fields(&fields),
            None => Ok(update),
        }
    }

    /// The update as a JSON object on one line, without a line break at its end: what is sent for it, in an order that
    /// people read more easily.
    ///
    /// # Errors
    ///
    /// None is known: everything in an update has been serialized once.
    pub fn to_json(&self) -> Result<String, Error> {
        let line = Written {
            id: self.key.id,
            cms_locale_id: self.key.locale,
            is_archived: self.archived,
            is_draft: self.draft,
            field_data: self.fields.as_ref(),
        };
        let text = serde_json::to_string(&line).map_err(|error| InvalidInput::Unserializable {
            path: Box::default(),
            reason: error.to_string().into(),
        })?;
        if text.contains(['\n', '\r']) {
            // Fields that were given as JSON text may have them between tokens; in a string of JSON they are escaped.
            return Ok(text.replace(['\n', '\r'], " "));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const LINE: &str = r#"{"id":"66f6ed9576ddacf3149d5ea6","cmsLocaleId":"66f6e966c9e1dc700a857ca4","isArchived":false,"isDraft":true,"fieldData":{"b":12345678901234567890.10,"a":null,"c":{"é":[1e2]}}}"#;

    fn refused(text: &str) -> String {
        ItemUpdate::from_json(text)
            .expect_err("a refusal")
            .to_string()
    }

    #[test]
    fn a_line_becomes_the_same_line_again_to_the_digit() {
        let update = ItemUpdate::from_json(LINE).expect("an update");
        assert_eq!(update.to_json().expect("a line"), LINE);
        let bare = r#"{"id":"66f6ed9576ddacf3149d5ea6"}"#;
        let update = ItemUpdate::from_json(bare).expect("an update");
        assert_eq!(update.to_json().expect("a line"), bare);
    }

    #[test]
    fn a_line_holds_what_is_sent_for_the_update_and_nothing_else() {
        let members = |text: &str| {
            let members: BTreeMap<String, Box<RawValue>> =
                serde_json::from_str(text).expect("JSON");
            let text = |(name, value): (_, Box<RawValue>)| (name, value.get().to_owned());
            members.into_iter().map(text).collect::<Vec<_>>()
        };
        let update = ItemUpdate::from_json(LINE).expect("an update");
        let sent = serde_json::to_string(&update.entry()).expect("JSON");
        assert_eq!(members(LINE), members(&sent));
    }

    #[test]
    fn an_update_is_one_line_even_if_its_fields_were_written_on_several() {
        let fields: Box<RawValue> =
            serde_json::from_str("{\"a\":\r\n[1,\n2],\"b\":\"\\n\"}").expect("JSON");
        let id = ItemId::new("66f6ed9576ddacf3149d5ea6").expect("an id");
        let update = ItemUpdate::new(id).fields(&fields).expect("fields");
        let line = update.to_json().expect("a line");
        assert_eq!(line.lines().count(), 1, "{line:?}");
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(
            same(&line),
            same(&serde_json::to_string(&update.entry()).expect("JSON"))
        );
    }

    #[test]
    fn the_reason_of_an_earlier_run_is_passed_over() {
        let with_reason = LINE.replace("{\"id\"", r#"{"error":{"kind":"not_found"},"id""#);
        let update = ItemUpdate::from_json(&with_reason).expect("an update");
        assert_eq!(update.to_json().expect("a line"), LINE);
    }

    #[test]
    fn what_is_no_update_is_refused_with_the_place_and_the_reason() {
        let id = r#""id":"66f6ed9576ddacf3149d5ea6""#;
        for (text, told) in [
            ("", "column 0: EOF while parsing a value"),
            ("{}", "column 2: missing field `id`"),
            ("[\"66f6ed9576ddacf3149d5ea6\"]", "column 1: an array"),
            ("{\"id\":\"66f6\"}", "column 13: item id \"66f6\" is not"),
            (&format!("{{{id},{id}}}"), "column 37: duplicate field `id`"),
            (
                &format!("{{{id},\"locale\":1}}"),
                "column 41: unknown field `locale`",
            ),
            (
                &format!("{{{id},\"isDraft\":null}}"),
                "leave the key out instead",
            ),
            (
                &format!("{{{id},\"isDraft\":1}}"),
                "invalid type: integer `1`",
            ),
            (
                &format!("{{{id},\"error\":1,\"error\":2}}"),
                "duplicate field `error`",
            ),
            (
                &format!("{{{id}}} {{{id}}}"),
                "column 35: trailing characters",
            ),
            (
                &format!("{{{id},\"fieldData\":[]}}"),
                "the fields do not serialize to a JSON object",
            ),
            (
                &format!("{{{id},\"fieldData\":{{\"a\":1,\"a\":2}}}}"),
                "the field \"a\" is set more than once",
            ),
        ] {
            let said = refused(text);
            assert!(said.contains(told), "{text}: {said}");
        }
        let long = refused(&format!("{{{id},\"isDraft\":\"{}\"}}", "x".repeat(100_000)));
        assert!(long.len() < 1000, "{} bytes", long.len());
    }
}
