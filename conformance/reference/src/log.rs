//! The log of requests and responses.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::faults::Fault;
use super::reply::Reply;
use super::validate::Violation;

/// One request that was read, with its response.
///
/// Neither `Debug` nor `Display` prints the value of an `Authorization` header.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Position in the log, from 0.
    pub index: usize,
    /// When the request was read, in the server's time.
    pub at: Duration,
    /// When the core acted, whether or not a fault kept the response from the client. `None` if the core did not act.
    pub acted_at: Option<Duration>,
    /// The method.
    pub method: Method,
    /// The path, undecoded.
    pub path: String,
    /// The query, undecoded and without `?`.
    pub query: Option<String>,
    /// The request's headers. `Authorization` values are marked as sensitive.
    pub headers: HeaderMap,
    /// The body of the request as it was received.
    pub body: Bytes,
    /// The body of the request, if it is JSON.
    pub json: Option<Value>,
    /// The violations of the API document.
    pub violations: Vec<Violation>,
    /// The whole response, even if a fault kept it from the client. `None` if the connection ended before there was
    /// one.
    pub reply: Option<Reply>,
    /// Number of entries that the model applied.
    pub applied: usize,
    /// The fault of the connection.
    pub fault: Fault,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {} {}", self.index, self.method, self.path)?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        write!(f, " ({} bytes) -> ", self.body.len())?;
        match &self.reply {
            Some(reply) => write!(f, "{} ({:?})", reply.status.as_u16(), reply.basis)?,
            None => f.write_str("no response")?,
        }
        if self.fault != Fault::None {
            write!(f, ", {:?}", self.fault)?;
        }
        for violation in &self.violations {
            write!(f, "; {violation}")?;
        }
        Ok(())
    }
}
