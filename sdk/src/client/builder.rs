//! The builder of a client.

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
    /// Creates a client with the default settings of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// The errors of [`ClientBuilder::build`].
    pub fn new(token: Token) -> Result<Self, Error> {
        Self::builder(token).build()
    }

    /// Creates a builder, to change the settings.
    pub fn builder(token: Token) -> ClientBuilder {
        ClientBuilder::new(token)
    }
}

/// Configures a [`Client`].
///
/// ```no_run
/// use std::time::Duration;
/// use webflow_cms::{Client, RateLimiter, RetryPolicy, Token};
///
/// let client = Client::builder(Token::new("…")?)
///     .operation_timeout(Duration::from_secs(300))
///     .retry(RetryPolicy::new().max_attempts(8))
///     .rate_limiter(RateLimiter::new().share(0.5)?)
///     .user_agent("catalogue-sync/1.4")
///     .build()?;
/// # Ok::<_, webflow_cms::Error>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
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
                random: Arc::new(random_number),
                rate_limiter: RateLimiter::new(),
                budget: RetryBudget::default(),
                observers: Observers::default(),
            },
        }
    }

    /// Base URL. Default: Webflow's Data API, `https://api.webflow.com/v2`.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// Connect timeout. Default: 10 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Timeout of an attempt, from its start to the last byte of the response, including the connection. Default: 60
    /// seconds.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.options.attempt_timeout = timeout;
        self
    }

    /// Timeout of a call with all its attempts and waits. `Duration::MAX` is no limit.
    ///
    /// When it elapses, the current attempt fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout). A wait that
    /// is known to end later is not started: the call fails at once.
    ///
    /// Default: the attempts of a call may together take three times the [attempt timeout](Self::attempt_timeout),
    /// which is 3 minutes. Waits do not count by default: the rate limiter and the [policy](RetryPolicy) limit them, and
    /// a wait for the next window of the rate limit is not a failure. The calls of a bulk update have no default; only
    /// the policy and the rate limiter limit them.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.options.operation_timeout = OperationTimeout::Call(timeout);
        self
    }

    /// Retry policy. Default: [`RetryPolicy::new`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = policy;
        self
    }

    /// Retry budget. Default: 100 retries, and one more for each ten successful requests. To share a budget between
    /// clients, give each a clone.
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.effects.budget = budget;
        self
    }

    /// Rate limiter. Default: [`RateLimiter::new`], which learns the limit of the token from the responses and lets
    /// requests leave at once while some are left.
    ///
    /// Clients with the same token must share a rate limiter: give each a clone. Such clients must also have the same
    /// clock.
    pub fn rate_limiter(mut self, rate_limiter: RateLimiter) -> Self {
        self.effects.rate_limiter = rate_limiter;
        self
    }

    /// Observer of calls, attempts and waits. Default: no observer.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.effects.observers = Observers::default().and(Arc::new(observer));
        self
    }

    /// Source of the random part of waits: a function that returns numbers from 0 to 1. Default: a pseudo-random
    /// generator.
    pub fn randomness(mut self, random: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.effects.random = Arc::new(random);
        self
    }

    /// Name of your application in the user agent, such as `catalogue-sync/1.4`. It precedes `webflow-cms/VERSION`.
    /// Default: `webflow-cms/VERSION` alone.
    pub fn user_agent(mut self, application: impl Into<String>) -> Self {
        self.user_agent = Some(application.into());
        self
    }

    /// Settings of reqwest, such as proxies, certificates and resolvers. Default: the proxy of the system, except for a
    /// base URL on this machine.
    ///
    /// This builder overrides the settings of redirects, retries, timeouts, the referer, the user agent and verbose
    /// logging.
    ///
    /// Over https a proxy opens a tunnel and sees only the host. Over plain http it would see the token. Without
    /// [`allow_plain_http`](Self::allow_plain_http), requests over plain http therefore use no proxy, and `localhost`
    /// resolves to the loopback interface.
    pub fn http(mut self, http: reqwest::ClientBuilder) -> Self {
        self.http = Some(http);
        self
    }

    /// Maximum size of a response's body in bytes, after decompression. Default: 64 MiB.
    ///
    /// The client stops reading a longer body, and fails with
    /// [`ErrorKind::InvalidResponse`](crate::ErrorKind::InvalidResponse) if the status is 200. The limit for an error
    /// response to an [update](Client::update) is 256 KiB, or this limit if it is lower.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Consent to plain http to another machine or through a proxy. Default: `false`.
    ///
    /// Plain http exposes the token to everybody on the network path. A base URL on this machine requires no consent;
    /// without consent, no proxy is used for it.
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    /// Clock of the waits, timeouts and the rate limiter. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.effects.clock = Arc::new(clock);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// - [`InvalidInput::BaseUrl`], [`InvalidInput::PlainHttp`] or [`InvalidInput::NoTls`] for the base URL.
    /// - [`InvalidInput::UserAgent`] if the name of the application is not a valid header value.
    /// - [`InvalidInput::ZeroTimeout`] if a timeout is zero.
    /// - [`ErrorKind::Transport`](crate::ErrorKind::Transport) if reqwest cannot be set up, for example without the
    ///   certificates of the system.
    pub fn build(self) -> Result<Client, Error> {
        let base_url = checked_base_url(&self.base_url, self.allow_plain_http)?;
        if self.connect_timeout.is_zero() {
            return Err(InvalidInput::ZeroTimeout.into());
        }
        self.options.check()?;
        // To a proxy of the system, `localhost` is the proxy's own machine.
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
            // Verbose logging would write the token.
            .connection_verbose(false)
            .redirect(reqwest::redirect::Policy::none())
            // Only this crate's loop of attempts retries and counts.
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.connect_timeout)
            // The attempt timeout elapses earlier, on the client's clock.
            .timeout(A_YEAR)
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

/// Makes settings for requests that must not leave this machine.
fn to_this_machine(http: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    // Port 0: the port of the URL is used.
    let loopback: [SocketAddr; 2] = [
        (Ipv4Addr::LOCALHOST, 0).into(),
        (Ipv6Addr::LOCALHOST, 0).into(),
    ];
    http.no_proxy().resolve_to_addrs("localhost", &loopback)
}

const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that uses the global source of randomness"
)]
fn random_number() -> f64 {
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
