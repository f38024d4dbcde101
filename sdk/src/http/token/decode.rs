//! Decoders for the encodings in which a text can contain a token.

/// A decoded byte, and the bytes of the text that encode it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    /// The byte, or 0 for a character that is not ASCII.
    pub(super) byte: u8,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The maximum number of layers of escapes that are decoded, such as percent-encoded percent signs.
const LAYERS: usize = 4;

/// Returns the text as it is, and with one and more layers of escapes decoded, as far as it has any.
pub(super) fn layers(text: &str) -> Vec<Vec<Unit>> {
    let plain = text.char_indices().map(|(start, character)| Unit {
        byte: ascii(character).unwrap_or(0),
        start,
        end: start + character.len_utf8(),
    });
    let mut layers = vec![plain.collect()];
    while layers.len() <= LAYERS
        && let Some(next) = layers.last().and_then(|last: &Vec<Unit>| unescaped(last))
    {
        layers.push(next);
    }
    layers
}

/// Returns an ASCII character, or the ASCII form of a full-width character.
fn ascii(character: char) -> Option<u8> {
    let character = match u32::from(character) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0)?,
        _ => character,
    };
    u8::try_from(character).ok().filter(u8::is_ascii)
}

/// Decodes one layer of escapes. Returns `None` if there are none.
fn unescaped(units: &[Unit]) -> Option<Vec<Unit>> {
    let mut all = Vec::with_capacity(units.len());
    let mut rest = units;
    while let Some(first) = rest.first() {
        let (byte, length) = escape(rest).unwrap_or((first.byte, 1));
        let (escape, after) = rest.split_at_checked(length)?;
        let end = escape.last().map_or(first.end, |last| last.end);
        let start = first.start;
        all.push(Unit { byte, start, end });
        rest = after;
    }
    (all.len() < units.len()).then_some(all)
}

/// Decodes the escape at the beginning of the units. Returns its byte and its length in units.
fn escape(units: &[Unit]) -> Option<(u8, usize)> {
    let byte = |place: usize| units.get(place).map(|unit| unit.byte);
    let number = |from: usize, most: usize, radix: u32| {
        let digits = units.iter().skip(from).take(most);
        let values = digits.map_while(|unit| char::from(unit.byte).to_digit(radix));
        let (value, length) = values.fold((0_u32, 0), |(value, length), digit| {
            (
                value.saturating_mul(radix).saturating_add(digit),
                length + 1,
            )
        });
        (length > 0).then_some((u8::try_from(value).unwrap_or(0), length))
    };
    let hexadecimal = |from: usize, digits: usize| {
        let (value, length) = number(from, digits, 16)?;
        (length == digits).then_some((value, from + length))
    };
    match (byte(0)?, byte(1)?) {
        (b'%', _) => hexadecimal(1, 2),
        (b'\\', b'u') => hexadecimal(2, 4),
        (b'\\', b'x') => hexadecimal(2, 2),
        (b'\\', b'n' | b'r' | b't' | b'b' | b'f') => Some((b' ', 2)),
        (b'\\', other) => Some((other, 2)),
        (b'&', b'#') => {
            let is_hexadecimal = matches!(byte(2), Some(b'x' | b'X'));
            let (value, length) = match is_hexadecimal {
                true => number(3, 8, 16).map(|(value, length)| (value, length + 3)),
                false => number(2, 8, 10).map(|(value, length)| (value, length + 2)),
            }?;
            let end = usize::from(byte(length) == Some(b';'));
            Some((value, length + end))
        }
        (b'&', _) => named(units),
        _ => None,
    }
}

