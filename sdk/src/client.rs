//! The client and how it is made.

mod base_url;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use self::base_url::{checked_base_url, is_this_machine, without_slash};
use crate::bulk::Bulk;
use crate::error::{Error, InvalidInput};
use crate::generated::{self, raw, wire};
use crate::observer::Observers;
use crate::transport::{Home, Parts, Transport};
use crate::tries::{CallOptions, Deadline, Effects};
use crate::{
    Batch, Clock, CollectionId, Observer, Pace, RetryBudget, RetryPolicy, SystemClock, Token,
    UpdateRequest,
};

/// Updates items of Webflow's CMS with one token. Clones share their connections.
///
/// A connection lives on the Tokio runtime of the call that opened it, and so do a client and its clones: a call on
/// another runtime is refused with [`InvalidInput::OtherRuntime`] as long as the first one lives. Make a client for each
/// runtime, with a clone of one [`Pace`]. Once a runtime has ended, its client can be used on the next one.
///
/// ```no_run
/// # async fn example() -> Result<(), webflow_cms::Error> {
/// use webflow_cms::{Batch, Client, CollectionId, ItemId, ItemUpdate, Token};
///
/// let client = Client::new(Token::new("…")?)?;
/// let collection = CollectionId::new("580e63fc8c9a982ac9b8b745")?;
/// let lamp = ItemUpdate::new(ItemId::new("66f6ed9576ddacf3149d5ea6")?).field("price", &99.5)?;
/// let response = client.update(&collection, &Batch::new([lamp])?).await?;
/// assert_eq!(response.unconfirmed().count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    base_url: Arc<str>,
    transport: Transport,
    wire: wire::Client,
}

impl Client {
    /// A client with the default settings.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::build`].
    pub fn new(token: Token) -> Result<Self, Error> {
        Self::builder(token).build()
    }

    /// Starts a client with settings of your own.
    pub fn builder(token: Token) -> ClientBuilder {
        ClientBuilder::new(token)
    }

    /// Prepares the update of a batch of items in a collection; `.await` sends it, as one request.
    pub fn update<'a>(&'a self, collection: &CollectionId, batch: &'a Batch) -> UpdateRequest<'a> {
        UpdateRequest::new(self, *collection, batch)
    }

    /// Prepares the update of any number of items in a collection, each of which is accounted for.
    pub fn bulk(&self, collection: &CollectionId) -> Bulk {
        Bulk::new(self.clone(), *collection)
    }

    /// The client that is generated from the OpenAPI document, sending through this one's transport. It tries again in
    /// the same way; its errors are the generated ones, which do not say how often.
    #[must_use]
    pub fn raw(&self) -> raw::Client {
        raw::Client::new_with_client(
            &self.base_url,
            self.transport.parts().http.clone(),
            self.transport.clone(),
        )
    }

    /// Where the requests go.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The same client with another way of trying again: it shares connections, pace and budget with this one.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::Backoff`].
    pub fn with_retry(&self, policy: RetryPolicy) -> Result<Self, Error> {
        policy.check()?;
        Ok(self.changed(|parts| parts.options.retry = policy))
    }

    /// The same client, with one more who is told.
    pub(crate) fn observed(&self, observer: Arc<dyn Observer>) -> Self {
        self.changed(|parts| {
            parts.effects.observers = parts.effects.observers.and(observer);
        })
    }

    fn changed(&self, change: impl FnOnce(&mut Parts)) -> Self {
        let mut parts = self.transport.parts().clone();
        change(&mut parts);
        let transport = Transport::new(parts);
        let http = transport.parts().http.clone();
        Self {
            base_url: self.base_url.clone(),
            wire: wire::Client::new_with_client(&self.base_url, http, transport.clone()),
            transport,
        }
    }

    /// The pace of the client's token, for another client with the same token.
    #[must_use]
    pub fn pace(&self) -> &Pace {
        &self.transport.parts().effects.pace
    }

