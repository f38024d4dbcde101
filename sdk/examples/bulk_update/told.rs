//! What is told of the items that are not updated, while the run goes on.

use std::path::Path;

use webflow_cms::bulk::{InvalidRow, ItemStatus, NotAttempted, Outcome, Reason};

use super::console::one_line;
use super::input::Reading;
use super::progress::Display;

/// How often something is told.
const TOLD: u64 = 20;

/// Tells of items that are not updated, once for those that stand together and have the same to be told.
pub(crate) struct Told<'a> {
    display: &'a Display,
    reading: &'a Reading,
    dead_letters: &'a Path,
    together: Option<Together>,
    times: u64,
}

struct Together {
    first: u64,
    last: u64,
    /// The first item, and what is told of all.
    item: String,
    what: String,
}

impl<'a> Told<'a> {
    pub(crate) fn new(display: &'a Display, reading: &'a Reading, dead_letters: &'a Path) -> Self {
        Self {
            display,
            reading,
            dead_letters,
            together: None,
            times: 0,
        }
    }

    pub(crate) fn take(&mut self, outcome: &Outcome) {
        let Some(what) = what(outcome) else {
            return self.flush();
        };
        let line = self.reading.line(outcome.index);
        if let Some(together) = &mut self.together
            && together.last + 1 == line
            && together.what == what
        {
            together.last = line;
            return;
        }
        self.flush();
        let item = outcome.key().map(|key| format!(" (item {key})"));
        self.together = Some(Together {
            first: line,
            last: line,
            item: item.unwrap_or_default(),
            what,
        });
    }

    pub(crate) fn flush(&mut self) {
        let Some(together) = self.together.take() else {
            return;
        };
        self.times += 1;
        let Together {
            first,
            last,
            item,
            what,
        } = together;
        let name = self.reading.name();
        match self.times {
            ..=TOLD if first == last => self.display.say(&format!("{name}:{first}{item}: {what}")),
            ..=TOLD => self
                .display
                .say(&format!("{name}:{first}{item} to line {last}: {what}")),
            times if times == TOLD + 1 => self
                .display
                .say(&format!("and more, see {}", self.dead_letters.display())),
            _ => {}
        }
    }
}

fn what(outcome: &Outcome) -> Option<String> {
    Some(match &outcome.status {
        ItemStatus::Updated(_) if !outcome.missing_fields.is_empty() => {
            let fields = one_line(&outcome.missing_fields.join(", "));
            format!("updated, but the response lacks: {fields}")
        }
        ItemStatus::Rejected(error) if error.may_have_acted() => format!(
            "rejected: {}; an earlier attempt may have changed it all the same",
            refusal(error)
        ),
        ItemStatus::Rejected(error) => format!("rejected: {}", refusal(error)),
        ItemStatus::Unknown(why) => format!("unknown: {}", one_line(&why.to_string())),
        ItemStatus::NotAttempted(NotAttempted::Source(error)) => {
            let row = error.downcast_ref::<InvalidRow>();
            let reason = row.map_or(error.to_string(), |row| row.reason().to_string());
            format!("cannot be read: {}", one_line(&reason))
        }
        _ => return None,
    })
}

/// The single reasons that the service gave, if it gave any.
fn refusal(error: &webflow_cms::Error) -> String {
    let reason = Reason::of(error);
    let details: Vec<_> = reason.details().map(one_line).collect();
    match details.is_empty() {
        true => error.to_string(),
        false => details.join("; "),
    }
}
