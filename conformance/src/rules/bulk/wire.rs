//! What went over the wire, in terms of the input.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use webflow_cms_reference::{Basis, Exchange, Fault};

/// A request that the server has read.
pub(super) struct Sent {
    pub(super) at: Duration,
    /// When the server acted on it, if it did.
    pub(super) acted_at: Option<Duration>,
    /// The marks of its entries, in its own order: their positions in the input, where that stays as it is.
    pub(super) entries: Vec<usize>,
    /// How many of them were applied.
    applied: usize,
    pub(super) status: Option<u16>,
    pub(super) bytes: usize,
    /// The entries that the response does not speak of, if it is a success.
    missing: BTreeSet<usize>,
    seen: Seen,
}

/// What the client can have seen of a response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    All,
    /// Its head.
    Head,
    Nothing,
}

impl Sent {
    pub(super) fn has(&self, index: usize) -> bool {
        self.entries.contains(&index)
    }

    pub(super) fn applied(&self) -> &[usize] {
        self.entries.get(..self.applied).unwrap_or_default()
    }

    /// Whether the response was all there, and said that this entry was updated.
    pub(super) fn confirms(&self, index: usize) -> bool {
        self.status == Some(200)
            && self.seen == Seen::All
            && self.applied().contains(&index)
            && !self.missing.contains(&index)
    }

    /// Whether nobody who has seen no more than the client can say that it changed nothing.
    pub(super) fn may_have_acted(&self) -> bool {
        match (self.seen, self.status) {
            (Seen::Nothing, _) | (_, None) => true,
            (Seen::Head, Some(200)) => true,
            (_, Some(status)) => status == 408 || (status >= 500 && status != 501),
        }
    }

    /// Whether it is a good reason not to know what came of an entry.
    pub(super) fn leaves_unknown(&self, index: usize, assume_atomic: bool) -> bool {
        self.may_have_acted()
            || self.seen == Seen::Head
            || self.missing.contains(&index)
            || (self.refused() && !assume_atomic)
    }

    /// Whether the response does not speak of all entries.
    pub(super) fn lacks_any(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Whether something in it was not accepted.
    pub(super) fn refused(&self) -> bool {
        let is_refusal =
            |status| (400..500).contains(&status) && !matches!(status, 401 | 408 | 413 | 429);
        self.status.is_some_and(is_refusal)
    }
}

/// What an entry addresses: an item, and a locale if it names one.
pub(super) type Address = (String, Option<&'static str>);

/// Reads an exchange. An error if it is not what an update of some entries looks like, each of which addresses what its
/// mark says.
pub(super) fn read(
    exchange: &Exchange,
    address: impl Fn(usize) -> Option<Address>,
) -> Result<Sent, String> {
    let number = exchange.index;
    if let Some(violation) = exchange.violations.first() {
        return Err(format!(
            "request {number} is not as documented: {violation}"
        ));
    }
    let items = exchange.json.as_ref().and_then(|json| json.get("items"));
    let items = items
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        let mark = item.pointer("/fieldData/mark").and_then(Value::as_u64);
        let index = mark.and_then(|mark| usize::try_from(mark).ok());
        let index = index.ok_or_else(|| format!("request {number} has an entry of no update"))?;
        let text = |name| item.get(name).and_then(Value::as_str);
        let sent = (text("id").unwrap_or_default(), text("cmsLocaleId"));
        let meant = address(index);
        if meant.as_ref().map(|(id, locale)| (id.as_str(), *locale)) != Some(sent) {
            return Err(format!(
                "request {number} has entry {index} for another item"
            ));
        }
        entries.push(index);
    }
    let reply = exchange.reply.as_ref();
    let status = reply.map(|reply| reply.status.as_u16());
    let seen = match exchange.fault {
        Fault::None => Seen::All,
        Fault::ClosedInBody { .. } | Fault::HeadOnly => Seen::Head,
        _ => Seen::Nothing,
    };
    let missing = match reply {
        Some(reply) if status == Some(200) && reply.basis == Basis::Scripted => {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let reported = body.get("items").and_then(Value::as_array);
            let reported: BTreeSet<u64> = reported
                .into_iter()
                .flatten()
                .filter_map(|item| item.pointer("/fieldData/mark").and_then(Value::as_u64))
                .collect();
            let is_reported = |index: &usize| reported.contains(&(*index as u64));
            entries
                .iter()
                .copied()
                .filter(|index| !is_reported(index))
                .collect()
        }
        _ => BTreeSet::new(),
    };
    Ok(Sent {
        at: exchange.at,
        acted_at: exchange.acted_at,
        entries,
        applied: exchange.applied,
        status,
        bytes: exchange.body.len(),
        missing,
        seen,
    })
}
