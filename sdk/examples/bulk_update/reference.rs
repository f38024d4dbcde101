//! The embedded reference server, with a rate limit and injected faults, on a thread of its own.

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use webflow_cms::bulk::{ItemStatus, JournalReader, Outcome, Recorded};
use webflow_cms::{Client, ClientBuilder, CollectionId, ItemUpdate, Token};
use webflow_cms_reference::{
    Core, Fault, FaultyServer, Limiter, Model, ReferenceServer, Reply, Settings, Step, Variant,
    VariantKey,
};

use super::content::{self, content};
use super::entry::Entry;
use super::files::Files;
use super::format::{count, grouped};
use super::input::Input;
use super::options::Options;
use super::progress::Display;
use super::site::{COLLECTION, changed, insert, locale, shown, variant};
use super::upload::{has_journal, refused};
use super::{Failure, site};

/// Requests per minute. Webflow allows 60 or 120, at which the example would take too long.
const LIMIT: u32 = 1_200;

/// The latency of a response, before and after the model acts.
const LATENCY: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(40));

/// The field that the collection does not have.
const UNKNOWN_FIELD: &str = "unknown-field";

pub(crate) struct Reference {
    server: FaultyServer,
    expected: Expected,
    /// The number of rows that the server cannot parse. It refuses requests with them as invalid JSON.
    unparsable: u64,
    /// The server's thread ends when this is dropped.
    _running: oneshot::Sender<()>,
}

impl Reference {
    /// Starts a server that has each item of the input with older content. Items that an earlier run has updated, by
    /// its journal, have their new content, as they would on Webflow.
    pub(crate) async fn start(
        input: &mut Input,
        files: &Files,
        options: &Options,
        display: &Display,
    ) -> Result<Self, Failure> {
        let mut journal = journal(files, options)?;
        let mut counter = display.step_counter("rows given to the reference server", input.rows());
        let mut entries = Vec::new();
        let mut is_updated = Vec::new();
        let mut unparsable = 0;
        for update in input.rows_from_start()? {
            counter.step(1);
            let Ok(update) = update else { continue };
            let Ok(entry) = entry(&update) else {
                // The server refuses it when it is sent.
                unparsable += 1;
                continue;
            };
            entries.push(entry);
            let recorded = journal.as_mut().map(|journal| journal.look_up(&update));
            is_updated.push(matches!(recorded, Some(Ok(Recorded::Updated))));
        }
        drop(counter);
        let mut model = site::before(entries.iter());
        for (entry, _) in entries
            .iter()
            .zip(is_updated)
            .filter(|(_, updated)| *updated)
        {
            let updated = variant(&model, entry)
                .cloned()
                .map(|variant| content::after(entry, variant));
            if let Some(updated) = updated {
                model = insert(model, entry, updated);
            }
        }
        let expected = Expected::new(&model);
        for entry in entries.iter().filter(|entry| has_unknown_field(entry)) {
            model = model.reject(COLLECTION, entry.id.as_str(), locale(entry));
        }
        let settings = Settings {
            limiter: Some(Limiter::sliding_window(LIMIT)),
            ..Settings::default()
        };
        let core = ReferenceServer::builder()
            .model(model)
            .settings(settings)
            .build();
        let (server, running) = serve(core).await?;
        server.latency(|_| LATENCY);
        // A fault followed by a refusal makes a batch unknown: realistic, but a confusing first impression.
        let starts_well = journal.is_none() && !entries.iter().take(600).any(has_unknown_field);
        if starts_well {
            server.inject(faults());
            server.core().script(first_responses());
        }
        server.core().script(later_responses(entries.len()));
        Ok(Self {
            server,
            expected,
            unparsable,
            _running: running,
        })
    }

    /// A client that talks to this server instead of Webflow.
    pub(crate) fn client(&self) -> Result<ClientBuilder, Failure> {
        let token = Token::new(self.server.token()).map_err(Failure::failed)?;
        Ok(Client::builder(token).base_url(self.server.base_url()))
    }

    pub(crate) fn about() -> String {
        format!(
            "the embedded reference server: {} requests per minute, with injected faults",
            grouped(LIMIT.into())
        )
    }

    /// The number of requests that have arrived.
    fn requests(&self) -> usize {
        self.server.core().read_log(<[_]>::len) + self.server.unread()
    }

    /// Applies an outcome to the expected content.
    pub(crate) fn expect(&mut self, outcome: &Outcome) {
        self.expected.apply(outcome);
    }

    /// Compares the server's content with the outcomes, field by field, and checks its log for violations of the API.
    pub(crate) fn compare(&self) -> Result<String, Failure> {
        let mut findings = self.expected.differences(&self.server.model());
        let violations: Vec<_> = self.server.core().read_log(|log| {
            let violations = log.iter().flat_map(|exchange| &exchange.violations);
            violations
                .map(|violation| format!("violation: {violation}"))
                .collect()
        });
        let against = match self.unparsable {
            0 => {
                findings.extend(violations);
                "0 violations of the API".to_owned()
            }
            rows => format!("with {} that the server cannot parse", count(rows, "row")),
        };
        if !findings.is_empty() {
            let findings = findings.join("\n  ");
            return Err(Failure::Failed(format!(
                "the reference server differs from this report:\n  {findings}"
            )));
        }
        let (variants, fields) = self.expected.size();
        Ok(format!(
            "the reference server agrees with this report: {} fields and flags of {} item variants\n\
             {} arrived there, {against}",
            grouped(fields),
            grouped(variants),
            count(self.requests() as u64, "request")
        ))
    }
}

