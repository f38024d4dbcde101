//! *Error mapping*, continued: the token in spellings that a server may repeat it in.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::retries::index;
use super::site;
use crate::rule::{Rule, property};
use webflow_cms_reference::{Model, Reply};

pub(super) fn rules() -> Vec<Rule> {
    vec![in_every_spelling()]
}

/// Ways to write a token. What is behind each is no secret: how it is undone.
pub(super) const SPELLINGS: [&str; 11] = [
    "in capitals",
    "in small letters",
    "base64",
    "base64 behind other text",
    "base64 for URLs",
    "percent twice",
    "decimal entities",
    "hexadecimal entities",
    "spaced",
    "grouped by dashes",
    "as the digits of its bytes",
];

/// Those that a bulk run is tried with, of which there are fewer cases.
pub(super) const COMMON: [&str; 10] = {
    let mut common = [""; 10];
    let mut place = 0;
    while place < common.len() {
        common[place] = SPELLINGS[place];
        place += 1;
    }
    common
};

/// The token in a spelling.
pub(super) fn spelled(token: &str, spelling: usize) -> String {
    let each = |write: &dyn Fn(char) -> String| token.chars().map(write).collect::<String>();
    match spelling {
        0 => token.to_uppercase(),
        1 => token.to_lowercase(),
        2 => base64(token.as_bytes(), b"+/"),
        3 => base64(format!("{{\"t\":\"Bearer {token}\"}}").as_bytes(), b"+/"),
        4 => base64(format!("x:{token}").as_bytes(), b"-_"),
        5 => each(&|character| format!("%25{:02X}", u32::from(character))),
        6 => each(&|character| format!("&#{};", u32::from(character))),
        7 => each(&|character| format!("&#x{:x};", u32::from(character))),
        8 => each(&|character| format!("{character} ")),
        9 => {
            let characters: Vec<char> = token.chars().collect();
            let groups = characters
                .chunks(4)
                .map(|group| group.iter().collect::<String>());
            groups.collect::<Vec<_>>().join("-")
        }
        _ => each(&|character| format!("{:02x}", u32::from(character))),
    }
}

fn base64(bytes: &[u8], last: &[u8; 2]) -> String {
    let letters: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(last.iter().copied())
        .collect();
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let at = |place| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let number = (bits >> (18 - 6 * place) & 0x3f) as usize;
            text.push(if place > group.len() {
                '='
            } else {
                char::from(letters[number])
            });
        }
    }
    text
}

/// Whether a text shows half of a secret that is spelled in this way, in one piece.
pub(super) fn shows(text: &str, written: &str) -> bool {
    let written: Vec<char> = written.chars().collect();
    let length = written.len() / 2;
    let steps = (0..=written.len() - length).step_by((length / 4).max(1));
    let mut pieces = steps.map(|start| written[start..start + length].iter().collect::<String>());
    // Escapes of JSON, or of `Debug`, come between the characters.
    let unescaped = text.replace('\\', "");
    pieces.any(|piece| text.contains(&piece) || unescaped.contains(&piece))
}

const PLACES: [&str; 6] = [
    "in the message",
    "in a detail",
    "in a name",
    "in a header",
    "in a page",
    "in an unknown member",
];

/// A refusal that repeats a text in this place.
pub(super) fn echo(status: u16, place: usize, text: &str) -> Reply {
    let error = json!({"code": "not_authorized", "message": "no", "details": []});
    let with = |name: &str, value: Value| {
        let mut body = error.clone();
        body[name] = value;
        body
    };
    let reply = Reply::new(status);
    match place {
        0 => reply.json(&with("message", json!(format!("you sent {text} to us")))),
        1 => reply.json(&with(
            "details",
            json!([{"field": "authorization", "message": text}]),
        )),
        2 => {
            let mut members = serde_json::Map::new();
            members.insert(text.to_owned(), json!("is wrong"));
            reply.json(&with("details", json!([members])))
        }
        3 => reply
            .header("x-request", text)
            .header("www-authenticate", &format!("Bearer realm=\"{text}\""))
            .json(&error),
        4 => reply
            .header("content-type", "text/html")
            .body(format!("<html><title>{text}</title><p>{text}</p></html>")),
        _ => reply.json(&with("request", json!({"headers": {"a": text}}))),
    }
}

fn in_every_spelling() -> Rule {
    const EDGES: [&str; 2] = ["halves in two members", "halves in two headers"];
    const FIRST: [&str; SPELLINGS.len() + PLACES.len()] =
        super::repeated::joined(SPELLINGS, PLACES);
    const ALL: [&str; FIRST.len() + EDGES.len()] = super::repeated::joined(FIRST, EDGES);
    Rule::new(
        "error-mapping/encoded-token-is-never-printed",
        "nothing that the client prints or returns of an error contains the token in any encoding in which the server \
         repeats it: changed case, base64, repeated escapes, entities, separated characters, or halves",
        "this suite: an error ends up in logs, and an encoding can be decoded",
        &ALL,
        property(
            |case| {
                let spelling = index(case, SPELLINGS.len() + EDGES.len());
                let token = prop_oneof![
                    2 => "[0-9a-f]{64}",
                    1 => "[A-Za-z0-9]{24,60}",
                    1 => "ws-[0-9a-f]{40}",
                ];
                (
                    Just(spelling),
                    Just(index(case / 13 + case, PLACES.len())),
                    token,
                    select(vec![400_u16, 401, 403, 429, 500, 200, 302]),
                )
                    .boxed()
            },
            |(spelling, place, ..)| match SPELLINGS.get(*spelling) {
                Some(edge) => vec![*edge, PLACES[*place]],
                None => vec![EDGES[*spelling - SPELLINGS.len()]],
            },
            |harness, (spelling, place, token, status)| {
                harness.reset(Model::new());
                harness
                    .core()
                    .configure(|settings| settings.token.clone_from(token));
                let (left, right) = token.split_at(token.len() / 2);
                let (reply, secrets) = if *spelling < SPELLINGS.len() {
                    let written = spelled(token, *spelling);
                    (echo(*status, *place, &written), vec![written])
                } else if *spelling == SPELLINGS.len() {
                    let body = json!({"message": left, "code": right, "details": [right, {"field": left}]});
                    (Reply::new(*status).json(&body), vec![token.clone()])
                } else {
                    let reply = echo(*status, 3, left).header("x-rest", right);
                    (reply, vec![token.clone()])
                };
                harness.core().script([reply]);
                let outcome = harness.update(&harness.call(vec![site::marked((1, 0))]));
                let renderings = outcome.renderings();
                if renderings.is_empty() {
                    return Err("the client shows nothing of its outcome".to_owned());
                }
                let mut secrets = secrets.into_iter().chain([token.clone()]);
                match secrets.find(|secret| renderings.iter().any(|text| shows(text, secret))) {
                    // What it shows is in the input of the case, and need not be shown once more.
                    Some(_) => Err("the token can be read in what the client shows".to_owned()),
                    None => Ok(()),
                }
            },
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, written) in [("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes(), b"+/"), written);
        }
        assert_eq!(base64(&[0xfb, 0xff], b"-_"), "-_8=");
    }

    #[test]
    fn half_of_a_secret_is_shown_wherever_it_begins() {
        let secret = "0123456789abcdef";
        assert!(shows("x 01234567 x", secret));
        assert!(shows("x 456789ab x", secret));
        assert!(shows("x 4567\\89ab x", secret));
        assert!(!shows("x 0123 x 89ab x", secret));
    }
}
