//! The server without its wire: from request to reply.

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

/// A request as it came over the wire.
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

/// What the server does with the next valid request.
pub enum Step {
    /// The model responses.
    Model,
    /// This is the response; the model does not see the request.
    Reply(Reply),
    /// The model responses, and the function changes its response. The function must not call the [`Core`].
    ModelThen(Box<dyn FnOnce(ModelResponse) -> Reply + Send>),
}

impl Step {
    /// [`Step::ModelThen`] without the box.
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

/// The response of the model, to be changed by a [`Step::ModelThen`].
#[derive(Clone, Debug)]
pub struct ModelResponse {
    /// The response as it would be sent.
    pub reply: Reply,
    /// The variants that the request updated, in the order in which they were sent; empty if it was refused.
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

    /// Changes the list of returned items. A response without a list stays as it is.
    #[must_use]
    pub fn edit_items(self, change: impl FnOnce(&mut Vec<Value>)) -> Reply {
        self.edit(|body| {
            if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
                change(items);
            }
        })
    }
}

/// The reference server without a network: the model, the settings, the script and the log, behind one lock.
///
/// Clones share all of it.
#[derive(Clone)]
pub struct Core {
    state: Arc<Mutex<State>>,
    time: Arc<dyn Time>,
}

struct State {
    model: Model,
    settings: Settings,
    /// What [`Core::reset`] goes back to.
    initial_settings: Settings,
    script: VecDeque<Step>,
    log: Vec<Exchange>,
    /// How often the log was begun anew.
    resets: u64,
}

/// A request that is in the log and was not answered yet.
pub(super) struct Arrived {
    collection: Option<String>,
    index: usize,
    resets: u64,
}

impl Core {
    /// A core with an empty script and an empty log, on the time of the operating system.
    #[must_use]
    pub fn new(model: Model, settings: Settings) -> Self {
        Self::with_time(model, settings, RealTime::default())
    }

    /// A core with an empty script and an empty log, on a time of its own.
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

    /// Responses a request and logs it.
    ///
    /// A request that the [limiter](Settings::limiter) does not admit, that violates the API document or that is
    /// [too large](Settings::max_body) is refused and leaves the script as it is. Any other takes the next step of the script, or is answered by the model if there is
    /// none.
    pub fn handle(&self, request: Request) -> Reply {
        let arrived = self.arrive(request, Fault::None);
        self.act(&arrived)
    }

    /// Logs a request, which is not answered yet.
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

    /// Responses a request that is in the log. One that a reset has taken out of it gets nothing but a 503.
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

    /// The time that the core goes by.
    #[must_use]
    pub fn time(&self) -> &Arc<dyn Time> {
        &self.time
    }

    /// Appends steps to the script.
    pub fn script(&self, steps: impl IntoIterator<Item = impl Into<Step>>) {
        let steps: Vec<Step> = steps.into_iter().map(Into::into).collect();
        self.lock().script.extend(steps);
    }

    /// The number of steps that no request has taken yet.
    #[must_use]
    pub fn pending_steps(&self) -> usize {
        self.lock().script.len()
    }

    /// Forgets the steps that no request has taken yet.
    pub fn clear_script(&self) {
        self.lock().script.clear();
    }

    /// Changes the settings until the next [reset](Self::reset).
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.lock().settings);
    }

    /// The settings as they are now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    /// The model as it is now.
    #[must_use]
    pub fn model(&self) -> Model {
        self.lock().model.clone()
    }

    /// The log since the last [reset](Self::reset).
    #[must_use]
    pub fn log(&self) -> Vec<Exchange> {
        self.lock().log.clone()
    }

    /// Looks at the log without a copy of it. The function must not call the core.
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

    /// Starts anew with this model: no script, no log, and the settings that the core was made with.
    pub fn reset(&self, model: Model) {
        let mut state = self.lock();
        state.model = model;
        state.settings = state.initial_settings.clone();
        state.script.clear();
        state.log.clear();
        state.resets += 1;
    }

    /// Nothing is left half-changed by a panic under the lock, so a poisoned lock is as good as any.
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

/// The response to a request, and how many entries the model applied for it.
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
