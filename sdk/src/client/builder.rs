//! Settings of a client.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::base_url::{checked_base_url, is_this_machine, without_slash};
use super::handle::Client;
use crate::error::{Error, InvalidInput};
use crate::http::attempts::{CallOptions, Effects, OperationTimeout};
use crate::http::home::Home;
use crate::http::token::Token;
use crate::http::transport::{Parts, Transport};
use crate::observe::{Observer, Observers};
use crate::rate_limit::RateLimiter;
use crate::retry::{RetryBudget, RetryPolicy};
use crate::spec;
use crate::time::{Clock, SystemClock};

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
    max_response_bytes: usize,
    allow_plain_http: bool,
    effects: Effects,
}

impl ClientBuilder {
    pub(super) fn new(token: Token) -> Self {
        Self {
            token,
            base_url: spec::BASE_URL.to_owned(),
            http: None,
            connect_timeout: Duration::from_secs(10),
            options: CallOptions {
                retry: RetryPolicy::new(),
                attempt_timeout: Duration::from_secs(60),
                operation_timeout: OperationTimeout::Attempts,
            },
            user_agent: None,
            max_response_bytes: 64 * 1024 * 1024,
            allow_plain_http: false,
            effects: Effects {
                clock: Arc::new(SystemClock),
                random: Arc::new(any_number),
                rate_limiter: RateLimiter::new(),
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
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.options.attempt_timeout = timeout;
        self
    }

    /// How long a call may take with all its tries and waits. A try that is under way then ends as one that ran out of
    /// time; a wait that is known to last until then is not begun, and the call ends at once. `Duration::MAX` is no
    /// limit.
    ///
    /// Unless set, it is the tries of a call that may together take three times as long as one of them
    /// ([`timeout`](Self::attempt_timeout)): 3 minutes, so long can a service be silent. Waits do not count then, since the pace
    /// and the [policy](RetryPolicy) bound them, and a wait for the next window of the rate limit is no failure. A bulk
    /// update has the patience of its policy alone unless a deadline is set.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.options.operation_timeout = OperationTimeout::Call(timeout);
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
    pub fn rate_limiter(mut self, rate_limiter: RateLimiter) -> Self {
        self.effects.rate_limiter = rate_limiter;
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
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
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
    /// [`InvalidInput::ZeroTimeout`];
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
            http,
            home: Arc::new(Home::default()),
            base_url: base_url.clone(),
            token: self.token,
            max_response_bytes: self.max_response_bytes,
            options: self.options,
            effects: self.effects,
        });
        Ok(Client::connect(without_slash(&base_url), transport))
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
