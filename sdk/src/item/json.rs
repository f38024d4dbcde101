//! An item update as a line of JSON, in the words of the API.

use std::str::FromStr;

use serde::Serialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::ItemUpdate;
use crate::error::{Error, InvalidInput};
use crate::members::{Member, Members, type_of, unquoted};
use crate::text::{beginning, without_mark};
use crate::{CmsLocaleId, Fields, ItemId};

/// How many characters of a reason are kept, which can repeat a value of any length.
const MOST_OF_A_REASON: usize = 500;

/// How many characters of a refused text are shown.
const SHOWN: usize = 40;

/// What is wanted, for a text that is something else.
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

/// Why a text is no item update, and where: a byte, counted from 0.
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
        InvalidInput::UnreadableUpdate {
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

/// What a text is that does not begin like an object.
fn found(text: &str) -> String {
    let shown = beginning(text, SHOWN);
    if text.is_empty() {
        return "the text is empty".to_owned();
    }
    if text.starts_with('[') {
        return "this is a JSON array; write each of its objects on a line of its own".to_owned();
    }
    if serde_json::from_str::<&RawValue>(text).is_ok() {
        return format!("this is JSON, but {}", type_of(text));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let is_name = text.starts_with('"')
        && matches!(values.next(), Some(Ok(_)))
        && text
            .get(values.byte_offset()..)
            .is_some_and(|rest| rest.trim_start().starts_with(':'));
    if is_name || text.starts_with(['}', ']', ',']) {
        return format!(
            "{shown:?} is a part of JSON that is written over several lines; write each object on one line"
        );
    }
    if text.contains([',', ';', '\t']) {
        return format!("{shown:?} is no JSON, and looks like a row of CSV");
    }
    format!("{shown:?} is no JSON")
}

/// Says in words what is wrong with an object, and where parsing stopped.
fn syntax(text: &str, at: usize, error: &serde_json::Error) -> String {
    if error.classify() == Category::Eof {
        return "the object does not end; if it is written over several lines, write it on one"
            .to_owned();
    }
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    if before.trim_end().ends_with(',') && after.starts_with(['}', ']']) {
        return "a comma stands before a closing bracket".to_owned();
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.strip_suffix(&place).unwrap_or(&reason);
    match reason {
        "trailing characters" => "more text stands after the object".to_owned(),
        "key must be a string" => "the name of a member stands in no double quotes".to_owned(),
        "expected value" | "expected ident" => {
            "what stands here is no JSON value; text stands in double quotes".to_owned()
        }
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            r"a control character stands in a text, where it is written with a backslash, such as \n".to_owned()
        }
        reason => format!("the JSON is broken: {reason}"),
    }
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
                let reason = format!("the member {name:?} stands here a second time");
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

fn id<T: FromStr<Err = Error>>(member: &Member<'_>) -> Result<T, Unreadable> {
    let text = unquoted(of_type(member, "a string")?);
    text.parse()
        .map_err(|error: Error| Unreadable::new(member.value_at, error.to_string()))
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
    /// use webflow_cms::{InvalidInput, ItemUpdate};
    ///
    /// let line = r#"{"id":"66f6ed9576ddacf3149d5ea6","isDraft":true,"fieldData":{"weight":1.50}}"#;
    /// assert_eq!(ItemUpdate::from_json(line)?.to_json()?, line);
    ///
    /// let error = ItemUpdate::from_json(r#"{"id":"66f6ed9576ddacf3149d5ea6","draft":true}"#).unwrap_err();
    /// assert!(matches!(error.invalid_input(), Some(InvalidInput::UnreadableUpdate { column: 34, .. })));
    /// # Ok::<_, webflow_cms::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidInput::UnreadableUpdate`], with the column, for text that is not one JSON object; for a member that is
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

    use proptest::prelude::*;

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
    fn a_byte_order_mark_before_a_line_is_passed_over() {
        let marked = format!("\u{feff}{LINE}");
        let update = ItemUpdate::from_json(&marked).expect("an update");
        assert_eq!(update.to_json().expect("a line"), LINE);
        let said = refused("\u{feff}{\"id\":7}");
        assert!(said.contains("column 7: "), "the mark is no column: {said}");
    }

    #[test]
    fn an_update_may_be_written_over_several_lines() {
        let value: serde_json::Value = serde_json::from_str(LINE).expect("JSON");
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        assert!(ItemUpdate::from_json(&pretty).is_ok());
        let said = refused("{\n  \"id\": \"66f6ed9576ddacf3149d5ea6\",\n  oops\n}");
        assert!(said.contains("column 41: the name of a member"), "{said}");
    }

    #[test]
    fn what_is_no_object_is_refused_in_words_that_say_what_it_is() {
        let id = r#""id":"66f6ed9576ddacf3149d5ea6""#;
        for (text, told) in [
            (
                "",
                "column 1: the text is empty; an item update is one JSON object",
            ),
            (" \n", "the text is empty"),
            ("[]", "column 1: this is a JSON array"),
            (" [", "column 2: this is a JSON array"),
            ("\"a\"", "this is JSON, but a string; an item update is one"),
            ("-7", "this is JSON, but a number;"),
            ("null", "this is JSON, but null;"),
            ("false", "this is JSON, but a boolean;"),
            (
                "id,name,slug",
                "\"id,name,slug\" is no JSON, and looks like a row of CSV;",
            ),
            ("66f6ed9576ddacf3149d5ea6;Lamp", "looks like a row of CSV"),
            (
                "\"66f6ed9576ddacf3149d5ea6\",\"Lamp\"",
                "looks like a row of CSV",
            ),
            (
                "  \"isDraft\": true,",
                "column 3: \"\\\"isDraft\\\": true,\" is a part of JSON",
            ),
            ("},", "is a part of JSON that is written over several lines"),
            ("hello", "\"hello\" is no JSON;"),
            ("\u{1b}[2J", "\"\\u{1b}[2J\" is no JSON"),
            (
                "{",
                "column 1: the object does not end; if it is written over",
            ),
            (&format!("{{{id}"), "column 32: the object does not end"),
            (
                &format!("{{{id}}} {{{id}}}"),
                "column 35: more text stands after the object",
            ),
            (
                &format!("{{{id}}},"),
                "column 34: more text stands after the object",
            ),
            (
                "{'id':1}",
                "column 2: the name of a member stands in no double quotes",
            ),
            ("{\"id\":}", "column 7: what stands here is no JSON value"),
            ("{\"id\":nil}", "is no JSON value"),
            ("{\"id\":\"\n\"}", "a control character stands in a text"),
            (
                "{\"id\":[1,]}",
                "column 10: a comma stands before a closing bracket",
            ),
            (
                "{\"id\":1,}",
                "column 9: a comma stands before a closing bracket",
            ),
            ("{\"id\" 1}", "the JSON is broken: expected `:`"),
        ] {
            let said = refused(text);
            assert!(said.contains(told), "{text}: {said}");
        }
    }

    #[test]
    fn a_member_that_is_wrong_is_refused_with_its_name_and_place() {
        let id = r#""id":"66f6ed9576ddacf3149d5ea6""#;
        for (text, told) in [
            ("{}", "column 2: the member \"id\" is missing"),
            ("{\"id\":\"66f6\"}", "column 7: item id \"66f6\" is not"),
            (
                "{\"id\":7}",
                "column 7: \"id\" must be a string, but it is a number",
            ),
            ("{\"id\":null}", "\"id\" must be a string, but it is null"),
            ("{\"id\":\"\\ud83d\"}", "is not 24 hexadecimal digits"),
            (
                &format!("{{{id},{id}}}"),
                "column 34: the member \"id\" stands here a second time",
            ),
            (
                &format!("{{{id},\"locale\":1}}"),
                "column 34: unknown member \"locale\"; a line may have id, ",
            ),
            (
                &format!("{{{id},\"cmsLocaleId\":null}}"),
                "column 48: \"cmsLocaleId\" must be a string, but it is null; leave the key out instead",
            ),
            (
                &format!("{{{id},\"cmsLocaleId\":\"\"}}"),
                "CMS locale id \"\" is not 24",
            ),
            (
                &format!("{{{id},\"isDraft\":1}}"),
                "\"isDraft\" must be a boolean, but it is a number",
            ),
            (
                &format!("{{{id},\"isArchived\":\"true\"}}"),
                "must be a boolean, but it is a string",
            ),
            (
                &format!("{{{id},\"fieldData\":[]}}"),
                "\"fieldData\" must be an object, but it is an array",
            ),
            (
                &format!("{{{id},\"fieldData\":null}}"),
                "it is null; leave the key out instead",
            ),
            (
                &format!("{{{id},\"error\":1,\"error\":2}}"),
                "\"error\" stands here a second time",
            ),
        ] {
            let said = refused(text);
            assert!(said.contains(told), "{text}: {said}");
        }
        let long = refused(&format!("{{{id},\"{}\":1}}", "x".repeat(100_000)));
        assert!(long.len() < 1000, "{} bytes", long.len());
    }

    #[test]
    fn a_field_that_must_not_go_out_is_refused_with_its_path() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for (fields, told) in [
            (r#"{"a":1,"a":2}"#, "the field \"a\" is set more than once"),
            (
                r#"{"name":5}"#,
                "the field \"name\" must be a string, but it is a number",
            ),
            (
                r#"{"slug":null}"#,
                "the field \"slug\" must be a string, but it is null",
            ),
            (
                r#"{"a":{"b":[1e999]}}"#,
                "the number at \"a.b[0]\" is not finite",
            ),
            (
                r#"{"a":["cut \ud83d"]}"#,
                "the text at \"a[0]\" holds half of a surrogate pair",
            ),
            (
                &format!(r#"{{"a":{deep}}}"#),
                "the field \"a\" is nested more than 123 levels deep",
            ),
        ] {
            let said = refused(&format!(
                r#"{{"id":"66f6ed9576ddacf3149d5ea6","fieldData":{fields}}}"#
            ));
            assert!(said.contains(told), "{fields}: {said}");
        }
    }

    /// Words of parsers and of Rust, which say nothing to who writes a file.
    const FOREIGN: [&str; 9] = [
        "struct",
        "EOF",
        "expected value",
        "expected ident",
        "recursion",
        "invalid type",
        "Rust",
        "ItemUpdate",
        "u8",
    ];

    proptest! {
        #[test]
        fn a_broken_line_is_refused_in_words_of_its_own(at in 0..LINE.len(), put in "[{}\\[\\]\",:\\\\a1\n-]{0,3}", cut in 0..4_usize) {
            let (before, after) = (LINE.get(..at), LINE.get(at + cut..));
            let text = format!("{}{put}{}", before.unwrap_or(LINE), after.unwrap_or_default());
            let Err(error) = ItemUpdate::from_json(&text) else { return Ok(()) };
            let Some(InvalidInput::UnreadableUpdate { column, reason }) = error.invalid_input() else {
                return Ok(());
            };
            prop_assert!((1..=text.len() + 1).contains(column), "{column}");
            // What is quoted are the words of who wrote the line.
            let said: String = reason.split('"').step_by(2).collect();
            for foreign in FOREIGN {
                prop_assert!(!said.contains(foreign), "{said}");
            }
        }

        #[test]
        fn what_is_read_is_read_by_others_too(text in "\\{(\"[a-c]\":(\"(\\\\u[dD][89c][03][0-9]|é){0,3}\"|\\[{0,3}1\\]{0,3}),?){1,2}\\}") {
            let line = format!(r#"{{"id":"66f6ed9576ddacf3149d5ea6","fieldData":{text}}}"#);
            if ItemUpdate::from_json(&line).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
            }
        }
    }
}
