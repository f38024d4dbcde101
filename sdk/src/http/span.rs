//! The tracing span of an attempt, with the names of OpenTelemetry's conventions for HTTP clients.

use http::{Method, StatusCode};
use reqwest::Url;
use tracing::Span;
use tracing::field::Empty;

use crate::error::ErrorKind;
use crate::spec::OPERATIONS;

/// The method and URL of a request.
pub(crate) struct Target {
    method: Method,
    url: Url,
    /// The path with names instead of ids.
    template: Option<String>,
}

impl Target {
    /// Makes the target of an operation. `operation` is its name in the generated client.
    pub(crate) fn new(method: Method, url: Url, operation: &str, base_url: &Url) -> Self {
        let known = OPERATIONS.iter().find(|(name, _)| *name == operation);
        let base = base_url.path().trim_end_matches('/');
        Self {
            method,
            url,
            template: known.map(|(_, path)| format!("{base}{path}")),
        }
    }

    fn name(&self) -> String {
        match &self.template {
            Some(template) => format!("{} {template}", self.method),
            None => self.method.to_string(),
        }
    }
}

/// Records the end of an attempt when dropped: `cancelled`, unless `succeeded` or `failed` was called.
#[must_use]
pub(crate) struct AttemptSpan {
    span: Span,
    ended: bool,
}

impl AttemptSpan {
    pub(crate) fn new(target: &Target, number: u32, body: u64) -> Self {
        let host = target.url.host_str().unwrap_or_default();
        let span = tracing::info_span!(
            "http.client.request",
            otel.kind = "client",
            otel.name = target.name(),
            otel.status_code = Empty,
            http.request.method = target.method.as_str(),
            http.request.body.size = body,
            http.request.resend_count = (number > 1).then(|| number - 1),
            url.full = target.url.as_str(),
            url.template = target.template,
            // The brackets of an IPv6 address belong to the URL.
            server.address = host.trim_start_matches('[').trim_end_matches(']'),
            server.port = target.url.port_or_known_default(),
            http.response.status_code = Empty,
            error.type = Empty,
        );
        Self { span, ended: false }
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    pub(crate) fn succeeded(mut self, status: Option<StatusCode>) {
        self.status(status);
    }

    pub(crate) fn failed(mut self, kind: ErrorKind, status: Option<StatusCode>) {
        self.status(status);
        match status.filter(|status| !status.is_success()) {
            Some(status) => self.error(status.as_str()),
            None => self.error(kind.as_str()),
        }
    }

    fn status(&mut self, status: Option<StatusCode>) {
        self.ended = true;
        let status = status.map(|status| status.as_u16());
        self.span.record("http.response.status_code", status);
    }

    fn error(&self, what: &str) {
        self.span
            .record("error.type", what)
            .record("otel.status_code", "ERROR");
    }
}

impl Drop for AttemptSpan {
    fn drop(&mut self) {
        if !self.ended {
            self.error("cancelled");
        }
    }
}
