//! Reading a body up to a bound.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::attempts::Timer;

/// What was read of a body, and how it ended.
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

/// Reads a body, at the most `bound` bytes of it, until the time runs out; `expected` is what its head announced.
pub(crate) async fn read<S>(
    mut stream: S,
    bound: usize,
    expected: Option<u64>,
    timer: &mut Timer,
) -> Body
where
    S: Stream<Item = reqwest::Result<Bytes>> + Unpin,
{
    /// The announced length is the server's word, so it buys only a modest buffer in advance.
    const PRESIZED: usize = 1 << 20;
    let expected = usize::try_from(expected.unwrap_or(0)).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(expected.min(bound).min(PRESIZED));
    let end = loop {
        match timer.within(stream.next()).await {
            None => break End::TimedOut,
            Some(None) => break End::Complete,
            Some(Some(Ok(chunk))) => {
                let room = bound.saturating_sub(bytes.len());
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
