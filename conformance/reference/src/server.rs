//! The reference server behind wiremock.

use std::fmt;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use super::core::{Core, Request, Step};
use super::http1::is_framing;
use super::log::Exchange;
use super::model::{Model, Variant};
use super::response::{PrimaryEcho, Settings};

/// The reference server on a port of the local machine. It stops when dropped.
///
/// The server sees paths as a URL parser leaves them, with `.` and `..` segments resolved. [`FaultyServer`] sees them
/// as they were sent.
///
/// [`FaultyServer`]: super::FaultyServer
pub struct ReferenceServer {
    core: Core,
    server: MockServer,
}

impl ReferenceServer {
    /// Configures a server, starting from an empty model and default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Serves an existing core.
    pub async fn serve(core: Core) -> Self {
        let server = MockServer::builder()
            .disable_request_recording()
            .start()
            .await;
        Mock::given(any())
            .respond_with(Face(core.clone()))
            .mount(&server)
            .await;
        Self { core, server }
    }

    /// The base URL for clients, in place of `https://api.webflow.com/v2`, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}/v2", self.server.uri())
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

    /// Appends steps to the script.
    pub fn script(&self, steps: impl IntoIterator<Item = impl Into<Step>>) {
        self.core.script(steps);
    }

    /// Replaces the model, clears script and log, and restores the settings that the server was started with.
    pub fn reset(&self, model: Model) {
        self.core.reset(model);
    }
}

impl fmt::Debug for ReferenceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceServer")
            .field("base_url", &self.base_url())
            .field("core", &self.core)
            .finish()
    }
}

/// Configures a [`ReferenceServer`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Builder {
    model: Model,
    settings: Settings,
}

impl Builder {
    /// Sets the whole model.
    pub fn model(mut self, model: Model) -> Self {
        self.model = model;
        self
    }

    /// Declares a collection and its locales, as [`Model::collection`] does.
    pub fn collection(mut self, id: &str, primary: &str, secondary: &[&str]) -> Self {
        self.model = self.model.collection(id, primary, secondary);
        self
    }

    /// Adds an item in one locale, as [`Model::insert`] does.
    pub fn item(
        mut self,
        collection: &str,
        item: &str,
        locale: Option<&str>,
        variant: Variant,
    ) -> Self {
        self.model = self.model.insert(collection, item, locale, variant);
        self
    }

    /// Sets the bearer token that requests must carry.
    pub fn token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.settings.token);
        self
    }

    /// Configures a site without localization: items are returned with `cmsLocaleId: null`, as was observed.
    ///
    /// The value for an entry that names the primary locale was not observed; set
    /// [`named_primary_echo`](Settings::named_primary_echo) to test each possibility.
    pub fn without_localization(mut self) -> Self {
        self.settings.primary_echo = PrimaryEcho::Null;
        self
    }

    /// Sets all settings.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Builds the core without a network, for a [`FaultyServer`](super::FaultyServer) or for calls in process.
    #[must_use]
    pub fn build(self) -> Core {
        Core::new(self.model, self.settings)
    }

    /// Starts the server.
    pub async fn start(self) -> ReferenceServer {
        ReferenceServer::serve(self.build()).await
    }
}

struct Face(Core);

impl Respond for Face {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let reply = self.0.handle(Request {
            method: request.method.clone(),
            path: request.url.path().to_owned(),
            query: request.url.query().map(str::to_owned),
            headers: request.headers.clone(),
            body: request.body.clone().into(),
        });
        let template = ResponseTemplate::new(reply.status).set_body_bytes(reply.body.to_vec());
        let headers = reply.headers.iter().filter(|(name, _)| !is_framing(name));
        headers.fold(template, |template, (name, value)| {
            template.append_header(name, value)
        })
    }
}
