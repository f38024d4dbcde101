//! Reading a body up to a bound.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// What was read of a body, and how it ended.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
}

pub(crate) enum End {
    Complete,
    TooLarge,
    Failed(reqwest::Error),
}

/// Reads a body, at the most `bound` bytes of it; `expected` is what its head announced.
pub(crate) async fn read<S>(mut stream: S, bound: usize, expected: Option<u64>) -> Body
where
    S: Stream<Item = reqwest::Result<Bytes>> + Unpin,
{
    /// The announced length is the server's word, so it buys only a modest buffer in advance.
    const PRESIZED: usize = 1 << 20;
    let expected = usize::try_from(expected.unwrap_or(0)).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(expected.min(bound).min(PRESIZED));
    loop {
        match stream.next().await {
            None => {
                return Body {
                    bytes,
                    end: End::Complete,
                };
            }
            Some(Ok(chunk)) => {
                let room = bound.saturating_sub(bytes.len());
                if chunk.len() > room {
                    bytes.extend_from_slice(chunk.get(..room).unwrap_or_default());
                    return Body {
                        bytes,
                        end: End::TooLarge,
                    };
                }
                bytes.extend_from_slice(&chunk);
            }
            Some(Err(error)) => {
                return Body {
                    bytes,
                    end: End::Failed(error),
                };
            }
        }
    }
}
