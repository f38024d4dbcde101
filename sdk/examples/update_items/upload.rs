//! The updates on their way: one batch after the other, and an account of what came of each.

use std::collections::BTreeMap;
use std::fmt;

use webflow_cms::rate_limit::RateLimit;
use webflow_cms::{Batch, Client, CollectionId, Error, UpdateResponse};

use crate::input::Line;
use crate::{Failure, advice, console};

pub(crate) struct Upload {
    pub(crate) client: Client,
    pub(crate) collection: CollectionId,
    pub(crate) skip_invalid_files: Option<bool>,
}

impl Upload {
    /// Sends all updates. A batch that fails ends it: what went wrong there is likely to go wrong again.
    pub(crate) async fn send(&self, lines: &[Line]) -> Result<(), Failure> {
        let mut account = Account::default();
        let batches = lines.chunks(Batch::MAX_ITEMS);
        let total = batches.len();
        for (number, lines_of_batch) in (1..).zip(batches) {
            let batch = Batch::new(lines_of_batch.iter().map(|line| line.update.clone()))?;
            let (entries, locales) = (batch.len(), by_locale(&batch));
            say(&format!(
                "\nbatch {number} of {total}: {entries} entries ({locales})"
            ));
            match self.send_batch(&batch).await {
                Ok(response) => account.settle(&response, lines_of_batch),
                Err(error) => {
                    let stop = account.stop(lines_of_batch, lines.len());
                    return Err(format!("{}\n\n{stop}", advice::explain(&error)).into());
                }
            }
        }
        console::print(&format!("\n{account}"))?;
        match account.unconfirmed {
            0 => Ok(()),
            _ => {
                Err("look at the items that did not come back before you call them updated".into())
            }
        }
    }

    async fn send_batch(&self, batch: &Batch) -> Result<UpdateResponse, Error> {
        let mut request = self.client.update(self.collection, batch.clone());
        if let Some(skip) = self.skip_invalid_files {
            request = request.skip_invalid_files(skip);
        }
        request.await
    }
}

/// What came of the batches that the service accepted.
#[derive(Default)]
struct Account {
    updated: usize,
    unconfirmed: usize,
}

impl Account {
    fn settle(&mut self, response: &UpdateResponse, lines: &[Line]) {
        let unconfirmed = response.unconfirmed().count();
        say(&format!(
            "  {}; {}; {} items came back, {unconfirmed} entries unconfirmed",
            response.status(),
            requests_left(response.rate_limit()),
            response.items().len(),
        ));
        for (entry, item) in response.unconfirmed() {
            // An entry of the batch is a line of the file, in the same order.
            let line = lines.get(entry).map_or(0, |line| line.number);
            say(&format!("  line {line}: {item} did not come back"));
        }
        self.unconfirmed += unconfirmed;
        self.updated += lines.len() - unconfirmed;
    }

    /// Where the updates stopped, when the batch of these lines failed.
    fn stop(&self, lines: &[Line], total: usize) -> String {
        let failed = lines.len();
        let not_attempted = total - self.updated - self.unconfirmed - failed;
        let first = lines.first().map_or(0, |line| line.number);
        let last = lines.last().map_or(0, |line| line.number);
        format!(
            "{self}, {failed} failed (lines {first} to {last}), {not_attempted} not attempted\n\
             to go on once that is mended, send the file from line {first} on"
        )
    }
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} updated, {} unconfirmed",
            self.updated, self.unconfirmed
        )
    }
}

/// Says how far it is. That nobody can hear it does not keep the rest from being sent.
fn say(text: &str) {
    let _ = console::print(text);
}

/// How many entries of a batch are in which locale.
fn by_locale(batch: &Batch) -> String {
    let mut counts = BTreeMap::new();
    for update in batch.updates() {
        *counts.entry(update.key().locale).or_insert(0) += 1;
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(locale, count)| match locale {
            None => format!("{count} in the primary locale"),
            Some(locale) => format!("{count} in {locale}"),
        })
        .collect();
    counts.join(", ")
}

fn requests_left(rate: RateLimit) -> String {
    match (rate.remaining, rate.limit) {
        (Some(remaining), Some(limit)) => {
            format!("{remaining} of {limit} requests left this minute")
        }
        (Some(remaining), None) => format!("{remaining} requests left this minute"),
        (None, _) => "the service does not say how many requests are left".to_owned(),
    }
}