/// Decodes a named HTML entity of an ASCII character.
fn named(units: &[Unit]) -> Option<(u8, usize)> {
    const NAMES: [(&[u8], u8); 14] = [
        (b"amp;", b'&'),
        (b"lt;", b'<'),
        (b"gt;", b'>'),
        (b"quot;", b'"'),
        (b"apos;", b'\''),
        (b"nbsp;", b' '),
        (b"sol;", b'/'),
        (b"plus;", b'+'),
        (b"equals;", b'='),
        (b"period;", b'.'),
        (b"hyphen;", b'-'),
        (b"dash;", b'-'),
        (b"lowbar;", b'_'),
        (b"percnt;", b'%'),
    ];
    let starts_with = |name: &[u8]| {
        let units = units.iter().skip(1).map(|unit| unit.byte);
        units.take(name.len()).eq(name.iter().copied())
    };
    let (name, byte) = NAMES.iter().find(|(name, _)| starts_with(name))?;
    Some((*byte, name.len() + 1))
}

/// Removes tags, which can be between any two characters of a page.
pub(super) fn untagged(units: &[Unit]) -> Option<Vec<Unit>> {
    let mut inside = false;
    let text = |unit: &Unit| {
        let was_inside = inside;
        match unit.byte {
            b'<' => inside = true,
            b'>' => inside = false,
            _ => {}
        }
        !was_inside && !inside
    };
    let kept: Vec<_> = units.iter().copied().filter(text).collect();
    (kept.len() < units.len()).then_some(kept)
}

/// Removes everything but letters and digits.
pub(super) fn letters_and_digits(units: &[Unit]) -> Vec<Unit> {
    let kept = units
        .iter()
        .filter(|unit| unit.byte.is_ascii_alphanumeric());
    kept.copied().collect()
}

/// Decodes base64 at each offset, ignoring other characters in between.
pub(super) fn base64(units: &[Unit]) -> Vec<Vec<Unit>> {
    let digits = |with_dashes: bool| -> Vec<(u32, Unit)> {
        let value = |unit: &Unit| {
            let value = match unit.byte {
                letter @ b'A'..=b'Z' => letter - b'A',
                letter @ b'a'..=b'z' => letter - b'a' + 26,
                digit @ b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'-' if with_dashes => 62,
                b'_' if with_dashes => 63,
                _ => return None,
            };
            Some((u32::from(value), *unit))
        };
        units.iter().filter_map(value).collect()
    };
    let (without, with) = (digits(false), digits(true));
    let mut decoded = bytes_of(&without, 6);
    if with.len() > without.len() {
        decoded.extend(bytes_of(&with, 6));
    }
    decoded
}

/// Decodes hexadecimal bytes at each offset, ignoring other characters in between.
pub(super) fn hexadecimal(units: &[Unit]) -> Vec<Vec<Unit>> {
    let digit = |unit: &Unit| Some((char::from(unit.byte).to_digit(16)?, *unit));
    let digits: Vec<_> = units.iter().filter_map(digit).collect();
    bytes_of(&digits, 4)
}

/// Decodes digits of `bits` bits each, once for each offset of the first byte.
fn bytes_of(digits: &[(u32, Unit)], bits: u32) -> Vec<Vec<Unit>> {
    // Four base64 digits encode three bytes, and two hexadecimal digits one byte.
    let group = if bits == 6 { 4 } else { 2 };
    let bytes_from = |first: usize| {
        let digits = digits.get(first..).unwrap_or_default();
        let groups = digits.chunks(group);
        groups
            .flat_map(move |group| bytes_of_group(group, bits))
            .collect()
    };
    (0..group).map(bytes_from).collect()
}

fn bytes_of_group(group: &[(u32, Unit)], bits: u32) -> impl Iterator<Item = Unit> {
    let value = group
        .iter()
        .fold(0, |value, (digit, _)| value << bits | digit);
    let length = u32::try_from(group.len()).unwrap_or(0) * bits;
    (0..length / 8).filter_map(move |place| {
        let digit_of = |bit: u32| group.get(usize::try_from(bit / bits).ok()?);
        let (_, first) = digit_of(place * 8)?;
        let (_, last) = digit_of(place * 8 + 7)?;
        let byte = u8::try_from(value >> (length - 8 * (place + 1)) & 0xff).ok()?;
        let byte = if byte.is_ascii() { byte } else { 0 };
        Some(Unit {
            byte,
            start: first.start,
            end: last.end,
        })
    })
}
