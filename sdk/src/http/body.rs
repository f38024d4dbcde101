//! Reads the body of a response up to a maximum size.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::attempts::AttemptTimeout;

/// The bytes that were read of a body, and the reason why reading ended.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
}

pub(crate) enum End {
    Complete,
    TooLarge,
    TimedOut,
    Failed(reqwest::Error),
}

/// Reads up to `max_bytes` of a body until the attempt times out. `content_length` is the announced size.
pub(crate) async fn read<S>(
    mut stream: S,
    max_bytes: usize,
    content_length: Option<u64>,
    timeout: &mut AttemptTimeout,
) -> Body
where
    S: Stream<Item = reqwest::Result<Bytes>> + Unpin,
{
    /// The server controls the announced length, so at most 1 MiB is allocated for it in advance.
    const MAX_PRESIZED: usize = 1 << 20;
    let expected = usize::try_from(content_length.unwrap_or(0)).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(expected.min(max_bytes).min(MAX_PRESIZED));
    let end = loop {
        match timeout.run(stream.next()).await {
            None => break End::TimedOut,
            Some(None) => break End::Complete,
            Some(Some(Ok(chunk))) => {
                let room = max_bytes.saturating_sub(bytes.len());
                if chunk.len() > room {
                    bytes.extend_from_slice(chunk.get(..room).unwrap_or_default());
                    break End::TooLarge;
                }
                bytes.extend_from_slice(&chunk);
            }
            Some(Some(Err(error))) => break End::Failed(error),
        }
    };
    Body { bytes, end }
}
