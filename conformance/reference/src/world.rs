//! A server and its clients in virtual time, reused for case after case.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::virtual_time::{Stalled, VirtualTime};
use crate::{Core, Exchange, Fault, FaultyServer, Limiter, Model, Settings, Step};

/// A [virtual time](VirtualTime) and a server in it, on a runtime of their own. Create it once and [reset](Self::reset)
/// it for each case: a case starts with a new time and a new server, and inherits nothing, not even a connection.
///
/// ```
/// use std::time::Duration;
/// use webflow_cms_reference::World;
/// use webflow_cms_reference::{Limiter, Model, Settings};
///
/// # fn main() -> std::io::Result<()> {
/// let world = World::new(Settings::default())?;
/// for limit in [60, 120] {
///     world.reset(Model::new())?;
///     world.limit(Limiter::sliding_window(limit));
///     let time = world.time();
///     // Clients of `world.base_url()` with `time.clone()` as their clock and as their observer go here.
///     world.run(time.pause(Duration::from_secs(7_200))).expect("time passes");
///     assert!(world.log().is_empty());
/// }
/// # Ok(())
/// # }
/// ```
pub struct World {
    // Declared before the runtime so that the server is dropped first.
    scene: RefCell<Scene>,
    runtime: Runtime,
    settings: Settings,
}

#[derive(Clone)]
struct Scene {
    time: VirtualTime,
    server: Arc<FaultyServer>,
}

impl Scene {
    async fn new(model: Model, settings: Settings) -> io::Result<Self> {
        let time = VirtualTime::new();
        let core = Core::with_time(model, settings, time.clone());
        let server = Arc::new(FaultyServer::serve(core).await?);
        Ok(Self { time, server })
    }
}

impl World {
    /// Creates a world with an empty model. Each case starts with these settings.
    ///
    /// # Errors
    ///
    /// No runtime can be built, or no port can be bound.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let scene = runtime.block_on(Scene::new(Model::new(), settings.clone()))?;
        Ok(Self {
            scene: RefCell::new(scene),
            runtime,
            settings,
        })
    }

    /// Starts a case with this model, the settings of the world, a new time and a new server. The base URL changes.
    ///
    /// # Errors
    ///
    /// No port can be bound.
    pub fn reset(&self, model: Model) -> io::Result<()> {
        let scene = Scene::new(model, self.settings.clone());
        let scene = self.runtime.block_on(scene)?;
        let old = self.scene.replace(scene).server;
        self.runtime.block_on(old.close());
        Ok(())
    }

    /// Runs a future in this world, as [`VirtualTime::try_run`] does.
    ///
    /// # Errors
    ///
    /// Nothing happened for 20 seconds of real time, and virtual time could not advance.
    pub fn run<F: Future>(&self, future: F) -> Result<F::Output, Stalled> {
        let time = self.time();
        self.runtime.block_on(time.try_run(future))
    }

    /// The time of this case.
    #[must_use]
    pub fn time(&self) -> VirtualTime {
        self.scene.borrow().time.clone()
    }

    /// The server of this case.
    #[must_use]
    pub fn server(&self) -> Arc<FaultyServer> {
        Arc::clone(&self.scene.borrow().server)
    }

    /// The base URL for the clients of this case.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.server().base_url()
    }

    /// The log of this case.
    #[must_use]
    pub fn log(&self) -> Vec<Exchange> {
        self.server().log()
    }

    /// Sets the server's rate limiter.
    pub fn limit(&self, limiter: Limiter) {
        self.configure(|settings| settings.limiter = Some(limiter));
    }

    /// Changes the server's settings for this case.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        self.server().core().configure(change);
    }

    /// Appends steps to the server's script.
    pub fn script(&self, steps: impl IntoIterator<Item = impl Into<Step>>) {
        self.server().core().script(steps);
    }

    /// Appends faults of future connections, as [`FaultyServer::inject`] does.
    pub fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.server().inject(faults);
    }

    /// Delays responses, as [`FaultyServer::latency`] does.
    pub fn latency(&self, latency: impl Fn(usize) -> (Duration, Duration) + Send + Sync + 'static) {
        self.server().latency(latency);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scene { time, server } = &*self.scene.borrow();
        f.debug_struct("World")
            .field("time", time)
            .field("server", server)
            .finish_non_exhaustive()
    }
}
