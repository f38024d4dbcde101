//! What can go wrong on a connection.

use std::time::Duration;

/// What goes wrong on one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The connection is accepted and reset at once. No request is read, so none is logged.
    ResetBeforeReading,
    /// The request is read, the connection reset. The core does not act.
    ResetBeforeActing,
    /// The core acts, the connection is reset without a response.
    ResetAfterActing,
    /// The request is read. Nothing is answered until the client goes. The core does not act.
    SilenceBeforeActing,
    /// The core acts. Nothing is answered until the client goes.
    SilenceAfterActing,
    /// The core acts. The response's head announces the whole body, then comes its start, then the end of the connection.
    ClosedInBody {
        /// The bytes of the body that are sent, always fewer than announced.
        after: usize,
    },
    /// The core acts. The same with a chunked body, whose last chunk never comes.
    ClosedInChunkedBody {
        /// The bytes of the body that are sent, at most all of them.
        after: usize,
    },
    /// The core acts. The connection ends in the middle of the response's head.
    ClosedInHead,
    /// The core acts. The head of the response is sent, and nothing more until the client goes.
    HeadOnly,
    /// The core acts. The body comes one byte at a time and, once it is through, goes on with spaces for ever.
    Drip {
        /// The pause before each byte.
        pause: Duration,
    },
    /// The core acts. The body is chunked and, once it is through, goes on with spaces for ever, as fast as the client
    /// reads.
    Endless {
        /// The bytes of a chunk; 0 is taken for 1.
        chunk: usize,
    },
    /// The core acts. The response's head announces this many bytes, and the body is filled up with spaces to as many, as fast
    /// as the client reads.
    Oversized {
        /// The announced length; the body's own if that is longer.
        length: u64,
    },
    /// The core acts. These bytes are sent instead of the response.
    Garbage(Vec<u8>),
    /// The request is read and these bytes are sent. The core does not act.
    Raw(Vec<u8>),
}

impl Fault {
    /// Whether the core acts on the request.
    #[must_use]
    pub fn acts(&self) -> bool {
        !matches!(
            self,
            Self::ResetBeforeReading
                | Self::ResetBeforeActing
                | Self::SilenceBeforeActing
                | Self::Raw(_)
        )
    }
}
