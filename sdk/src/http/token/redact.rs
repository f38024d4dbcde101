//! Removes a token, and words that could be one, from received text.

use std::collections::HashSet;

use super::decode::{self, Unit};

/// The number of consecutive characters of a token that are redacted.
const SECRET: usize = 8;

/// The same for letters of one case, which can be part of a word.
const SECRET_WORD: usize = 12;

/// The length in letters and digits from which a word could be a secret in an unknown encoding.
const OPAQUE: usize = 20;

/// The length of Webflow's ids.
const ID: usize = 24;

const REDACTED: &str = "[redacted]";

/// The parts of a token that are searched for: in lower case, forwards and backwards.
#[derive(Default)]
pub(super) struct Parts {
    distinctive: Windows<SECRET>,
    wordlike: Windows<SECRET_WORD>,
}

impl Parts {
    pub(super) fn of(secret: &str) -> Self {
        let mut parts = Self::default();
        let plain = secret.as_bytes().to_vec();
        let letters_and_digits = plain.iter().copied().filter(u8::is_ascii_alphanumeric);
        for forwards in [letters_and_digits.collect(), plain] {
            let backwards: Vec<u8> = forwards.iter().rev().copied().collect();
            parts.add(&forwards);
            parts.add(&backwards);
        }
        parts
    }

    fn add(&mut self, secret: &[u8]) {
        let distinctive = secret.windows(SECRET).filter(|part| !is_like_a_word(part));
        distinctive.for_each(|part| self.distinctive.add(part));
        let wordlike = secret
            .windows(SECRET_WORD)
            .filter(|part| is_like_a_word(part));
        wordlike.for_each(|part| self.wordlike.add(part));
    }

    /// Removes all parts of the token in the known encodings.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut mask = Mask::of(text);
        for layer in decode::layers(text) {
            self.mark_layer(&layer, &mut mask);
        }
        mask.redacted(text)
    }

    /// Also removes words that could be a secret in another encoding, except words of the request.
    pub(super) fn redact_response(&self, text: &str, request: &[u8]) -> String {
        let mut mask = Mask::of(text);
        let layers = decode::layers(text);
        for layer in &layers {
            self.mark_layer(layer, &mut mask);
        }
        // An escape is not part of the word after it.
        let unescaped = layers.get(1..).filter(|layers| !layers.is_empty());
        mark_opaque_words(unescaped.unwrap_or(&layers), request, &mut mask);
        mask.redacted(text)
    }

    fn mark_layer(&self, layer: &[Unit], mask: &mut Mask) {
        let bare = decode::letters_and_digits(layer);
        let decoded = [decode::base64(layer), decode::hexadecimal(layer)];
        for units in [layer, &bare]
            .into_iter()
            .chain(decoded.iter().flatten().map(Vec::as_slice))
        {
            self.mark(units, mask);
        }
        if let Some(untagged) = decode::untagged(layer) {
            self.mark(&decode::letters_and_digits(&untagged), mask);
        }
    }

    fn mark(&self, units: &[Unit], mask: &mut Mask) {
        self.distinctive.mark(units, mask);
        self.wordlike.mark(units, mask);
    }
}

/// Whether the part consists of letters of one case, as a word does.
fn is_like_a_word(part: &[u8]) -> bool {
    part.iter().all(u8::is_ascii_lowercase) || part.iter().all(u8::is_ascii_uppercase)
}

/// Parts of one length, each as a number of its bytes.
struct Windows<const LENGTH: usize> {
    parts: HashSet<u128>,
    /// Whether a part with this hash exists. It rules out most of a text faster than the set.
    hashes: Box<[bool]>,
}

impl<const LENGTH: usize> Default for Windows<LENGTH> {
    fn default() -> Self {
        Self {
            parts: HashSet::new(),
            hashes: vec![false; 1 << 12].into(),
        }
    }
}

