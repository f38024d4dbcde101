//! The harness of a check: the client under test, the reference servers, and a runtime.

use std::net::{Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio::runtime::Handle;

use crate::client::{Call, ClientUnderTest, Entry, Outcome};
use crate::panics;
use crate::rules::fixture::site;
use webflow_cms_reference::World;
use webflow_cms_reference::{
    Core, Exchange, Fault, FaultyServer, Model, ReferenceServer, Settings,
};

/// Timeout of a call. The rules about a client's own timeouts set one that is far shorter.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The client under test and the servers of one thread. One harness runs case after case.
pub struct Harness<'a> {
    client: &'a dyn ClientUnderTest,
    runtime: Handle,
    server: ReferenceServer,
    faulty: FaultyServer,
    /// Holds a port and does not listen on it.
    closed_port: TcpSocket,
    world: World,
    call_timeout: Duration,
    scratch: TempDir,
}

impl<'a> Harness<'a> {
    /// Starts the reference servers.
    ///
    /// # Errors
    ///
    /// If no port of the local machine can be bound.
    pub fn start(client: &'a dyn ClientUnderTest, runtime: Handle) -> std::io::Result<Self> {
        let settings = Settings {
            token: site::TOKEN.to_owned(),
            ..Settings::default()
        };
        let world = World::new(settings.clone())?;
        let core = Core::new(Model::new(), settings);
        let server = runtime.block_on(ReferenceServer::serve(core.clone()));
        let faulty = runtime.block_on(FaultyServer::serve(core))?;
        let closed_port = TcpSocket::new_v4()?;
        closed_port.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self {
            client,
            runtime,
            server,
            faulty,
            closed_port,
            world,
            call_timeout: CALL_TIMEOUT,
            scratch: tempfile::tempdir()?,
        })
    }

    pub(crate) fn client(&self) -> &dyn ClientUnderTest {
        self.client
    }

    /// The server in virtual time. The other servers run in real time.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// A folder for the files of a case. It is not emptied between cases.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts a case with this model, an empty log and no faults.
    pub(crate) fn reset(&self, model: Model) {
        self.faulty.reset(model);
    }

    pub(crate) fn core(&self) -> &Core {
        self.server.core()
    }

    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faulty.inject(faults);
    }

    pub(crate) fn log(&self) -> Vec<Exchange> {
        self.core().log()
    }

    /// A call of the server without faults.
    pub(crate) fn call(&self, items: Vec<Entry>) -> Call {
        Call {
            base_url: self.server.base_url(),
            token: self.core().settings().token,
            collection_id: site::COLLECTION.to_owned(),
            skip_invalid_files: None,
            items,
            attempt_timeout_ms: None,
            max_response_bytes: None,
            max_attempts: Some(1),
            no_rate_limit: true,
        }
    }

    /// A call of the server with faults.
    pub(crate) fn faulty_call(&self, items: Vec<Entry>) -> Call {
        Call {
            base_url: self.faulty.base_url(),
            ..self.call(items)
        }
    }

    /// A base URL where every connection is refused.
    pub(crate) fn refusing(&self) -> Result<String, String> {
        let address = self
            .closed_port
            .local_addr()
            .map_err(|error| error.to_string())?;
        Ok(format!("http://{address}/v2"))
    }

    /// Makes a call with the client under test. A panic or a timeout is [`Outcome::Crashed`].
    pub(crate) fn update(&self, call: &Call) -> Outcome {
        self.runtime.block_on(async {
            let outcome = AssertUnwindSafe(self.client.update(call)).catch_unwind();
            let reason = match tokio::time::timeout(self.call_timeout, outcome).await {
                Ok(Ok(outcome)) => return outcome,
                Ok(Err(panic)) => panics::caught(&*panic),
                Err(_) => format!("the call did not end within {:?}", self.call_timeout),
            };
            Outcome::Crashed { reason }
        })
    }

    /// The only request that was sent. Fails if there are more or fewer, or if it violates the API document.
    pub(crate) fn only_exchange(&self) -> Result<Exchange, String> {
        let mut log = self.log();
        match (log.pop(), log.len()) {
            (Some(exchange), 0) => match exchange.violations.as_slice() {
                [] => Ok(exchange),
                [first, ..] => Err(format!("the request violates the API document: {first}")),
            },
            (None, _) => Err("no request was sent".to_owned()),
            (Some(_), more) => Err(format!("{} requests were sent instead of one", more + 1)),
        }
    }

    /// Fails if any request was sent.
    pub(crate) fn nothing_sent(&self) -> Result<(), String> {
        match self.log().len() {
            0 => Ok(()),
            requests => Err(format!(
                "{requests} requests were sent, and none should have been"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use super::*;

    /// A client whose calls never end.
    struct Endless;

    impl ClientUnderTest for Endless {
        fn name(&self) -> &str {
            "endless"
        }

        fn update<'a>(&'a self, _: &'a Call) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn a_call_that_never_ends_does_not_block_the_suite() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut harness = Harness::start(&Endless, runtime.handle().clone()).expect("free ports");
        harness.call_timeout = Duration::from_millis(20);
        let outcome = harness.update(&harness.call(Vec::new()));
        let Outcome::Crashed { reason } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(reason, "the call did not end within 20ms");
    }
}
