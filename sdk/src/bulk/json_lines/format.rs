//! The recognition of an input that is not JSON Lines, by its first row.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The format of an input that is not JSON Lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Utf16,
    Gzip,
    Array,
    Envelope,
    SeveralLines,
    Csv,
}

/// The body of a request or a response.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "items")]
    _items: Vec<IgnoredAny>,
}

impl Format {
    /// Returns the format that the bytes of the first row show before it is parsed, whatever its length.
    pub(super) fn of_bytes(row: &[u8]) -> Option<Self> {
        match row {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..] => Some(Self::Utf16),
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            _ if row.trim_ascii_start().starts_with(b"[") => Some(Self::Array),
            _ => None,
        }
    }

    /// Returns the format that the first row shows if it is not an update.
    pub(super) fn of_text(row: &str) -> Option<Self> {
        let row = row.trim();
        if row.starts_with('{') {
            // A line of JSON over several lines ends within a value.
            return match row.ends_with(['{', '[', ',']) {
                true => Some(Self::SeveralLines),
                false => serde_json::from_str::<Envelope>(row)
                    .is_ok()
                    .then_some(Self::Envelope),
            };
        }
        row.contains([',', ';', '\t']).then_some(Self::Csv)
    }

    /// Returns `true` if only the first row may be at fault.
    pub(super) fn could_be_a_row(self, row: &[u8]) -> bool {
        match self {
            Self::Utf16 | Self::Gzip | Self::SeveralLines => false,
            Self::Array => row.trim_ascii_end().ends_with(b"]"),
            Self::Envelope | Self::Csv => true,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Utf16 => {
                "the input is UTF-16, and JSON Lines are UTF-8; convert it with `iconv -f UTF-16 -t UTF-8 FILE`"
            }
            Self::Gzip => "the input is compressed with gzip; decompress it with `gunzip -c FILE`",
            Self::Array => {
                "the input is a JSON array, and JSON Lines have one object per line; convert it with `jq -c '.[]' FILE`"
            }
            Self::Envelope => {
                "the input is one object with a list of items, and JSON Lines have one item per line; convert it with \
                 `jq -c '.items[]' FILE`"
            }
            Self::SeveralLines => {
                "the JSON is spread over several lines, and JSON Lines have one object per line; convert it with \
                 `jq -c . FILE`"
            }
            Self::Csv => {
                "the input looks like CSV, and JSON Lines have one object per line, such as \
                 {\"id\":\"…\",\"fieldData\":{\"name\":\"…\"}}; convert it with \
                 `mlr --icsv --ojsonl cat FILE | jq -c '{id, fieldData: del(.id)}'`"
            }
        })
    }
}
