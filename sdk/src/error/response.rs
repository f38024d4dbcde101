//! The response that an error was made from.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::ErrorDetail;

/// The redacted response that an error was made from.
#[derive(Default)]
pub(crate) struct ErrorResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: String,
    pub(crate) body_complete: bool,
    pub(crate) form: BodyForm,
    pub(crate) code: Option<Box<str>>,
    pub(crate) message: Option<Box<str>>,
    pub(crate) external_reference: Option<Box<str>>,
    pub(crate) details: Vec<ErrorDetail>,
}

/// The form of a body. It is detected from the content, since the `Content-Type` header is often wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BodyForm {
    #[default]
    Nothing,
    Json,
    Page,
    Text,
}
