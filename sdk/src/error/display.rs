//! An error in words.

use std::fmt;
use std::time::Duration;

use super::{BodyForm, Error, ErrorKind, Printable, RetryStopped, Source, detail};

/// How long the text about an input is, in characters: it can name several entries.
const MOST_OF_AN_INPUT: usize = 2_000;

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.source {
            Some(Source::Input(input)) => write!(
                formatter,
                "{}",
                Printable::truncated(&input.to_string(), MOST_OF_AN_INPUT)
            )?,
            _ => self.fmt_what(formatter)?,
        }
        self.fmt_end(formatter)?;
        self.fmt_attempts(formatter)
    }
}

impl Error {
    /// Writes what went wrong, and what the service said of it.
    fn fmt_what(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.what())?;
        if let Some(status) = self.status() {
            write!(formatter, " (status {}", status.as_u16())?;
            if let Some(code) = self.code() {
                write!(formatter, ", {}", Printable::new(code))?;
            }
            formatter.write_str(")")?;
        }
        for said in [self.0.reason.as_deref(), self.message()]
            .into_iter()
            .flatten()
        {
            write!(formatter, ": {}", Printable::new(said))?;
        }
        detail::list(
            formatter,
            self.message().unwrap_or_default(),
            self.details(),
        )
    }

    fn what(&self) -> &'static str {
        let form = self.response().map(|response| response.form);
        let is_refused = self.status().is_some_and(|status| status.is_client_error());
        match self.0.kind {
            ErrorKind::Timeout if self.was_accepted() => {
                "the service accepted the request, and the time ran out before its response was complete"
            }
            ErrorKind::ConnectionClosed if self.was_accepted() => {
                "the service accepted the request, and the connection was closed before its response was complete"
            }
            ErrorKind::Transport if self.was_accepted() => {
                "the service accepted the request, and the transport failed before its response was complete"
            }
            kind @ ErrorKind::TooManyRequests => kind.description(),
            _ if is_refused && form == Some(BodyForm::Page) => {
                "something in front of the service, such as a proxy or a firewall, refused the request"
            }
            ErrorKind::Forbidden if form == Some(BodyForm::Text) => "access was refused",
            kind => kind.description(),
        }
    }

    /// Writes why there was no other attempt, where that is not plain.
    fn fmt_end(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = self.0.pause.or_else(|| self.retry_after());
        match (self.retry_stopped(), self.0.time_limit) {
            (Some(RetryStopped::RetryAfterTooLong), Some(granted)) => {
                formatter.write_str("; the service asks to wait")?;
                if let Some(asked) = asked {
                    write!(formatter, " {},", Seconds(asked))?;
                }
                write!(
                    formatter,
                    " longer than the {} of max_retry_after",
                    Seconds(granted)
                )
            }
            (Some(RetryStopped::TimeoutExceeded), Some(granted)) => {
                let limit = Seconds(granted);
                write!(
                    formatter,
                    "; the operation timeout, {limit}, leaves no time for another attempt"
                )?;
                match asked.filter(|asked| *asked >= granted) {
                    Some(asked) => write!(
                        formatter,
                        ", since the service asks to wait {}",
                        Seconds(asked)
                    ),
                    None => Ok(()),
                }
            }
            (Some(why @ (RetryStopped::Ambiguous | RetryStopped::BudgetExhausted)), _) => {
                write!(formatter, "; {why}")
            }
            _ => Ok(()),
        }
    }

    /// Writes how many attempts there were, and whether one before the last may have acted.
    fn fmt_attempts(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acted_before =
            self.0.attempts.may_have_acted && !self.0.kind.may_have_acted(self.status());
        match (self.attempts(), acted_before) {
            (0 | 1, false) => Ok(()),
            (0 | 1, true) => {
                formatter.write_str(" (after an earlier attempt, which may have acted)")
            }
            (attempts, false) => write!(formatter, " (after {attempts} attempts)"),
            (attempts, true) => {
                write!(
                    formatter,
                    " (after {attempts} attempts, of which an earlier one may have acted)"
                )
            }
        }
    }

    fn fmt_fields(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Error");
        shown.field("text", &format_args!("{self}"));
        shown.field("kind", &self.0.kind);
        if let Some(response) = self.response() {
            shown
                .field("status", &response.status.as_u16())
                .field("code", &response.code)
                .field("message", &response.message)
                .field("details", &response.details)
                .field("retry_after", &response.retry_after)
                .field("headers", &response.headers)
                .field("body", &response.body);
        }
        if let Some(reason) = &self.0.reason {
            shown.field("reason", reason);
        }
        match &self.0.source {
            Some(Source::Input(input)) => shown.field("input", input),
            Some(Source::Other(source)) => shown.field("source", source),
            None => &mut shown,
        };
        shown
            .field("attempts", &self.0.attempts.failed)
            .field("retry_stopped", &self.0.retry_stopped)
            .field("may_have_acted", &self.may_have_acted())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if formatter.alternate() {
            return self.fmt_fields(formatter);
        }
        let mut said = self.to_string();
        formatter.write_str(&said)?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = Printable::new(&error.to_string()).to_string();
            if !said.contains(&text) {
                write!(formatter, "; caused by: {text}")?;
                said = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

/// A time in seconds, to the millisecond.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(formatter, "{} s", self.0.as_secs()),
            millis => {
                let fraction = format!("{millis:03}");
                write!(
                    formatter,
                    "{}.{} s",
                    self.0.as_secs(),
                    fraction.trim_end_matches('0')
                )
            }
        }
    }
}
