//! The lines of a journal in format 1, to and from bytes.
//!
//! ```text
//! {"webflow-cms":"bulk journal","format":1,"by":"0.1.0","collection":"580e63fc8c9a982ac9b8b745","crc":"…"}
//! {"sent":[[0,2]],"digests":"0123456789abcdef0123456789abcdef0123456789abcdef","crc":"…"}
//! {"unsent":[[1,2]],"crc":"…"}
//! {"updated":0,"digest":"0123456789abcdef","crc":"…"}
//! {"rejected":1,"digest":"0123456789abcdef","reason":{"kind":"bad_request","message":"…"},"crc":"…"}
//! {"unknown":2,"digest":"0123456789abcdef","reason":{"kind":"timeout","message":"…"},"crc":"…"}
//! ```
//!
//! Items are named by their position in the input, counted from 0; `[[0,2]]` are the positions 0, 1 and 2. The `crc` of
//! a line is the CRC-32 of the whole file in front of that member, which is why a line that is missing, twice or in
//! another place is noticed as well as one that has changed. A line counts when its line break is there.

use std::borrow::Cow;

use crc32fast::Hasher;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{Digest, Parameters, Position, Verdict};
use crate::CollectionId;
use crate::bulk::Reason;

/// The number of this format.
pub(super) const VERSION: u64 = 1;

/// The most bytes of a line with its line break. A longer one was not written here.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// How many items one line names, at the most, so that it stays below [`MAX_LINE`].
pub(super) const MAX_ITEMS: usize = 256;

/// What a journal begins with, in this format and in all that follow; behind it comes the format's number.
const MAGIC: &[u8] = br#"{"webflow-cms":"bulk journal","format":"#;

/// The beginning of the last member of a line. Text within a string of JSON cannot look like it.
const SEAL: &[u8] = br#","crc":""#;

/// The last member with the closing brace.
const SEAL_LEN: usize = SEAL.len() + 8 + 2;

/// From one position to another, both included.
pub(super) type Run = (u64, u64);

/// What a line behind the header says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record<'a> {
    /// A request with these items is about to leave.
    Sent(Vec<Position>),
    /// A request with these items has certainly changed nothing.
    Unsent(Vec<Run>),
    /// What came of an item, and why if it is not updated.
    Settled(Position, Verdict, Option<Cow<'a, Reason>>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header<'a> {
    #[serde(rename = "webflow-cms")]
    what: Cow<'a, str>,
    format: u64,
    by: Cow<'a, str>,
    collection: CollectionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skip_invalid_files: Option<bool>,
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "it is here so that it is no unknown member")]
    crc: IgnoredAny,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Vec<Run>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsent: Option<Vec<Run>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    digests: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, Reason>>,
    #[serde(skip_serializing)]
    crc: IgnoredAny,
}

/// The checksum of everything so far, which each line carries at its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Seal(Hasher);

impl Seal {
    /// Whether a line, without its line break, ends in the right checksum.
    pub(super) fn check(&mut self, line: &[u8]) -> bool {
        let text_len = line.len().saturating_sub(SEAL_LEN);
        let Some((text, seal)) = line.split_at_checked(text_len) else {
            return false;
        };
        self.next(text) == seal
    }

    /// Appends what ends a line of which this is the text.
    pub(super) fn close(&mut self, lines: &mut Vec<u8>, text: &[u8]) {
        lines.extend_from_slice(text);
        let seal = self.next(text);
        lines.extend_from_slice(&seal);
        lines.push(b'\n');
    }

    fn next(&mut self, text: &[u8]) -> Vec<u8> {
        self.0.update(text);
        let crc = self.0.clone().finalize();
        let seal = [SEAL, format!("{crc:08x}\"}}").as_bytes()].concat();
        self.0.update(&seal);
        self.0.update(b"\n");
        seal
    }
}

/// Appends the first line.
pub(super) fn write_header(
    lines: &mut Vec<u8>,
    seal: &mut Seal,
    parameters: &Parameters,
) -> serde_json::Result<()> {
    let header = Header {
        what: "bulk journal".into(),
        format: VERSION,
        by: env!("CARGO_PKG_VERSION").into(),
        collection: parameters.collection,
        skip_invalid_files: parameters.skip_invalid_files,
        crc: IgnoredAny,
    };
    write_line(lines, seal, &header)
}

