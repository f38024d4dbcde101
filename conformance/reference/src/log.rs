//! The log of the wire.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::faults::Fault;
use super::reply::Reply;
use super::validate::Violation;

/// One request that was read, and what became of it.
///
/// Neither `Debug` nor `Display` prints the value of an `Authorization` header.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The position in the log, from 0.
    pub index: usize,
    /// When the request was read, on the server's time.
    pub at: Duration,
    /// When it was answered or, if a fault kept the response back, when the core acted; `None` if it did not.
    pub acted_at: Option<Duration>,
    /// The method.
    pub method: Method,
    /// The path, undecoded.
    pub path: String,
    /// The query, undecoded and without `?`.
    pub query: Option<String>,
    /// The request's headers. `Authorization` values are marked as sensitive.
    pub headers: HeaderMap,
    /// The request's body as it came.
    pub body: Bytes,
    /// The request's body, if it is JSON.
    pub json: Option<Value>,
    /// Everything that is wrong with the request.
    pub violations: Vec<Violation>,
    /// The response, whole, even if a fault kept it from the client; `None` if the connection broke before there was one.
    pub reply: Option<Reply>,
    /// How many entries the model applied.
    pub applied: usize,
    /// The fault that the connection had; [`Fault::None`] if it was whole.
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
