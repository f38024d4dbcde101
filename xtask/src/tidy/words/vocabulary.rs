//! The words that the project does not use, each with the one that it uses instead, and where they stand all the same.

use super::vocabulary::Scope::{Anywhere, Name, Prose, WholeName};

/// Where a word is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// In prose and in names.
    Anywhere,
    /// In prose, names in it apart.
    Prose,
    /// As a part of a name, in its definition and where prose mentions it.
    Name,
    /// As the whole of a name, in its definition.
    WholeName,
}

/// Words or phrases for one thing.
pub(super) struct Banned {
    pub(super) scope: Scope,
    /// Each in lower case, its words separated by a space.
    pub(super) words: &'static [&'static str],
    /// What the project says.
    pub(super) say: &'static str,
    /// Phrases that have one of the words in them and another meaning.
    pub(super) but: &'static [&'static str],
}

/// A place where a banned word is the right one.
pub(super) struct Allowed {
    pub(super) path: &'static str,
    /// The name, or a part of the line.
    pub(super) text: &'static str,
    pub(super) reason: &'static str,
}

pub(super) const ALLOWED: &[Allowed] = &[
    Allowed {
        path: "sdk/src/bulk/json_lines/row.rs",
        text: "unreadable",
        reason: "the member of earlier dead letters, which are still read as input",
    },
    Allowed {
        path: "sdk/src/bulk/journal/replay.rs",
        text: "replay",
        reason: "a write-ahead log is replayed",
    },
];

pub(super) const BANNED: &[Banned] = &[
    banned(
        Anywhere,
        &["answer", "answers", "answered", "answering", "unanswered"],
        "response, respond",
    ),
    banned(Anywhere, &["tries"], "attempts"),
    banned(Name, &["try", "tried"], "attempt; CaseResult in the suite"),
    banned(
        Prose,
        &[
            "a try",
            "another try",
            "each try",
            "every try",
            "failed try",
            "first try",
            "last try",
            "next try",
            "no try",
            "one try",
            "per try",
            "second try",
            "single try",
            "the try",
            "this try",
        ],
        "attempt",
    ),
    banned(
        Anywhere,
        &["pace", "paces", "paced", "pacing"],
        "rate limiter, rate limit",
    ),
    banned(Anywhere, &["deadline", "deadlines"], "operation timeout"),
    banned(
        Anywhere,
        &["cut", "cuts", "cutting"],
        "closed, reset; truncated for a text",
    ),
    banned(
        Prose,
        &["came about", "come about", "comes about", "coming about"],
        "establish a connection, happen",
    ),
    banned(Name, &["untrusted"], "invalid certificate"),
    banned(Name, &["other status"], "unexpected status"),
    banned(
        Anywhere,
        &["in vain"],
        "without a success; consecutive failures",
    ),
    banned(Name, &["stop after"], "max consecutive failures"),
    banned(
        Anywhere,
        &["gave up", "give up", "gives up", "given up", "giving up"],
        "retry stopped",
    ),
    banned(
        Prose,
        &["budget spent", "budget is spent"],
        "budget exhausted",
    ),
    banned(Name, &["max wait"], "max retry after"),
    banned(Name, &["if may have acted"], "retry ambiguous"),
    banned(
        WholeName,
        &["clear"],
        "clear_field; `clear` empties everything in std",
    ),
    banned(
        Anywhere,
        &["settlement", "settlements", "verdict", "verdicts"],
        "item status",
    ),
    banned(
        Name,
        &["settle", "settles", "settled", "unsettled"],
        "item status",
    ),
    banned(Anywhere, &["in doubt"], "unknown"),
    banned(Name, &["updated before"], "already updated"),
    banned(
        Anywhere,
        &["sent again", "send again", "sends again", "sending again"],
        "retry, retries",
    ),
    banned(Anywhere, &["least requests"], "minimum requests"),
    banned(Anywhere, &["unfit"], "invalid"),
    banned(Anywhere, &["unreadable"], "invalid"),
    Banned {
        scope: Prose,
        words: &["told"],
        say: "name the event or the value that is passed",
        but: &["told apart"],
    },
    banned(Prose, &["heard", "hears"], "is called with, receives"),
    banned(Prose, &["goes by", "go by"], "follows, uses"),
    banned(
        Prose,
        &["came to nothing", "come to nothing", "comes to nothing"],
        "failed",
    ),
    banned(
        Prose,
        &["what came of", "what comes of", "what becomes of"],
        "result, outcome",
    ),
    banned(Prose, &["that which"], "the noun itself"),
    banned(Name, &["bench"], "harness"),
    banned(Anywhere, &["story", "stories"], "scenario"),
    banned(Name, &["stage"], "fixture"),
    banned(Anywhere, &["law", "laws"], "property"),
    banned(Anywhere, &["shortfall", "shortfalls"], "insufficient"),
    banned(Name, &["replay"], "reproduce"),
    banned(Name, &["again by policy"], "ambiguous-follows-policy"),
    banned(Name, &["not more than"], "max-attempts"),
    banned(Name, &["above the cap"], "retry-after-cap"),
];

const fn banned(scope: Scope, words: &'static [&'static str], say: &'static str) -> Banned {
    Banned {
        scope,
        words,
        say,
        but: &[],
    }
}
