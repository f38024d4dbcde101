//! The check of field values against the types in the OpenAPI document.

use crate::error::InvalidInput;
use crate::model::members;
use crate::spec;

/// Rejects a value of another type than the document specifies. A field that the document does not name belongs to the
/// collection and is accepted.
///
/// Only the type is checked, although the service has more rules. Its errors quote a pattern for slugs
/// (`^[_a-zA-Z0-9][-_a-zA-Z0-9]*$`, once with the empty string allowed), and collection schemas were observed to limit
/// both fields to 256 characters. These rules are not documented for this operation, and each collection states its
/// own. Webflow's guide says that spaces in a slug become dashes. A user could not work around a wrong rejection here,
/// whereas a rejection by the service comes with its reason.
pub(super) fn check(field: &str, value: &str) -> Result<(), InvalidInput> {
    if spec::STRING_FIELDS.contains(&field) && !value.starts_with('"') {
        return Err(InvalidInput::WrongFieldType {
            field: field.into(),
            expected: "a string",
            found: members::type_of(value),
        });
    }
    Ok(())
}
