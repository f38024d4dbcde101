//! What a rule's check works with: the client, the reference server in both its faces, and a runtime to run them.

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
use crate::rules::site;
use webflow_cms_reference::World;
use webflow_cms_reference::{
    Core, Exchange, Fault, FaultyServer, Model, ReferenceServer, Settings,
};

/// How long a call may take. The rules that wait for a client's own time limit set one that is far shorter.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that one thread needs to try cases, used for one after the other.
pub struct Harness<'a> {
    client: &'a dyn ClientUnderTest,
    runtime: Handle,
    server: ReferenceServer,
    faulty: FaultyServer,
    /// Has a port, so that nobody else has it, and does not listen.
    deaf: TcpSocket,
    world: World,
    patience: Duration,
    scratch: TempDir,
}

impl<'a> Harness<'a> {
    /// Starts the servers.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    pub fn start(client: &'a dyn ClientUnderTest, runtime: Handle) -> std::io::Result<Self> {
        let settings = Settings {
            token: site::TOKEN.to_owned(),
            ..Settings::default()
        };
        let world = World::new(settings.clone())?;
        let core = Core::new(Model::new(), settings);
        let server = runtime.block_on(ReferenceServer::serve(core.clone()));
        let faulty = runtime.block_on(FaultyServer::serve(core))?;
        let deaf = TcpSocket::new_v4()?;
        deaf.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self {
            client,
            runtime,
            server,
            faulty,
            deaf,
            world,
            patience: PATIENCE,
            scratch: tempfile::tempdir()?,
        })
    }

    pub(crate) fn client(&self) -> &dyn ClientUnderTest {
        self.client
    }

    /// A world of its own time. The other servers are not in it.
    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// A folder for the files of a case, which the next one may find there.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts a case anew.
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

    /// A call of the healthy server.
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

    /// A call of the server whose connections have faults.
    pub(crate) fn faulty_call(&self, items: Vec<Entry>) -> Call {
        Call {
            base_url: self.faulty.base_url(),
            ..self.call(items)
        }
    }

    /// A base URL where every connection is refused.
    pub(crate) fn refusing(&self) -> Result<String, String> {
        let address = self.deaf.local_addr().map_err(|error| error.to_string())?;
        Ok(format!("http://{address}/v2"))
    }

    /// Lets the client make a call.
    pub(crate) fn update(&self, call: &Call) -> Outcome {
        self.runtime.block_on(async {
            let outcome = AssertUnwindSafe(self.client.update(call)).catch_unwind();
            let reason = match tokio::time::timeout(self.patience, outcome).await {
                Ok(Ok(outcome)) => return outcome,
                Ok(Err(panic)) => panics::caught(&*panic),
                Err(_) => format!("it gave no outcome in {:?}", self.patience),
            };
            Outcome::Crashed { reason }
        })
    }

    /// The one request that was to be sent.
    pub(crate) fn only_exchange(&self) -> Result<Exchange, String> {
        let mut log = self.log();
        match (log.pop(), log.len()) {
            (Some(exchange), 0) => match exchange.violations.as_slice() {
                [] => Ok(exchange),
                [first, ..] => Err(format!("the request is not as documented: {first}")),
            },
            (None, _) => Err("no request was sent".to_owned()),
            (Some(_), more) => Err(format!("{} requests were sent instead of one", more + 1)),
        }
    }

    /// Fails if anything was sent.
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

    /// A client that never comes to an end.
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
    fn a_client_that_comes_to_no_end_does_not_keep_the_suite_from_its_own() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut harness = Harness::start(&Endless, runtime.handle().clone()).expect("free ports");
        harness.patience = Duration::from_millis(20);
        let outcome = harness.update(&harness.call(Vec::new()));
        let Outcome::Crashed { reason } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(reason, "it gave no outcome in 20ms");
    }
}