    /// The budget for requests that are sent again.
    #[must_use]
    pub fn retry_budget(&self) -> &RetryBudget {
        &self.transport.parts().effects.budget
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn wire(&self) -> &wire::Client {
        &self.wire
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("base_url", &self.base_url)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// Makes a [`Client`].
#[must_use = "a builder does nothing until it builds"]
pub struct ClientBuilder {
    token: Token,
    base_url: String,
    http: Option<reqwest::ClientBuilder>,
    connect_timeout: Duration,
    options: CallOptions,
    user_agent: Option<String>,
    max_answer_bytes: usize,
    allow_plain_http: bool,
    effects: Effects,
}

impl ClientBuilder {
    fn new(token: Token) -> Self {
        Self {
            token,
            base_url: generated::BASE_URL.to_owned(),
            http: None,
            connect_timeout: Duration::from_secs(10),
            options: CallOptions {
                retry: RetryPolicy::new(),
                timeout: Duration::from_secs(60),
                deadline: Deadline::Attempts,
            },
            user_agent: None,
            max_answer_bytes: 64 * 1024 * 1024,
            allow_plain_http: false,
            effects: Effects {
                clock: Arc::new(SystemClock),
                random: Arc::new(any_number),
                pace: Pace::new(),
                budget: RetryBudget::default(),
                observers: Observers::default(),
            },
        }
    }

    /// Where the requests go. The default is Webflow's Data API, `https://api.webflow.com/v2`.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// How long a connection may take to come about, 10 seconds unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a try may take from its start to the last byte of the answer, 60 seconds unless set. It covers the
    /// connection too.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// How long a call may take with all its tries and waits. A try that is under way then ends as one that ran out of
    /// time; a wait that is known to last until then is not begun, and the call ends at once. `Duration::MAX` is no
    /// limit.
    ///
    /// Unless set, it is the tries of a call that may together take three times as long as one of them
    /// ([`timeout`](Self::timeout)): 3 minutes, so long can a service be silent. Waits do not count then, since the pace
    /// and the [policy](RetryPolicy) bound them, and a wait for the next window of the rate limit is no failure. A bulk
    /// update has the patience of its policy alone unless a deadline is set.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Deadline::Call(deadline);
        self
    }

    /// How often and when calls try again: as [`RetryPolicy::new`] unless set.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = policy;
        self
    }

    /// How many requests may be sent again: 100 and one more for each ten successes unless set. To share it between
    /// clients, give each a clone.
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.effects.budget = budget;
        self
    }