impl<const LENGTH: usize> Windows<LENGTH> {
    fn add(&mut self, part: &[u8]) {
        let number = part
            .iter()
            .fold(0, |number, byte| Self::with(number, *byte));
        self.parts.insert(number);
        if let Some(known) = self.hashes.get_mut(hash(number)) {
            *known = true;
        }
    }

    /// Shifts the window by one byte.
    fn with(number: u128, byte: u8) -> u128 {
        let mask = (1 << (8 * LENGTH)) - 1;
        (number << 8 | u128::from(byte.to_ascii_lowercase())) & mask
    }

    fn contains(&self, number: u128) -> bool {
        self.hashes.get(hash(number)) == Some(&true) && self.parts.contains(&number)
    }

    /// Marks each occurrence of a part.
    fn mark(&self, units: &[Unit], mask: &mut Mask) {
        if self.parts.is_empty() {
            return;
        }
        let mut number = 0;
        for (place, unit) in units.iter().enumerate() {
            number = Self::with(number, unit.byte);
            if self.contains(number) {
                let first = (place + 1).saturating_sub(LENGTH);
                mask.mark(units.get(first..=place).unwrap_or_default());
            }
        }
    }
}

/// Returns twelve bits, to which all bytes of a part contribute.
fn hash(number: u128) -> usize {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    usize::try_from(number.wrapping_mul(ODD) >> 116).unwrap_or(0)
}

/// Marks long words with a digit, except ids and words of the request.
fn mark_opaque_words(layers: &[Vec<Unit>], request: &[u8], mask: &mut Mask) {
    let mut sent = None;
    for layer in layers {
        for word in layer.split(|unit| !unit.byte.is_ascii_alphanumeric()) {
            let bytes: Vec<_> = word.iter().map(|unit| unit.byte).collect();
            if is_opaque(&bytes)
                && !sent
                    .get_or_insert_with(|| words_of(request))
                    .contains(&*bytes)
            {
                mask.mark(word);
            }
        }
    }
}

fn is_opaque(word: &[u8]) -> bool {
    let is_id = word.len() == ID && word.iter().all(u8::is_ascii_hexdigit);
    word.len() >= OPAQUE && !is_id && word.iter().any(u8::is_ascii_digit)
}

/// Returns the long words of a request.
fn words_of(request: &[u8]) -> HashSet<&[u8]> {
    let words = request.split(|byte| !byte.is_ascii_alphanumeric());
    words
        // The first letter may belong to an escape before the word.
        .flat_map(|word| [word, word.get(1..).unwrap_or_default()])
        .filter(|word| word.len() >= OPAQUE)
        .collect()
}

/// The bytes of a text that are redacted.
struct Mask(Vec<bool>);

impl Mask {
    fn of(text: &str) -> Self {
        Self(vec![false; text.len()])
    }

    fn mark(&mut self, units: &[Unit]) {
        for unit in units {
            let bytes = self.0.get_mut(unit.start..unit.end);
            bytes.unwrap_or_default().fill(true);
        }
    }

    /// Replaces each marked part by one word. Characters between two marked parts are removed with them, except
    /// quotation marks: they delimit JSON strings, and the text must stay JSON.
    fn redacted(&self, text: &str) -> String {
        let is_marked = |place: usize| self.0.get(place).is_some_and(|marked| *marked);
        let mut redacted = String::with_capacity(text.len());
        let mut between: Option<String> = None;
        for (place, character) in text.char_indices() {
            if is_marked(place) {
                if between.replace(String::new()).is_none() {
                    redacted.push_str(REDACTED);
                }
            } else if character == '"' || character.is_alphanumeric() {
                redacted.push_str(&between.take().unwrap_or_default());
                redacted.push(character);
            } else if let Some(gap) = &mut between {
                gap.push(character);
            } else {
                redacted.push(character);
            }
        }
        redacted + &between.unwrap_or_default()
    }
}
