//! The text of an error: `Display` and `Debug`.

use std::fmt;
use std::time::Duration;

use super::{BodyForm, Error, ErrorKind, Printable, RetryStopped, Source, detail};

/// The longest text about rejected input, in characters. It can name several entries.
const MAX_INPUT_CHARS: usize = 2_000;

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.source {
            Some(Source::Input(input)) => write!(
                formatter,
                "{}",
                Printable::truncated(&input.to_string(), MAX_INPUT_CHARS)
            )?,
            _ => self.fmt_failure(formatter)?,
        }
        self.fmt_retry_stopped(formatter)?;
        self.fmt_attempts(formatter)
    }
}

impl Error {
    /// Writes the failure and the service's explanation.
    fn fmt_failure(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.failure())?;
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

    fn failure(&self) -> &'static str {
        let form = self.response().map(|response| response.form);
        let is_refused = self.status().is_some_and(|status| status.is_client_error());
        match self.0.kind {
            ErrorKind::Timeout if self.was_accepted() => {
                "the service accepted the request, and the attempt timed out before the response was complete"
            }
            ErrorKind::ConnectionClosed if self.was_accepted() => {
                "the service accepted the request, and the connection was closed before the response was complete"
            }
            ErrorKind::Transport if self.was_accepted() => {
                "the service accepted the request, and the transport failed before the response was complete"
            }
            kind @ ErrorKind::TooManyRequests => kind.description(),
            _ if is_refused && form == Some(BodyForm::Page) => {
                "an intermediary in front of the service, such as a proxy or a firewall, rejected the request"
            }
            ErrorKind::Forbidden if form == Some(BodyForm::Text) => "access was denied",
            kind => kind.description(),
        }
    }

    /// Writes why the call was not retried, unless the kind of the error implies it.
    fn fmt_retry_stopped(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requested = self.0.pause.or_else(|| self.retry_after());
        match (self.retry_stopped(), self.0.time_limit) {
            (Some(RetryStopped::RetryAfterTooLong), Some(limit)) => {
                formatter.write_str("; the service requests a wait")?;
                if let Some(requested) = requested {
                    write!(formatter, " of {},", Seconds(requested))?;
                }
                write!(
                    formatter,
                    " longer than max_retry_after, {}",
                    Seconds(limit)
                )
            }
            (Some(RetryStopped::TimeoutExceeded), Some(limit)) => {
                let text = Seconds(limit);
                write!(
                    formatter,
                    "; the operation timeout, {text}, leaves no time for another attempt"
                )?;
                match requested.filter(|requested| *requested >= limit) {
                    Some(requested) => write!(
                        formatter,
                        ", since the service requests a wait of {}",
                        Seconds(requested)
                    ),
                    None => Ok(()),
                }
            }
            (Some(reason @ (RetryStopped::Ambiguous | RetryStopped::BudgetExhausted)), _) => {
                write!(formatter, "; {reason}")
            }
            _ => Ok(()),
        }
    }

    /// Writes the number of attempts, and whether the service may have acted on one before the last.
    fn fmt_attempts(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acted_before =
            self.0.attempts.may_have_acted && !self.0.kind.may_have_acted(self.status());
        match (self.attempts(), acted_before) {
            (0 | 1, false) => Ok(()),
            (0 | 1, true) => formatter
                .write_str(" (after an earlier attempt, on which the service may have acted)"),
            (attempts, false) => write!(formatter, " (after {attempts} attempts)"),
            (attempts, true) => {
                write!(
                    formatter,
                    " (after {attempts} attempts; the service may have acted on an earlier one)"
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
        let mut last = self.to_string();
        formatter.write_str(&last)?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = Printable::new(&error.to_string()).to_string();
            if !last.contains(&text) {
                write!(formatter, "; caused by: {text}")?;
                last = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

/// A duration in seconds, to the millisecond.
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
