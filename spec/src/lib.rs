#![doc = include_str!("../README.md")]

use std::fmt;

/// The text of `openapi.yaml`.
///
/// ```
/// assert!(webflow_cms_spec::OPENAPI_YAML.contains("openapi: 3.0.3"));
/// ```
pub const OPENAPI_YAML: &str = include_str!("../openapi.yaml");

/// Reads [`OPENAPI_YAML`] into a JSON value, with its anchors expanded and its references left as they are.
///
/// # Errors
///
/// If the text is not YAML that JSON can hold. The document in a released package always is.
///
/// ```
/// let document = webflow_cms_spec::document()?;
/// let operation = &document["paths"]["/collections/{collection_id}/items"]["patch"];
/// assert_eq!(operation["operationId"], "update-items");
/// # Ok::<(), webflow_cms_spec::ParseError>(())
/// ```
pub fn document() -> Result<serde_json::Value, ParseError> {
    parse(OPENAPI_YAML)
}

/// Why [`document`] could not read its text. The source has the line and the column.
///
/// ```
/// fn report(error: webflow_cms_spec::ParseError) -> String {
///     error.to_string()
/// }
/// ```
#[derive(Debug)]
pub struct ParseError(yaml_serde::Error);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("openapi.yaml is not YAML that JSON can hold")
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn parse(text: &str) -> Result<serde_json::Value, ParseError> {
    yaml_serde::from_str(text).map_err(ParseError)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_parse_error_keeps_its_place_in_its_source() {
        let error = parse("paths:\n  - [").expect_err("an open bracket is not YAML");
        assert_eq!(
            error.to_string(),
            "openapi.yaml is not YAML that JSON can hold"
        );
        let source = error.source().expect("a parse error has a source");
        assert!(source.to_string().contains("line 3 column 1"), "{source}");
    }

    #[test]
    fn a_parse_error_is_one_word_wide() {
        assert_eq!(size_of::<ParseError>(), size_of::<usize>());
    }
}
