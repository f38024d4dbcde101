//! The reference server without a network: turns requests into responses.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use serde_json::Value;

use super::faults::Fault;
use super::log::Exchange;
use super::model::Model;
use super::reply::{Basis, Reply};
use super::response::Settings;
use super::time::{RealTime, Time};
use super::update::{Update, Updated};
use super::validate::{self, Checked, Violation};

/// A request as the server received it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, undecoded.
    pub path: String,
    /// The query, undecoded and without `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// The server's action for the next valid request.
pub enum Step {
    /// The model responds.
    Model,
    /// Responds with this reply. The model does not see the request.
    Reply(Reply),
    /// The model responds, and the function changes its response. The function must not call the [`Core`].
    ModelThen(Box<dyn FnOnce(ModelResponse) -> Reply + Send>),
}

impl Step {
    /// Creates a [`Step::ModelThen`] from a function.
    pub fn model_then(change: impl FnOnce(ModelResponse) -> Reply + Send + 'static) -> Self {
        Self::ModelThen(Box::new(change))
    }
}

impl From<Reply> for Step {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("Model"),
            Self::Reply(reply) => f.debug_tuple("Reply").field(reply).finish(),
            Self::ModelThen(_) => f.write_str("ModelThen(..)"),
        }
    }
}

/// The model's response, as a [`Step::ModelThen`] gets it.
#[derive(Clone, Debug)]
pub struct ModelResponse {
    /// The response as it would be sent.
    pub reply: Reply,
    /// The variants that the request updated, in the order of the request. Empty if the request was refused.
    pub updated: Vec<Updated>,
}

impl ModelResponse {
    /// Changes the body.
    #[must_use]
    pub fn edit(self, change: impl FnOnce(&mut Value)) -> Reply {
        let mut body = serde_json::from_slice(&self.reply.body).unwrap_or_default();
        change(&mut body);
        self.reply.json(&body).on(Basis::Scripted)
    }

    /// Changes the list of returned items. A response without a list is left as it is.
    #[must_use]
    pub fn edit_items(self, change: impl FnOnce(&mut Vec<Value>)) -> Reply {
        self.edit(|body| {
            if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
                change(items);
            }
        })
    }
}

/// The reference server without a network: model, settings, script and log behind one lock.
///
/// Clones share the same state.
#[derive(Clone)]
pub struct Core {
    state: Arc<Mutex<State>>,
    time: Arc<dyn Time>,
}

struct State {
    model: Model,
    settings: Settings,
    /// The settings that [`Core::reset`] restores.
    initial_settings: Settings,
    script: VecDeque<Step>,
    log: Vec<Exchange>,
    /// Number of resets of the log.
    resets: u64,
}

/// A logged request without a response yet.
pub(super) struct Arrived {
    collection: Option<String>,
    index: usize,
    resets: u64,
}

impl Core {
    /// Creates a core with an empty script and an empty log, on the time of the operating system.
    #[must_use]
    pub fn new(model: Model, settings: Settings) -> Self {
        Self::with_time(model, settings, RealTime::default())
    }

    /// Creates a core with an empty script and an empty log, on the given time.
    #[must_use]
    pub fn with_time(model: Model, settings: Settings, time: impl Time) -> Self {
        let state = State {
            model,
            initial_settings: settings.clone(),
            settings,
            script: VecDeque::new(),
            log: Vec::new(),
            resets: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            time: Arc::new(time),
        }
    }

    /// Handles a request and logs it.
    ///
    /// The core refuses a request that the [limiter](Settings::limiter) does not admit, that violates the API document,
    /// or that is [too large](Settings::max_body); the script is left as it is. Any other request takes the next step
    /// of the script. Without a step, the model responds.
    pub fn handle(&self, request: Request) -> Reply {
        let arrived = self.arrive(request, Fault::None);
        self.act(&arrived)
    }

    /// Logs a request, without a response yet.
    pub(super) fn arrive(&self, request: Request, fault: Fault) -> Arrived {
        let at = self.time.elapsed();
        let mut state = self.lock();
        let checked = validate::check(&request, &state.settings.token);
        let arrived = Arrived {
            collection: checked.collection.clone(),
            index: state.log.len(),
            resets: state.resets,
        };
        state.record(request, checked, fault, at);
        arrived
    }

    /// Handles a logged request. A request that a reset removed from the log gets a 503.
    pub(super) fn act(&self, arrived: &Arrived) -> Reply {
        let (elapsed, now) = (self.time.elapsed(), self.time.now());
        let mut state = self.lock();
        let State {
            model,
            settings,
            script,
            log,
            resets,
            ..
        } = &mut *state;
        let known = *resets == arrived.resets;
        let Some(exchange) = log.get_mut(arrived.index).filter(|_| known) else {
            return Reply::new(503);
        };
        let (reply, applied) = match settings.limit(elapsed, now) {
            Some(too_many) => (too_many, 0),
            None => {
                let collection = arrived.collection.as_deref();
                respond(model, settings, script, exchange, collection)
            }
        };
        exchange.acted_at = Some(elapsed);
        exchange.applied = applied;
        exchange.reply = Some(reply.clone());
        reply
    }

