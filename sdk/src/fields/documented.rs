//! The types that the OpenAPI document gives to fields.

use crate::error::InvalidInput;
use crate::{generated, members};

/// Refuses a value of another type than the document gives to the field. The document names few fields: the others
/// belong to the collection, and pass.
///
/// The type is all that is checked. Refusals of the service quote a pattern for slugs,
/// `^[_a-zA-Z0-9][-_a-zA-Z0-9]*$`, in one case with the empty text allowed, and schemas of collections were seen to
/// limit both fields to 256 characters. But both are told by each collection for itself and documented nowhere, and the
/// reference says that spaces in a slug become dashes. A slug that is refused here and taken there could not be sent at
/// all; one that is refused there comes back with the reason.
pub(super) fn check(field: &str, value: &str) -> Result<(), InvalidInput> {
    if generated::STRING_FIELDS.contains(&field) && !value.starts_with('"') {
        return Err(InvalidInput::WrongFieldType {
            field: field.into(),
            expected: "a string",
            found: members::type_of(value),
        });
    }
    Ok(())
}
