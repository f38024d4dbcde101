//! The response of an error, as far as it could be read.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::ErrorDetail;

/// The response that an error was made from. Everything in it is redacted.
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

/// The form of a body, by its content: the `Content-Type` header is often wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BodyForm {
    #[default]
    Nothing,
    Json,
    Page,
    Text,
}
