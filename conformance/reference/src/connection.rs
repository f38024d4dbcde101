//! One connection of the server with faults.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::core::Core;
use super::faults::Fault;
use super::faulty_server::SharedPlan;
use super::http1::{Framing, head, read_request};
use super::time::{Guard, Time};

/// The spaces that are written at once into an endless or oversized body.
static SPACES: [u8; 64 * 1024] = [b' '; 64 * 1024];

pub(super) async fn connection(
    mut stream: TcpStream,
    core: &Core,
    plan: &SharedPlan,
) -> io::Result<()> {
    let (fault, injected) = plan.take_fault();
    if fault == Fault::ResetBeforeReading {
        plan.count_unread();
        drop(core.time().arrived());
        return stream.set_zero_linger();
    }
    let Some(request) = read_request(&mut stream).await? else {
        if injected {
            plan.give_back(fault);
        }
        return Ok(());
    };
    let mut wire = Wire {
        stream,
        time: Arc::clone(core.time()),
        arrival: Some(core.time().arrived()),
    };
    let (before, after) = plan.next_latency();
    let arrived = core.arrive(request, fault.clone());
    wire.hold(before).await;
    if !fault.acts() {
        return match fault {
            Fault::Raw(bytes) => {
                wire.hold(after).await;
                wire.finish(&bytes).await
            }
            Fault::SilenceBeforeActing => wire.hold_for_ever().await,
            _ => wire.stream.set_zero_linger(),
        };
    }
    let reply = core.act(&arrived);
    wire.hold(after).await;
    let body = reply.body.as_ref();
    let length = body.len() as u64;
    let whole = head(&reply, Framing::Length(length));
    match fault {
        Fault::None => wire.finish(&[&whole, body].concat()).await,
        Fault::ResetAfterActing => wire.stream.set_zero_linger(),
        Fault::ClosedInHead => {
            wire.finish(whole.get(..whole.len() / 2).unwrap_or_default())
                .await
        }
        Fault::Garbage(bytes) => wire.finish(&bytes).await,
        Fault::ClosedInBody { after } => {
            let announced = head(&reply, Framing::Length(length.max(1)));
            let most = body.len().saturating_sub(1);
            let start = body.get(..after.min(most)).unwrap_or_default();
            wire.finish(&[&announced, start].concat()).await
        }
        Fault::ClosedInChunkedBody { after } => {
            let start = body.get(..after.min(body.len())).unwrap_or_default();
            let size = format!("{:x}\r\n", body.len().max(1));
            let chunked = head(&reply, Framing::Chunked);
            wire.finish(&[&chunked, size.as_bytes(), start].concat())
                .await
        }
        Fault::HeadOnly => {
            let announced = head(&reply, Framing::Length(length.max(1)));
            wire.send(&announced).await?;
            wire.hold_for_ever().await
        }
        Fault::Drip { pause } => {
            wire.send(&head(&reply, Framing::Chunked)).await?;
            for byte in body.iter().chain(std::iter::repeat(&b' ')) {
                if !wire.hold(pause).await {
                    break;
                }
                wire.send(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n'])
                    .await?;
            }
            Ok(())
        }
        Fault::Endless { chunk } => {
            wire.send(&head(&reply, Framing::Chunked)).await?;
            let chunk = chunk.max(1);
            for part in body.chunks(chunk) {
                wire.send(&in_chunk(part)).await?;
            }
            let spaces = in_chunk(&vec![b' '; chunk]);
            let spaces = spaces.repeat((SPACES.len() / spaces.len()).max(1));
            loop {
                wire.send(&spaces).await?;
            }
        }
        Fault::Oversized { length: announced } => {
            let announced = announced.max(length);
            let start = head(&reply, Framing::Length(announced));
            wire.send(&[&start, body].concat()).await?;
            let mut left = announced - length;
            while left > 0 {
                let now = left.min(SPACES.len() as u64);
                let spaces = usize::try_from(now)
                    .ok()
                    .and_then(|count| SPACES.get(..count));
                wire.send(spaces.unwrap_or(&SPACES)).await?;
                left -= now;
            }
            wire.finish(&[]).await
        }
        _ => wire.hold_for_ever().await,
    }
}

fn in_chunk(bytes: &[u8]) -> Vec<u8> {
    let size = format!("{:x}\r\n", bytes.len());
    [size.as_bytes(), bytes, b"\r\n"].concat()
}

/// A connection whose request was read.
struct Wire {
    stream: TcpStream,
    time: Arc<dyn Time>,
    /// Held until the client has closed the connection.
    arrival: Option<Guard>,
}

impl Wire {
    /// Holds the request for this long, whether or not the client stays. Returns whether the client stayed.
    async fn hold(&mut self, duration: Duration) -> bool {
        if duration.is_zero() {
            return self.arrival.is_some();
        }
        let mut sleep = self.time.sleep(duration);
        if self.arrival.is_some() {
            let held = self.time.held();
            tokio::select! {
                biased;
                () = &mut sleep => return true,
                () = gone(&mut self.stream) => {}
            }
            drop((held, self.arrival.take()));
        }
        sleep.await;
        false
    }

    /// Holds the request until the client closes the connection.
    async fn hold_for_ever(mut self) -> io::Result<()> {
        let _held = self.time.held();
        gone(&mut self.stream).await;
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Sends the last bytes and waits for the client to close the connection.
    async fn finish(mut self, bytes: &[u8]) -> io::Result<()> {
        self.send(bytes).await?;
        self.stream.shutdown().await?;
        gone(&mut self.stream).await;
        Ok(())
    }
}

/// Waits until the client closes the connection.
async fn gone(stream: &mut TcpStream) {
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
}
