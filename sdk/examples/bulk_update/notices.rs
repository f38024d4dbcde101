//! Notices about items that are not updated, printed during the run.

use std::path::Path;

use webflow_cms::bulk::{InvalidRow, ItemStatus, NotAttempted, Outcome, Reason};

use super::console::one_line;
use super::input::Reading;
use super::progress::Display;

/// The maximum number of notices.
const MAX_NOTICES: u64 = 20;

/// Prints notices. Consecutive items with the same reason share one.
pub(crate) struct Notices<'a> {
    display: &'a Display,
    reading: &'a Reading,
    dead_letters: &'a Path,
    group: Option<Group>,
    printed: u64,
}

struct Group {
    first: u64,
    last: u64,
    /// The key of the first item.
    item: String,
    reason: String,
}

impl<'a> Notices<'a> {
    pub(crate) fn new(display: &'a Display, reading: &'a Reading, dead_letters: &'a Path) -> Self {
        Self {
            display,
            reading,
            dead_letters,
            group: None,
            printed: 0,
        }
    }

    pub(crate) fn add(&mut self, outcome: &Outcome) {
        let Some(reason) = reason(outcome) else {
            return self.flush();
        };
        let line = self.reading.line(outcome.index);
        if let Some(group) = &mut self.group
            && group.last + 1 == line
            && group.reason == reason
        {
            group.last = line;
            return;
        }
        self.flush();
        let item = outcome.key().map(|key| format!(" (item {key})"));
        self.group = Some(Group {
            first: line,
            last: line,
            item: item.unwrap_or_default(),
            reason,
        });
    }

    pub(crate) fn flush(&mut self) {
        let Some(group) = self.group.take() else {
            return;
        };
        self.printed += 1;
        let Group {
            first,
            last,
            item,
            reason,
        } = group;
        let name = self.reading.name();
        match self.printed {
            ..=MAX_NOTICES if first == last => {
                self.display.say(&format!("{name}:{first}{item}: {reason}"));
            }
            ..=MAX_NOTICES => self
                .display
                .say(&format!("{name}:{first}{item} to line {last}: {reason}")),
            printed if printed == MAX_NOTICES + 1 => self
                .display
                .say(&format!("more in {}", self.dead_letters.display())),
            _ => {}
        }
    }
}

fn reason(outcome: &Outcome) -> Option<String> {
    Some(match &outcome.status {
        ItemStatus::Updated(_) if !outcome.missing_fields.is_empty() => {
            let fields = one_line(&outcome.missing_fields.join(", "));
            format!("updated, but the response lacks: {fields}")
        }
        ItemStatus::Rejected(error) if error.may_have_acted() => format!(
            "rejected: {}; an earlier attempt may have changed it",
            refusal(error)
        ),
        ItemStatus::Rejected(error) => format!("rejected: {}", refusal(error)),
        ItemStatus::Unknown(why) => format!("unknown: {}", one_line(&why.to_string())),
        ItemStatus::NotAttempted(NotAttempted::Source(error)) => {
            let row = error.downcast_ref::<InvalidRow>();
            let reason = row.map_or(error.to_string(), |row| row.reason().to_string());
            format!("invalid: {}", one_line(&reason))
        }
        _ => return None,
    })
}

/// The details that the service gave, or the error itself.
fn refusal(error: &webflow_cms::Error) -> String {
    let reason = Reason::from_error(error);
    let details: Vec<_> = reason.details().map(one_line).collect();
    match details.is_empty() {
        true => error.to_string(),
        false => details.join("; "),
    }
}