/// The expected content of each item variant: one value, or several alternatives if its status is unknown.
struct Expected(BTreeMap<VariantKey, Vec<Variant>>);

impl Expected {
    fn new(model: &Model) -> Self {
        Self(
            model
                .variants()
                .map(|(key, variant)| (key, vec![variant.clone()]))
                .collect(),
        )
    }

    /// The number of variants, and of their fields and flags.
    fn size(&self) -> (u64, u64) {
        let firsts = self.0.values().filter_map(|variants| variants.first());
        let fields: usize = firsts.map(|variant| content(variant).len()).sum();
        (self.0.len() as u64, fields as u64)
    }

    fn apply(&mut self, outcome: &Outcome) {
        let may_have_changed =
            outcome.is_updated() || matches!(outcome.status, ItemStatus::Unknown(_));
        let Some(Ok(entry)) = outcome
            .update
            .as_ref()
            .map(entry)
            .filter(|_| may_have_changed)
        else {
            return;
        };
        let locale = locale(&entry).unwrap_or(Model::PRIMARY_LOCALE);
        let key = VariantKey {
            collection: COLLECTION.to_owned(),
            item: entry.id.to_string(),
            locale: locale.to_owned(),
        };
        let Some(variants) = self.0.get_mut(&key) else {
            return;
        };
        let changed: Vec<_> = variants
            .iter()
            .map(|variant| content::after(&entry, variant.clone()))
            .collect();
        if outcome.is_updated() {
            variants.clear();
        }
        variants.extend(changed);
    }

    fn differences(&self, model: &Model) -> Vec<String> {
        let mut differences = Vec::new();
        for (
            VariantKey {
                collection,
                item,
                locale,
            },
            expected,
        ) in &self.0
        {
            let found = model
                .variant(collection, item, Some(locale))
                .map(content)
                .unwrap_or_default();
            let expected: Vec<_> = expected.iter().map(content).collect();
            if expected.contains(&found) {
                continue;
            }
            let expected = expected.first().cloned().unwrap_or_default();
            for slug in changed(&expected, &found) {
                let (found, expected) = (shown(found.get(slug)), shown(expected.get(slug)));
                differences.push(format!(
                    "{item} in {locale}: {slug} is {found} instead of {expected}"
                ));
            }
        }
        differences
    }
}

pub(crate) fn collection() -> Result<CollectionId, Failure> {
    site::collection().map_err(Failure::failed)
}

/// A client for a dry run.
pub(crate) fn nowhere() -> Result<ClientBuilder, Failure> {
    let token = Token::new("not-sent").map_err(Failure::failed)?;
    Ok(Client::builder(token))
}

/// The journal of an earlier run, if there is one.
fn journal(files: &Files, options: &Options) -> Result<Option<JournalReader>, Failure> {
    if options.fresh || !has_journal(&files.journal) {
        return Ok(None);
    }
    let journal = JournalReader::open(&files.journal);
    journal.map(Some).map_err(|error| refused(&error))
}

fn entry(update: &ItemUpdate) -> Result<Entry, Box<dyn std::error::Error>> {
    Ok(Entry::read(&update.to_json()?)?)
}

fn has_unknown_field(entry: &Entry) -> bool {
    let fields = entry.field_data.as_ref();
    fields.is_some_and(|fields| fields.contains_key(UNKNOWN_FIELD))
}

/// The faults of the first connections.
fn faults() -> [Fault; 5] {
    [
        Fault::None,
        Fault::ResetBeforeActing,
        Fault::ResetAfterActing,
        Fault::None,
        Fault::ClosedInHead,
    ]
}

/// The first responses.
fn first_responses() -> [Step; 6] {
    [
        Step::Model,
        Step::Model,
        failed().into(),
        Step::Model,
        Step::Model,
        too_many().into(),
    ]
}

/// The later responses, for as many requests as a run of this size is likely to send.
fn later_responses(items: usize) -> impl Iterator<Item = Step> {
    (0..items / 10 + 100).map(|number| match number % 40 {
        24 => Step::model_then(|response| match response.updated.is_empty() {
            true => response.reply,
            false => failed(),
        }),
        33 => too_many().into(),
        _ => Step::Model,
    })
}

fn failed() -> Reply {
    Reply::documented(500).unwrap_or_else(|_| Reply::new(500))
}

fn too_many() -> Reply {
    let reply = Reply::documented(429).unwrap_or_else(|_| Reply::new(429));
    reply
        .header("x-ratelimit-limit", &LIMIT.to_string())
        .header("retry-after", "2")
}

/// Serves on a thread of its own, so that run and server do not block each other.
async fn serve(core: Core) -> Result<(FaultyServer, oneshot::Sender<()>), Failure> {
    let (started, server) = oneshot::channel();
    let (running, stopped) = oneshot::channel::<()>();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(async {
                if started.send(FaultyServer::serve(core).await).is_ok() {
                    // The sender is only ever dropped.
                    let _ = stopped.await;
                }
            }),
            Err(error) => drop(started.send(Err(error))),
        }
    });
    let server = server
        .await
        .unwrap_or_else(|_| Err(io::Error::other("its thread ended")));
    match server {
        Ok(server) => Ok((server, running)),
        Err(error) => Err(Failure::Failed(format!(
            "the reference server does not start: {error}"
        ))),
    }
}