/// Appends a record.
pub(super) fn write(
    lines: &mut Vec<u8>,
    seal: &mut Seal,
    record: &Record<'_>,
) -> serde_json::Result<()> {
    let mut line = Line::default();
    match record {
        Record::Sent(items) => {
            line.sent = Some(runs(items.iter().map(|item| item.index)));
            line.digests = Some(items.iter().map(|item| item.digest.to_string()).collect());
        }
        Record::Unsent(runs) => line.unsent = Some(runs.clone()),
        Record::Settled(item, verdict, reason) => {
            let place = match verdict {
                Verdict::Updated => &mut line.updated,
                Verdict::Rejected => &mut line.rejected,
                Verdict::Unknown => &mut line.unknown,
            };
            *place = Some(item.index);
            line.digest = Some(item.digest);
            line.reason = reason.as_deref().map(Cow::Borrowed);
        }
    }
    write_line(lines, seal, &line)
}

fn write_line<T: Serialize>(
    lines: &mut Vec<u8>,
    seal: &mut Seal,
    line: &T,
) -> serde_json::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    // The seal brings its own closing brace.
    text.pop();
    seal.close(lines, &text);
    Ok(())
}

/// Positions as runs, in their order.
pub(super) fn runs(indices: impl IntoIterator<Item = u64>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for index in indices {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(index) => *last = index,
            _ => runs.push((index, index)),
        }
    }
    runs
}

/// What a first line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The header of a journal in this format.
    Header(Parameters),
    /// The header of a journal in another format.
    OtherFormat(u64),
    /// The header of a journal, with something wrong in it.
    Damaged,
    /// Anything else.
    Foreign,
}

/// Reads the first line, without its line break.
pub(super) fn read_first(line: &[u8], seal: &mut Seal) -> First {
    let Some(rest) = line.strip_prefix(MAGIC) else {
        return First::Foreign;
    };
    match leading_number(rest) {
        Some(VERSION) => {}
        Some(other) => return First::OtherFormat(other),
        None => return First::Damaged,
    }
    if !seal.check(line) {
        return First::Damaged;
    }
    match serde_json::from_slice::<Header<'_>>(line) {
        Ok(header) => First::Header(Parameters {
            collection: header.collection,
            skip_invalid_files: header.skip_invalid_files,
        }),
        Err(_) => First::Damaged,
    }
}

fn leading_number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()
}

/// Whether bytes without a line break can be what a killed run has left of the first line.
pub(super) fn is_torn_header(tail: &[u8]) -> bool {
    MAGIC.starts_with(tail) || (tail.starts_with(MAGIC) && is_torn(tail))
}

/// Whether bytes without a line break can be what a killed run has left of a line: nothing may stand behind the
/// checksum, or else it is a whole line that has lost its line break in another way.
pub(super) fn is_torn(tail: &[u8]) -> bool {
    let seal = tail.windows(SEAL.len()).position(|bytes| bytes == SEAL);
    tail.len() < MAX_LINE && seal.is_none_or(|start| start + SEAL_LEN >= tail.len())
}

/// Reads a line behind the first, without its line break and after [`Seal::check`].
pub(super) fn read(line: &[u8]) -> Option<Record<'static>> {
    match serde_json::from_slice(line).ok()? {
        Line {
            sent: Some(runs),
            unsent: None,
            updated: None,
            rejected: None,
            unknown: None,
            digests: Some(digests),
            digest: None,
            reason: None,
            ..
        } => sent(&runs, digests.as_bytes()),
        Line {
            sent: None,
            unsent: Some(runs),
            updated: None,
            rejected: None,
            unknown: None,
            digests: None,
            digest: None,
            reason: None,
            ..
        } => Some(Record::Unsent(runs)),
        Line {
            sent: None,
            unsent: None,
            updated,
            rejected,
            unknown,
            digests: None,
            digest: Some(digest),
            reason,
            ..
        } => {
            let (index, verdict) = match (updated, rejected, unknown, &reason) {
                (Some(index), None, None, None) => (index, Verdict::Updated),
                (None, Some(index), None, Some(_)) => (index, Verdict::Rejected),
                (None, None, Some(index), Some(_)) => (index, Verdict::Unknown),
                _ => return None,
            };
            let reason = reason.map(|reason| Cow::Owned(reason.into_owned()));
            Some(Record::Settled(Position { index, digest }, verdict, reason))
        }
        _ => None,
    }
}

fn sent(runs: &[Run], digests: &[u8]) -> Option<Record<'static>> {
    let mut digests = digests.chunks(Digest::DIGITS).map(Digest::from_hex);
    let mut items = Vec::with_capacity(digests.len());
    for &(first, last) in runs {
        for index in first..=last {
            // Ends a run that has no end, since there are only as many digests as the line holds.
            let digest = digests.next()??;
            items.push(Position { index, digest });
        }
    }
    digests.next().is_none().then_some(Record::Sent(items))
}