    /// The time of the core.
    #[must_use]
    pub fn time(&self) -> &Arc<dyn Time> {
        &self.time
    }

    /// Appends steps to the script.
    pub fn script(&self, steps: impl IntoIterator<Item = impl Into<Step>>) {
        let steps: Vec<Step> = steps.into_iter().map(Into::into).collect();
        self.lock().script.extend(steps);
    }

    /// Number of steps that no request has taken yet.
    #[must_use]
    pub fn pending_steps(&self) -> usize {
        self.lock().script.len()
    }

    /// Removes the steps that no request has taken yet.
    pub fn clear_script(&self) {
        self.lock().script.clear();
    }

    /// Changes the settings until the next [reset](Self::reset).
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.lock().settings);
    }

    /// The current settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    /// The current model.
    #[must_use]
    pub fn model(&self) -> Model {
        self.lock().model.clone()
    }

    /// The log since the last [reset](Self::reset).
    #[must_use]
    pub fn log(&self) -> Vec<Exchange> {
        self.lock().log.clone()
    }

    /// Reads the log without copying it. The function must not call the core.
    pub fn read_log<T>(&self, read: impl FnOnce(&[Exchange]) -> T) -> T {
        read(&self.lock().log)
    }

    /// Changes the limit of the [limiter](Settings::limiter), if there is one, from now on.
    pub fn set_limit(&self, limit: u32) {
        let now = self.time.elapsed();
        if let Some(limiter) = &mut self.lock().settings.limiter {
            limiter.set_limit(now, limit);
        }
    }

    /// Replaces the model, clears script and log, and restores the settings that the core was created with.
    pub fn reset(&self, model: Model) {
        let mut state = self.lock();
        state.model = model;
        state.settings = state.initial_settings.clone();
        state.script.clear();
        state.log.clear();
        state.resets += 1;
    }

    /// A panic under the lock leaves no partial change, so a poisoned lock is used like any other.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Core")
            .field("settings", &state.settings)
            .field("script", &state.script)
            .field("exchanges", &state.log.len())
            .finish_non_exhaustive()
    }
}

/// The response to a request, and the number of entries that the model applied.
fn respond(
    model: &mut Model,
    settings: &Settings,
    script: &mut VecDeque<Step>,
    exchange: &Exchange,
    collection: Option<&str>,
) -> (Reply, usize) {
    let refused = exchange.violations.iter().any(Violation::is_refused);
    let (Some(collection), Some(json), false) = (collection, &exchange.json, refused) else {
        return (settings.with_rate(validate::refusal(exchange)), 0);
    };
    if settings
        .max_body
        .is_some_and(|most| exchange.body.len() > most)
    {
        return (settings.with_rate(Reply::new(413).on(Basis::Assumed)), 0);
    }
    let mut serve = || serve(model, settings, &Update::from_body(collection, json));
    match script.pop_front() {
        Some(Step::Reply(reply)) => (reply, 0),
        Some(Step::ModelThen(change)) => {
            let (response, applied) = serve();
            (change(response), applied)
        }
        Some(Step::Model) | None => {
            let (response, applied) = serve();
            (response.reply, applied)
        }
    }
}

fn serve(model: &mut Model, settings: &Settings, update: &Update) -> (ModelResponse, usize) {
    match model.apply(update) {
        Ok(updated) => {
            let applied = updated.len();
            let reply = settings.updated(&updated);
            (ModelResponse { reply, updated }, applied)
        }
        Err(refusal) => {
            let reply = settings.refused(&refusal);
            let updated = Vec::new();
            (ModelResponse { reply, updated }, refusal.applied)
        }
    }
}

impl State {
    fn record(&mut self, request: Request, checked: Checked, fault: Fault, at: Duration) {
        let Request {
            method,
            path,
            query,
            mut headers,
            body,
        } = request;
        if let header::Entry::Occupied(mut authorization) = headers.entry(header::AUTHORIZATION) {
            authorization
                .iter_mut()
                .for_each(|value| value.set_sensitive(true));
        }
        let Checked {
            json, violations, ..
        } = checked;
        let index = self.log.len();
        self.log.push(Exchange {
            index,
            at,
            acted_at: None,
            method,
            path,
            query,
            headers,
            body,
            json,
            violations,
            reply: None,
            applied: 0,
            fault,
        });
    }
}
