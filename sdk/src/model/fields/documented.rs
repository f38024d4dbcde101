//! Checks field values against the types in the OpenAPI document.

use crate::error::InvalidInput;
use crate::model::members;
use crate::spec;

/// Refuses a value of another type than the document gives to the field. A field that the document does not name
/// belongs to the collection, and passes.
///
/// Only the type is checked. Errors of the service quote a pattern for slugs (`^[_a-zA-Z0-9][-_a-zA-Z0-9]*$`, once with
/// the empty string allowed), and collection schemas were seen to limit both fields to 256 characters. These rules are
/// not documented for this operation, each collection states its own, and Webflow's guide says that spaces in a slug
/// become dashes. A wrong refusal here could not be worked around; a refusal by the service comes with its reason.
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
