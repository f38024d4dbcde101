//! The cases of the rules about bulk runs: what goes in, what the site is like, and what goes wrong.

use std::fmt;

use serde_json::json;

use crate::client::{Entry, RateLimiter};
use crate::rules::site;
use webflow_cms_reference::{Fault, Model, Reply, Step, UndocumentedBody, Variant};

/// An item and a locale, by their numbers.
pub(super) type Key = (usize, usize);

/// One position of the source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// An update that holds its own position, and so many characters more.
    Update { key: Key, pad: usize },
    /// The source fails.
    Error,
}

impl fmt::Debug for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Update { key, pad: 0 } => write!(formatter, "{}/{}", key.0, key.1),
            Self::Update { key, pad } => write!(formatter, "{}/{}+{pad}", key.0, key.1),
            Self::Error => formatter.write_str("error"),
        }
    }
}

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// The service refuses its value.
    Value,
    /// The item does not exist.
    NoItem,
    /// The item does not exist in the locale.
    NoVariant,
    /// The service refuses it with this status.
    Refused(u16, Words),
}

/// What stands in the body of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// Nothing.
    Nothing,
    /// What Webflow's errors look like.
    Webflow,
    /// The same, with ids and numbers that are others each time.
    Numbered(u64),
    Undocumented(UndocumentedBody),
}

impl Words {
    pub(super) fn all() -> Vec<Self> {
        let own = [Self::Nothing, Self::Webflow, Self::Numbered(7)];
        let undocumented = UndocumentedBody::ALL.map(Self::Undocumented);
        own.into_iter().chain(undocumented).collect()
    }

    /// The refusal with this status. Request number `number` gets it.
    pub(super) fn reply(self, status: u16, number: u64) -> Reply {
        let body = |message: &str| {
            let body =
                json!({"message": message, "code": null, "externalReference": null, "details": []});
            Reply::new(status).json(&body)
        };
        match self {
            Self::Nothing => Reply::new(status),
            Self::Webflow => body("Requested resource not found"),
            Self::Numbered(first) => {
                let number = first + number;
                body(&format!(
                    "Request {number} for 66f6ed95{number:016x} is refused"
                ))
            }
            Self::Undocumented(body) => body.reply_with(status),
        }
    }
}

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    None,
    /// This status, with a wait that is asked for, if any.
    Status(u16, Option<u64>),
    Fault(Fault),
    /// Everything is refused with this status.
    Refused(u16, Words),
    /// The response to what was applied lacks some items, as these bits say.
    Lacks(u8),
}

/// How the source ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    Ends,
    /// It gives nothing more, and does not end.
    Silent,
    /// It gives an error each so many milliseconds, and does not end.
    Drips(u64),
}

/// When a leg is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Outcome(usize),
    Poll(usize),
    Milliseconds(u64),
}

/// How a leg is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    Drop,
    Cancel,
}

/// One run of several with the same journal and input.
#[derive(Clone, Debug, Default)]
pub(super) struct Leg {
    pub(super) troubles: Vec<Trouble>,
    pub(super) interrupt: Option<(Interrupt, At)>,
    pub(super) resend: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) input: Vec<Position>,
    /// The positions before which the source gives nothing for so many milliseconds.
    pub(super) lulls: Vec<(usize, u64)>,
    pub(super) tail: Tail,
    pub(super) bad: Vec<(Key, Bad)>,
    /// Whether a refused request changes nothing.
    pub(super) atomic: bool,
    /// The longest body that the service takes.
    pub(super) max_body: Option<usize>,
    /// Whether responses are in another order than requests.
    pub(super) reversed: bool,
    /// Decides how long requests are under way; not at all if it is 0.
    pub(super) latency: u64,
    pub(super) concurrency: usize,
    pub(super) max_batch_bytes: Option<usize>,
    pub(super) assume_atomic: bool,
    pub(super) max_consecutive_failures: u32,
    pub(super) continue_after_unknown: bool,
    pub(super) continue_after_source_error: bool,
    pub(super) attempts: u32,
    pub(super) again: bool,
    pub(super) rate_limiter: RateLimiter,
    pub(super) journal: bool,
    pub(super) legs: Vec<Leg>,
}

impl Case {
    /// A run that nothing disturbs.
    pub(super) fn calm(input: Vec<Position>) -> Self {
        Self {
            input,
            lulls: Vec::new(),
            tail: Tail::Ends,
            bad: Vec::new(),
            atomic: true,
            max_body: None,
            reversed: false,
            latency: 0,
            concurrency: 4,
            max_batch_bytes: None,
            assume_atomic: true,
            max_consecutive_failures: 1_000,
            continue_after_unknown: false,
            continue_after_source_error: true,
            attempts: 3,
            again: true,
            rate_limiter: RateLimiter::Unlimited,
            journal: false,
            legs: vec![Leg::default()],
        }
    }

    pub(super) fn key(&self, index: usize) -> Option<Key> {
        match self.input.get(index) {
            Some(Position::Update { key, .. }) => Some(*key),
            _ => None,
        }
    }

