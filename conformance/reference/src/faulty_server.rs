//! The reference server with faults and latency on its connections.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use super::connection::connection;
use super::core::Core;
use super::faults::Fault;
use super::log::Exchange;
use super::model::Model;

/// Number of connections that may wait to be accepted. The operating system delays further ones by a second.
const BACKLOG: u32 = 4096;

/// The generation of a server that has stopped.
const CLOSED: u64 = u64::MAX;

/// A reference server whose connections can have faults. It serves a [`Core`] on a port of the local machine, one
/// request per connection, and stops when dropped.
///
/// It runs on the runtime that started it. A request that is not HTTP/1.1, or exceeds 32 MiB, closes the connection and
/// is not logged.
pub struct FaultyServer {
    core: Core,
    address: SocketAddr,
    plan: SharedPlan,
    /// Connections end when the number changes, and all tasks end when the sender is dropped.
    generation: watch::Sender<u64>,
    connections: watch::Sender<usize>,
}

/// How long a request is held before the core acts, and afterwards, by the number of the request.
type Latency = Arc<dyn Fn(usize) -> (Duration, Duration) + Send + Sync>;

#[derive(Default)]
struct Plan {
    next: VecDeque<Fault>,
    otherwise: Fault,
    latency: Option<Latency>,
    unread: usize,
    read: usize,
}

/// Counts its connection while it is served.
struct Served(watch::Sender<usize>);

impl Served {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// The faults and the latency of future connections, and counts of past ones.
#[derive(Clone, Default)]
pub(super) struct SharedPlan(Arc<Mutex<Plan>>);

impl SharedPlan {
    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault of the next connection, and whether it was injected.
    pub(super) fn take_fault(&self) -> (Fault, bool) {
        let mut plan = self.lock();
        match plan.next.pop_front() {
            Some(fault) => (fault, true),
            None => (plan.otherwise.clone(), false),
        }
    }

    pub(super) fn give_back(&self, fault: Fault) {
        self.lock().next.push_front(fault);
    }

    pub(super) fn count_unread(&self) {
        self.lock().unread += 1;
    }

    /// Counts a request that was read. Returns how long to hold it before and after the core acts.
    pub(super) fn next_latency(&self) -> (Duration, Duration) {
        let (number, latency) = {
            let mut plan = self.lock();
            plan.read += 1;
            (plan.read - 1, plan.latency.clone())
        };
        latency.map_or_else(Default::default, |latency| latency(number))
    }
}

impl FaultyServer {
    /// Serves a core, without faults until some are [injected](Self::inject).
    ///
    /// # Errors
    ///
    /// No port of the local machine can be bound.
    pub async fn serve(core: Core) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let plan = SharedPlan::default();
        let (generation, changes) = watch::channel(0);
        // The listener counts too, so that zero means that everything has ended.
        let connections = watch::Sender::new(0);
        let listening = Served::new(&connections);
        tokio::spawn(accept(
            listener,
            core.clone(),
            plan.clone(),
            changes,
            listening,
        ));
        Ok(Self {
            core,
            address,
            plan,
            generation,
            connections,
        })
    }

    /// Number of open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.borrow().saturating_sub(1)
    }

    /// Stops the server and waits until its port and all connections are closed.
    pub async fn close(&self) {
        self.generation.send_replace(CLOSED);
        let mut connections = self.connections.subscribe();
        // The sender is alive, so this cannot fail.
        let _ = connections.wait_for(|count| *count == 0).await;
    }

    /// Appends faults. Each connection takes the next one. A connection that closes without sending a byte returns its
    /// fault.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.plan.lock().next.extend(faults);
    }

    /// Sets the fault of all connections without an [injected](Self::inject) one.
    pub fn otherwise(&self, fault: Fault) {
        self.plan.lock().otherwise = fault;
    }

    /// Sets how long requests are held: before the core acts, and between that and the response. The function gets the
    /// number of the request, counted from 0 in the order of reading.
    ///
    /// The core acts in its time even if the client has closed the connection meanwhile.
    pub fn latency(&self, latency: impl Fn(usize) -> (Duration, Duration) + Send + Sync + 'static) {
        self.plan.lock().latency = Some(Arc::new(latency));
    }

    /// Number of injected faults that no connection has taken yet.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        self.plan.lock().next.len()
    }

    /// Number of connections that were [reset before reading](Fault::ResetBeforeReading). The log does not have them.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.plan.lock().unread
    }

    /// Removes the faults and the steps of the script that nothing has taken yet.
    pub fn clear_pending(&self) {
        self.plan.lock().next.clear();
        self.core.clear_script();
    }

    /// The base URL for clients, in place of `https://api.webflow.com/v2`, without a trailing slash.
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

    /// The current model.
    #[must_use]
    pub fn model(&self) -> Model {
        self.core.model()
    }

    /// The log since the last [reset](Self::reset).
    #[must_use]
    pub fn log(&self) -> Vec<Exchange> {
        self.core.log()
    }

    /// Replaces the model, closes open connections, clears faults, latency, script and log, and restores the settings
    /// that the core was created with.
    pub fn reset(&self, model: Model) {
        *self.plan.lock() = Plan::default();
        self.generation.send_modify(|generation| *generation += 1);
        self.core.reset(model);
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

async fn accept(
    listener: TcpListener,
    core: Core,
    plan: SharedPlan,
    mut changes: watch::Receiver<u64>,
    listening: Served,
) {
    loop {
        if *changes.borrow_and_update() == CLOSED {
            return;
        }
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
        // Earlier resets do not concern this connection.
        changes.mark_unchanged();
        if *changes.borrow() == CLOSED {
            return;
        }
        let served = Served::new(&listening.0);
        tokio::spawn(async move {
            let _served = served;
            tokio::select! {
                // The client sees the error of its connection; the server has no use for it.
                _ = connection(stream, &core, &plan) => {}
                _ = changes.changed() => {}
            }
        });
    }
}