    /// How many requests a minute are sent: as many as the answers say that the token has, unless set. To share it
    /// between clients with the same token, give each a clone; they must have the same clock too.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.effects.pace = pace;
        self
    }

    /// Who hears of every try and every wait.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.effects.observers = Observers::default().and(Arc::new(observer));
        self
    }

    /// Where the random part of waits comes from: a function that gives numbers from 0 to 1.
    pub fn randomness(mut self, random: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.effects.random = Arc::new(random);
        self
    }

    /// The name of your application, such as `catalogue-sync/1.4`, to stand before `webflow-cms/VERSION` in the user
    /// agent.
    pub fn user_agent(mut self, application: impl Into<String>) -> Self {
        self.user_agent = Some(application.into());
        self
    }

    /// The reqwest settings to start from: proxies, certificates, resolvers. Without them the system's proxy is used,
    /// but not for this machine. Redirects, timeouts, the user agent and verbose logging are set by this builder
    /// whatever they say.
    ///
    /// For a base URL without encryption, proxies of these settings and of the system are used only with
    /// [`allow_plain_http`](Self::allow_plain_http), since they would see the token, and without it `localhost` is the
    /// loopback interface whatever a resolver says. Over https a proxy is asked for a tunnel and sees the host alone.
    pub fn http(mut self, http: reqwest::ClientBuilder) -> Self {
        self.http = Some(http);
        self
    }

    /// How many bytes the body of an answer may have, decoded; 64 MiB unless set. What is longer is not read on. Of a
    /// refusal to an [update](Client::update), 256 KiB are the most, whatever is set here.
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    /// Consents to a base URL without encryption to another machine or through a proxy, which shows the token to
    /// everybody on the way. This machine needs no consent if it is asked without a proxy, and so it is then.
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    /// Where the time comes from, for waits, time limits and the pace: the operating system unless set.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.effects.clock = Arc::new(clock);
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::BaseUrl`], [`InvalidInput::PlainHttp`], [`InvalidInput::NoTls`], [`InvalidInput::UserAgent`],
    /// [`InvalidInput::ZeroTimeout`] or [`InvalidInput::Backoff`];
    /// [`ErrorKind::Transport`](crate::ErrorKind::Transport) if reqwest cannot be set up, for want of the system's
    /// certificates for instance.
    pub fn build(self) -> Result<Client, Error> {
        let base_url = checked_base_url(&self.base_url, self.allow_plain_http)?;
        if self.connect_timeout.is_zero() {
            return Err(InvalidInput::ZeroTimeout.into());
        }
        self.options.check()?;
        // The system's proxy does not know this machine by the name that this machine has for itself.
        let on_this_machine = base_url.host_str().is_some_and(is_this_machine);
        let http = match self.http {
            Some(http) => http,
            None if on_this_machine => reqwest::Client::builder().no_proxy(),
            None => reqwest::Client::builder(),
        };
        let is_plain = base_url.scheme() == "http";
        let http = if is_plain && !self.allow_plain_http {
            to_this_machine(http)
        } else {
            http
        };
        let http = http
            // It would write the token to the log.
            .connection_verbose(false)
            .redirect(reqwest::redirect::Policy::none())
            // What is sent again, and when, is decided and counted in one place, which is not there.
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.connect_timeout)
            // Our own timer ends a try sooner, on the client's clock.
            .timeout(FOREVER)
            .user_agent(user_agent(self.user_agent.as_deref())?)
            .build()
            .map_err(Error::set_up)?;
        let transport = Transport::new(Parts {
            http: http.clone(),
            home: Arc::new(Home::default()),
            base_url: base_url.clone(),
            token: self.token,
            max_answer_bytes: self.max_answer_bytes,
            options: self.options,
            effects: self.effects,
        });
        let base_url = without_slash(&base_url);
        let wire = wire::Client::new_with_client(base_url, http, transport.clone());
        Ok(Client {
            base_url: base_url.into(),
            transport,
            wire,
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientBuilder")
            .field("token", &self.token)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The settings for requests that are to stay on this machine.
fn to_this_machine(http: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    // The port is that of the URL.
    let loopback: [SocketAddr; 2] = [
        (Ipv4Addr::LOCALHOST, 0).into(),
        (Ipv6Addr::LOCALHOST, 0).into(),
    ];
    http.no_proxy().resolve_to_addrs("localhost", &loopback)
}

/// A year.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that takes randomness from the air"
)]
fn any_number() -> f64 {
    fastrand::f64()
}

fn user_agent(application: Option<&str>) -> Result<HeaderValue, Error> {
    const OWN: &str = concat!("webflow-cms/", env!("CARGO_PKG_VERSION"));
    let text = match application {
        None => OWN.to_owned(),
        Some(application) => format!("{application} {OWN}"),
    };
    HeaderValue::from_str(&text).map_err(|_| InvalidInput::UserAgent.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_names_the_application_first() {
        let own = format!("webflow-cms/{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(user_agent(None).expect("fits"), own);
        assert_eq!(
            user_agent(Some("sync/1.4")).expect("fits"),
            format!("sync/1.4 {own}")
        );
        assert!(user_agent(Some("two\nlines")).is_err());
    }
}
