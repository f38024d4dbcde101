//! The reference server behind connections that break.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::core::Core;
use super::http1::{Framing, head, read_request};
use super::log::Exchange;
use super::model::Model;

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
    /// The core acts, the connection is reset without an answer.
    ResetAfterActing,
    /// The request is read. Nothing is answered until the client goes. The core does not act.
    SilenceBeforeActing,
    /// The core acts. Nothing is answered until the client goes.
    SilenceAfterActing,
    /// The core acts. The answer's head announces the whole body, then comes its start, then the end of the connection.
    CutBody {
        /// The bytes of the body that are sent, always fewer than announced.
        after: usize,
    },
    /// The core acts. The same with a chunked body, whose last chunk never comes.
    CutChunked {
        /// The bytes of the body that are sent, at most all of them.
        after: usize,
    },
    /// The core acts. The connection ends in the middle of the answer's head.
    CutHead,
    /// The core acts. The head of the answer is sent, and nothing more until the client goes.
    HeadOnly,
    /// The core acts. The body comes one byte at a time and, once it is through, goes on with spaces for ever.
    Drip {
        /// The pause before each byte.
        pause: Duration,
    },
    /// The core acts. These bytes are sent instead of the answer.
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

/// A server whose connections have faults. It serves a [`Core`] on a port of the local machine, one request a
/// connection, and stops when it is dropped.
///
/// It lives on the runtime that started it. A request that is not HTTP/1.1, or has more than 32 MiB, ends the
/// connection and is not logged.
pub struct FaultyServer {
    core: Core,
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    /// Connections end when the number changes, and all tasks when the sender is gone.
    generation: watch::Sender<u64>,
}

#[derive(Default)]
struct Plan {
    next: VecDeque<Fault>,
    otherwise: Fault,
    unread: usize,
}

impl FaultyServer {
    /// Serves a core; at first without faults.
    ///
    /// # Errors
    ///
    /// No port of the local machine can be bound.
    pub async fn serve(core: Core) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let plan = Arc::new(Mutex::new(Plan::default()));
        let (generation, changes) = watch::channel(0);
        tokio::spawn(accept(listener, core.clone(), plan.clone(), changes));
        Ok(Self {
            core,
            address,
            plan,
            generation,
        })
    }

    /// Appends faults; each connection takes the next. A connection that closes without sending a byte gives its fault
    /// back.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.plan().next.extend(faults);
    }

    /// Sets the fault of each connection for which none was [injected](Self::inject).
    pub fn otherwise(&self, fault: Fault) {
        self.plan().otherwise = fault;
    }

    /// The number of injected faults that no connection has taken yet.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        self.plan().next.len()
    }

    /// The number of connections that were [reset before reading](Fault::ResetBeforeReading), which the log lacks.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.plan().unread
    }

    /// The base URL for clients, in place of `https://api.webflow.com/v2`. It has no slash at its end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v2", self.address)
    }

    /// The bearer token that requests must carry.
    #[must_use]
    pub fn token(&self) -> String {
        self.core.settings().token
    }

    /// The core, for the script and the settings.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The model as it is now.
    #[must_use]
    pub fn model(&self) -> Model {
        self.core.model()
    }

    /// The log since the last [reset](Self::reset).
    #[must_use]
    pub fn log(&self) -> Vec<Exchange> {
        self.core.log()
    }

    /// Starts anew with this model: open connections are dropped, faults, script and log cleared, and the settings are
    /// again those that the core was made with.
    pub fn reset(&self, model: Model) {
        *self.plan() = Plan::default();
        self.generation.send_modify(|generation| *generation += 1);
        self.core.reset(model);
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }
}

impl fmt::Debug for FaultyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyServer")
            .field("base_url", &self.base_url())
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}

fn lock(plan: &Mutex<Plan>) -> MutexGuard<'_, Plan> {
    plan.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(
    listener: TcpListener,
    core: Core,
    plan: Arc<Mutex<Plan>>,
    mut changes: watch::Receiver<u64>,
) {
    loop {
        changes.borrow_and_update();
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
            changed = changes.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let (core, plan, mut changes) = (core.clone(), plan.clone(), changes.clone());
        // Whatever was reset before this connection came is not about it.
        changes.mark_unchanged();
        tokio::spawn(async move {
            tokio::select! {
                // The client sees whatever went wrong; there is nobody else to tell.
                _ = connection(stream, &core, &plan) => {}
                _ = changes.changed() => {}
            }
        });
    }
}

async fn connection(mut stream: TcpStream, core: &Core, plan: &Mutex<Plan>) -> io::Result<()> {
    let (fault, injected) = {
        let mut plan = lock(plan);
        match plan.next.pop_front() {
            Some(fault) => (fault, true),
            None => (plan.otherwise.clone(), false),
        }
    };
    if fault == Fault::ResetBeforeReading {
        lock(plan).unread += 1;
        return stream.set_zero_linger();
    }
    let Some(request) = read_request(&mut stream).await? else {
        if injected {
            lock(plan).next.push_front(fault);
        }
        return Ok(());
    };
    if !fault.acts() {
        core.record_unanswered(request, fault.clone());
        return match fault {
            Fault::Raw(bytes) => finish(stream, &bytes).await,
            Fault::SilenceBeforeActing => wait_for_end(stream).await,
            _ => stream.set_zero_linger(),
        };
    }
    let reply = core.handle_under(request, fault.clone());
    let body = reply.body.as_ref();
    let whole = head(&reply, Framing::Length(body.len()));
    match fault {
        Fault::None => finish(stream, &[&whole, body].concat()).await,
        Fault::ResetAfterActing => stream.set_zero_linger(),
        Fault::CutHead => finish(stream, whole.get(..whole.len() / 2).unwrap_or_default()).await,
        Fault::Garbage(bytes) => finish(stream, &bytes).await,
        Fault::CutBody { after } => {
            let announced = body.len().max(1);
            let start = body.get(..after.min(announced - 1)).unwrap_or_default();
            finish(
                stream,
                &[&head(&reply, Framing::Length(announced)), start].concat(),
            )
            .await
        }
        Fault::CutChunked { after } => {
            let start = body.get(..after.min(body.len())).unwrap_or_default();
            let size = format!("{:x}\r\n", body.len().max(1));
            finish(
                stream,
                &[&head(&reply, Framing::Chunked), size.as_bytes(), start].concat(),
            )
            .await
        }
        Fault::HeadOnly => {
            stream
                .write_all(&head(&reply, Framing::Length(body.len().max(1))))
                .await?;
            wait_for_end(stream).await
        }
        Fault::Drip { pause } => {
            stream.write_all(&head(&reply, Framing::Chunked)).await?;
            for byte in body.iter().chain(std::iter::repeat(&b' ')) {
                tokio::time::sleep(pause).await;
                stream
                    .write_all(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n'])
                    .await?;
            }
            Ok(())
        }
        _ => wait_for_end(stream).await,
    }
}

async fn finish(mut stream: TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await
}

/// Holds the connection until the client closes it.
async fn wait_for_end(mut stream: TcpStream) -> io::Result<()> {
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}
