//! A response of the server, with its basis.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::contract::Contract;

/// The basis of a response: how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// Webflow's documentation shows such a response in such a case.
    Documented,
    /// Such a response of the service was observed.
    Observed,
    /// Neither documented nor observed: a choice of the reference server.
    Assumed,
    /// Created by a test.
    Scripted,
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers. Those that frame the message (`content-length`, `transfer-encoding`, `connection`) are not sent:
    /// the server sets its own.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The basis of the response.
    pub basis: Basis,
}

impl Reply {
    /// Creates a scripted response with this status and nothing else. A number outside 100 to 999 becomes 500.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            basis: Basis::Scripted,
        }
    }

    /// The API document's example for this status, with the example values of its headers.
    ///
    /// The document's headers include `Retry-After: 60`; replace it with [`Reply::header`] where a test should not
    /// wait.
    ///
    /// # Errors
    ///
    /// The document does not list the status for the operation, or has no example of its body.
    pub fn documented(status: u16) -> Result<Self, UndocumentedStatus> {
        let example = Contract::get()
            .ok()
            .and_then(|contract| contract.examples.get(&status));
        let example = example.ok_or(UndocumentedStatus { status })?;
        let mut reply = Self::new(status).json(&example.body);
        for (name, value) in &example.headers {
            reply = reply.header(name, value);
        }
        reply.basis = Basis::Documented;
        Ok(reply)
    }

    /// Sets a header, replacing any previous value. An invalid name or value is ignored.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Removes a header.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sets the body and leaves the headers as they are.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a JSON text and `content-type` to `application/json`.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into();
        self.headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        self
    }

    pub(super) fn on(mut self, basis: Basis) -> Self {
        self.basis = basis;
        self
    }
}

/// Error: the API document has no example for a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndocumentedStatus {
    /// The requested status.
    pub status: u16,
}

impl fmt::Display for UndocumentedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the API document has no example for status {}",
            self.status
        )
    }
}

impl std::error::Error for UndocumentedStatus {}
