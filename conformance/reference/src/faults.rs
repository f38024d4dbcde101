//! Faults of a connection.

use std::time::Duration;

/// A fault of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No fault.
    #[default]
    None,
    /// The server accepts the connection and resets it at once. It reads no request, and the log has none.
    ResetBeforeReading,
    /// The server reads the request and resets the connection. The core does not act.
    ResetBeforeActing,
    /// The core acts, then the server resets the connection without a response.
    ResetAfterActing,
    /// The server reads the request and sends nothing until the client closes the connection. The core does not act.
    SilenceBeforeActing,
    /// The core acts, and the server sends nothing until the client closes the connection.
    SilenceAfterActing,
    /// The core acts. The server sends the head, which announces the whole body, then a part of the body, and closes
    /// the connection.
    ClosedInBody {
        /// Number of bytes of the body that are sent, always fewer than announced.
        after: usize,
    },
    /// As [`ClosedInBody`](Self::ClosedInBody) with a chunked body, whose last chunk is missing.
    ClosedInChunkedBody {
        /// Number of bytes of the body that are sent, at most all of them.
        after: usize,
    },
    /// The core acts. The server closes the connection in the middle of the head.
    ClosedInHead,
    /// The core acts. The server sends the head, and nothing more until the client closes the connection.
    HeadOnly,
    /// The core acts. The body is sent one byte at a time, followed by an endless sequence of spaces.
    Drip {
        /// Pause before each byte.
        pause: Duration,
    },
    /// The core acts. The body is chunked and followed by an endless sequence of spaces, as fast as the client reads.
    Endless {
        /// Bytes of a chunk. 0 counts as 1.
        chunk: usize,
    },
    /// The core acts. The head announces this many bytes, and the body is padded with spaces to that length, as fast as
    /// the client reads.
    Oversized {
        /// The announced length in bytes. The body's own length if that is greater.
        length: u64,
    },
    /// The core acts. The server sends these bytes instead of the response.
    Garbage(Vec<u8>),
    /// The server reads the request and sends these bytes. The core does not act.
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
