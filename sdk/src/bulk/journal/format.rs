//! Format 3 of a journal: its lines to and from bytes.
//!
//! ```text
//! {"webflow-cms":"bulk journal","format":3,"version":"0.1.0","collection":"580e63fc8c9a982ac9b8b745","crc":"…"}
//! {"sent":{"indices":[[0,2]],"fingerprints":"0123456789abcdef012345…"},"crc":"…"}
//! {"unsent":[[2,2]],"crc":"…"}
//! {"updated":[[0,0]],"crc":"…"}
//! {"rejected":{"index":1,"fingerprint":"0123456789abcdef012345","reason":{"kind":"bad_request",…}},"crc":"…"}
//! {"unknown":{"index":2,"fingerprint":"0123456789abcdef012345","reason":{"kind":"timeout",…}},"crc":"…"}
//! {"run":2,"crc":"…"}
//! ```
//!
//! Within a run, an item is identified by its position in the input, counted from 0; `[[0,2]]` is the positions 0, 1
//! and 2. `{"run":2}` begins the records of the second run, whose input may be another one. Across runs, an item is
//! identified by its fingerprint. The `crc` of a line is the CRC-32 of the whole file before that member. So a line
//! that is missing, repeated or moved is detected as well as one that has changed. A line is complete with its line
//! break.

use std::borrow::Cow;

use crc32fast::Hasher;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;
use super::parameters::{Parameters, Position};
use crate::bulk::core::reason::Reason;
use crate::error::JOURNAL_FORMAT as VERSION;
use crate::id::CollectionId;

/// The maximum length of a line with its line break, in bytes.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// The maximum number of items in a line, so that it stays below [`MAX_LINE`].
pub(super) const MAX_ITEMS: usize = 256;

/// The beginning of a journal in every format. The number of the format follows.
const MAGIC: &[u8] = br#"{"webflow-cms":"bulk journal","format":"#;

/// The beginning of the last member of a line. A JSON string cannot contain it, because its quotes are escaped.
const SEAL: &[u8] = br#","crc":""#;

/// The length of the last member and the closing brace.
const SEAL_LEN: usize = SEAL.len() + 8 + 2;

/// A range of positions, including both ends.
pub(super) type Span = (u64, u64);

/// A line after the header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record<'a> {
    /// The records of another run begin. Its number, counted from 1.
    Run(u64),
    /// A request with these items is about to be sent.
    Sent(Sent<'a>),
    /// A request with these items certainly changed nothing.
    Unsent(Vec<Span>),
    /// The service updated these items.
    Updated(Vec<Span>),
    /// The service rejected this item.
    Rejected(ItemReason<'a>),
    /// The result of this item is unknown.
    Unknown(ItemReason<'a>),
}

/// The items of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent<'a> {
    indices: Vec<Span>,
    /// Their concatenated fingerprints.
    fingerprints: Cow<'a, str>,
    /// The items that follow recorded ones of their key: their position, and how many they follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    after: Vec<(u64, u32)>,
}

/// The reason of an item that is rejected or unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemReason<'a> {
    pub(super) index: u64,
    pub(super) fingerprint: Fingerprint,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) after: u32,
    pub(super) reason: Cow<'a, Reason>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header<'a> {
    #[serde(rename = "webflow-cms")]
    what: Cow<'a, str>,
    format: u64,
    version: Cow<'a, str>,
    collection: CollectionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skip_invalid_files: Option<bool>,
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "deny_unknown_fields must accept the member")]
    crc: IgnoredAny,
}

/// The checksum of the file up to a line, which the line ends with.
#[derive(Clone, Debug, Default)]
pub(super) struct Seal(Hasher);

impl Seal {
    /// Returns `true` if a line, without its line break, ends with the right checksum.
    pub(super) fn check(&mut self, line: &[u8]) -> bool {
        let text_len = line.len().saturating_sub(SEAL_LEN);
        let Some((text, seal)) = line.split_at_checked(text_len) else {
            return false;
        };
        self.next(text) == seal
    }

    /// Appends a line with this text and its checksum.
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
        version: env!("CARGO_PKG_VERSION").into(),
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
    write_line(lines, seal, record)
}

impl Sent<'_> {
    pub(super) fn new(items: &[Position]) -> Self {
        let behind = items.iter().filter(|item| item.after > 0);
        Self {
            indices: spans(items.iter().map(|item| item.index)),
            fingerprints: items
                .iter()
                .map(|item| item.fingerprint.to_string())
                .collect(),
            after: behind.map(|item| (item.index, item.after)).collect(),
        }
    }

    /// Returns the items, or `None` if their parts do not match.
    pub(super) fn positions(&self) -> Option<Vec<Position>> {
        let mut fingerprints = self
            .fingerprints
            .as_bytes()
            .chunks(Fingerprint::DIGITS)
            .map(Fingerprint::from_hex);
        let mut after = self.after.iter().copied().peekable();
        let mut positions = Vec::with_capacity(fingerprints.len());
        for &(first, last) in &self.indices {
            for index in first..=last {
                // Bounds the span by the number of fingerprints in the line.
                let fingerprint = fingerprints.next()??;
                let behind = after.next_if(|(behind, _)| *behind == index);
                positions.push(Position {
                    index,
                    fingerprint,
                    after: behind.map_or(0, |(_, after)| after),
                    was_unknown: false,
                });
            }
        }
        (fingerprints.next().is_none() && after.next().is_none()).then_some(positions)
    }
}

fn write_line<T: Serialize>(
    lines: &mut Vec<u8>,
    seal: &mut Seal,
    line: &T,
) -> serde_json::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    // The seal contains the closing brace.
    text.pop();
    seal.close(lines, &text);
    Ok(())
}

/// Converts positions to spans, in their order.
pub(super) fn spans(indices: impl IntoIterator<Item = u64>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for index in indices {
        match spans.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(index) => *last = index,
            _ => spans.push((index, index)),
        }
    }
    spans
}

/// The first line of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The header of a journal in this format.
    Header(Parameters),
    /// The header of a journal in another format.
    OtherFormat(u64),
    /// The header of a journal, but damaged.
    Damaged,
    /// The first line of another file.
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

/// Returns `true` if bytes without a line break can be an incomplete first line, left by a killed run.
pub(super) fn is_torn_header(tail: &[u8]) -> bool {
    MAGIC.starts_with(tail) || (tail.starts_with(MAGIC) && is_torn(tail))
}

/// Returns `true` if bytes without a line break can be an incomplete line, left by a killed run. If anything follows
/// the checksum, it is a complete line that lost its line break in another way.
pub(super) fn is_torn(tail: &[u8]) -> bool {
    let seal = tail.windows(SEAL.len()).position(|bytes| bytes == SEAL);
    tail.len() < MAX_LINE && seal.is_none_or(|start| start + SEAL_LEN >= tail.len())
}

/// Reads a line after the header, without its line break and after [`Seal::check`].
pub(super) fn read(line: &[u8]) -> Option<Record<'static>> {
    let text = line.get(..line.len().checked_sub(SEAL_LEN)?)?;
    serde_json::from_slice(&[text, b"}"].concat()).ok()
}