    /// The keys, each once, in the order in which they come.
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut seen = std::collections::BTreeSet::new();
        (0..self.input.len())
            .filter_map(|index| self.key(index))
            .filter(|key| seen.insert(*key))
            .collect()
    }

    pub(super) fn is_bad(&self, key: Key) -> bool {
        self.bad
            .iter()
            .any(|(bad, what)| *bad == key || (*what == Bad::NoItem && bad.0 == key.0))
    }

    pub(super) fn entry(&self, index: usize) -> Result<Entry, String> {
        match self.input.get(index) {
            Some(Position::Update { key, pad }) => {
                let fields = if *pad == 0 {
                    format!("{{\"mark\":{index}}}")
                } else {
                    format!("{{\"mark\":{index},\"pad\":\"{}\"}}", "x".repeat(*pad))
                };
                Ok(Entry::new(site::item(key.0))
                    .locale(site::locale(key.1))
                    .fields(&fields))
            }
            _ => Err(format!("position {index} cannot be read")),
        }
    }

    /// How long the body of a request with this entry alone is.
    pub(super) fn alone(&self, index: usize) -> usize {
        r#"{"items":[]}"#.len() + self.bytes(index)
    }

    /// Whether the bound for bytes lets no request hold this entry.
    pub(super) fn is_too_long(&self, index: usize) -> bool {
        self.max_batch_bytes
            .is_some_and(|most| self.alone(index) > most)
    }

    /// How long an entry is.
    pub(super) fn bytes(&self, index: usize) -> usize {
        let Ok(entry) = self.entry(index) else {
            return 0;
        };
        let locale = entry
            .cms_locale_id
            .map_or(0, |id| id.len() + r#","cmsLocaleId":"""#.len());
        let fields = entry.field_data.map_or(0, |fields| fields.get().len());
        r#"{"id":"","fieldData":}"#.len() + entry.id.len() + locale + fields
    }

    /// How many positions a run takes from the source.
    pub(super) fn taken(&self) -> usize {
        let error = self.input.iter().position(|slot| *slot == Position::Error);
        match error {
            Some(error) if !self.continue_after_source_error => error + 1,
            _ => self.input.len(),
        }
    }

    /// Whether the source keeps a run waiting.
    pub(super) fn is_slow(&self) -> bool {
        self.tail != Tail::Ends || !self.lulls.is_empty()
    }

    pub(super) fn model(&self) -> Model {
        let mut model = Model::new()
            .collection(site::COLLECTION, site::PRIMARY, &site::SECONDARY)
            .atomic(self.atomic);
        let bad = |key: Key| {
            let exactly = |(bad, _): &&(Key, Bad)| *bad == key;
            self.bad.iter().find(exactly).map(|(_, what)| *what)
        };
        let insert = |model: Model, key: Key| {
            let variant = Variant::named("Before", "before");
            let (item, locale) = (site::item(key.0), site::locale(key.1));
            model.insert(site::COLLECTION, &item, locale, variant)
        };
        for key in self.keys() {
            let there = !self
                .bad
                .iter()
                .any(|(other, what)| *what == Bad::NoItem && other.0 == key.0);
            match bad(key) {
                _ if !there => {}
                Some(Bad::NoItem) => {}
                Some(Bad::NoVariant) => {
                    let other = (1..4).map(|step| (key.0, (key.1 + step) % 4));
                    let other = other.into_iter().find(|other| bad(*other).is_none());
                    model = other.into_iter().fold(model, insert);
                }
                Some(Bad::Value) => {
                    let (item, locale) = (site::item(key.0), site::locale(key.1));
                    model = insert(model, key).reject(site::COLLECTION, &item, locale);
                }
                Some(Bad::Refused(status, words)) => {
                    let (item, locale) = (site::item(key.0), site::locale(key.1));
                    let reply = words.reply(status, 0);
                    model = insert(model, key).reject_with(site::COLLECTION, &item, locale, reply);
                }
                None => model = insert(model, key),
            }
        }
        model
    }
}

impl Trouble {
    /// The fault of the connection of request number `number`, and what the server does if it runs.
    pub(super) fn plan(&self, number: usize) -> (Fault, Option<Step>) {
        match self {
            Self::None => (Fault::None, Some(Step::Model)),
            Self::Status(status, wait) => {
                let mut reply = Reply::new(*status);
                if let Some(wait) = wait {
                    reply = reply.header("retry-after", &wait.to_string());
                }
                (Fault::None, Some(Step::Reply(reply)))
            }
            Self::Refused(status, words) => {
                let reply = words.reply(*status, u64::try_from(number).unwrap_or(0));
                (Fault::None, Some(Step::Reply(reply)))
            }
            Self::Fault(fault) => (fault.clone(), fault.acts().then_some(Step::Model)),
            Self::Lacks(bits) => {
                let bits = *bits;
                let lacking = Step::model_then(move |response| {
                    response.edit_items(|items| {
                        let mut position = 0;
                        items.retain(|_| {
                            position += 1;
                            bits >> (position % 8) & 1 == 0
                        });
                    })
                });
                (Fault::None, Some(lacking))
            }
        }
    }
}
