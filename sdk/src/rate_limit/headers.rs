//! The rate limit in the headers of a response.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, StatusCode, header};

use crate::error::Error;

/// The rate limit of a token, from the headers of a response.
///
/// Webflow documents 60 requests a minute for the plans Starter and Basic, and 120 for CMS, eCommerce and Business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// `X-RateLimit-Limit`: requests a minute.
    pub limit: Option<u64>,
    /// `X-RateLimit-Remaining`: requests left in the current minute.
    pub remaining: Option<u64>,
}

impl RateLimit {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let number = |name: &'static str| {
            headers
                .get(HeaderName::from_static(name))?
                .to_str()
                .ok()?
                .trim()
                .parse()
                .ok()
        };
        Self {
            limit: number("x-ratelimit-limit"),
            remaining: number("x-ratelimit-remaining"),
        }
    }
}

impl Error {
    /// Returns the rate limit of the token, from the headers of the response.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        self.headers()
            .map(RateLimit::from_headers)
            .unwrap_or_default()
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.remaining, self.limit) {
            (Some(remaining), Some(limit)) => {
                write!(formatter, "{remaining} of {limit} requests left")
            }
            (Some(remaining), None) => write!(formatter, "{remaining} requests left"),
            (None, Some(limit)) => write!(formatter, "{limit} requests a minute"),
            (None, None) => formatter.write_str("unknown"),
        }
    }
}

/// Returns the wait that a response requests: the longest of its `Retry-After` and `Retry-After-Ms` headers. For a 429
/// without them it is the time until `X-RateLimit-Reset`.
///
/// Seconds, whole or decimal, and HTTP dates are parsed. A date is compared with the `Date` of the response, or with
/// `now` without one. A date in the past requests no wait. An invalid value is ignored.
pub(crate) fn requested_wait(
    status: StatusCode,
    headers: &HeaderMap,
    now: SystemTime,
) -> Option<Duration> {
    let date = |value: &str| httpdate::parse_http_date(value).ok();
    let values = |name: HeaderName| {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| Some(value.to_str().ok()?.trim()))
    };
    let now = values(header::DATE).find_map(date).unwrap_or(now);
    let until = |time: SystemTime| time.duration_since(now).unwrap_or_default();
    let in_seconds = values(header::RETRY_AFTER)
        .filter_map(|value| seconds(value).or_else(|| Some(until(date(value)?))));
    let in_millis = values(HeaderName::from_static("retry-after-ms"))
        .filter_map(|value| Some(seconds(value)? / 1_000));
    let asked = in_seconds.chain(in_millis).max();
    if status != StatusCode::TOO_MANY_REQUESTS {
        return asked;
    }
    asked.or_else(|| {
        values(HeaderName::from_static("x-ratelimit-reset"))
            .filter_map(|value| reset(value, until).or_else(|| Some(until(date(value)?))))
            .max()
    })
}

/// Returns the time until the limit resets. The header has no standard: it is a number of seconds, or a time in seconds
/// or milliseconds since 1970. No window is long enough to confuse them.
fn reset(value: &str, until: impl FnOnce(SystemTime) -> Duration) -> Option<Duration> {
    const YEAR_2001: Duration = Duration::from_secs(1_000_000_000);
    const IN_MILLIS: Duration = Duration::from_secs(1_000_000_000_000);
    let value = seconds(value)?;
    if value < YEAR_2001 {
        return Some(value);
    }
    let since_1970 = if value < IN_MILLIS {
        value
    } else {
        value / 1_000
    };
    SystemTime::UNIX_EPOCH.checked_add(since_1970).map(until)
}

/// Parses seconds with an optional fraction. A value that exceeds a `Duration` becomes the longest one.
fn seconds(value: &str) -> Option<Duration> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = Duration::from_secs(whole.parse().unwrap_or(u64::MAX));
    let fraction = Duration::try_from_secs_f64(format!("0.{fraction}").parse().ok()?).ok()?;
    Some(whole.saturating_add(fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str], date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::RETRY_AFTER, value.parse().expect("a header value"));
        }
        if let Some(date) = date {
            headers.insert(header::DATE, date.parse().expect("a header value"));
        }
        headers
    }

    fn wait(values: &[&str]) -> Option<Duration> {
        requested_wait(
            StatusCode::SERVICE_UNAVAILABLE,
            &headers(values, None),
            SystemTime::UNIX_EPOCH,
        )
    }

    /// Returns the wait that a response with these headers requests at the time 1,790,000,000.
    fn requested(status: u16, named: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in named {
            headers.append(*name, value.parse().expect("a header value"));
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let status = StatusCode::from_u16(status).expect("a status");
        requested_wait(status, &headers, now)
    }

    #[test]
    fn milliseconds_are_parsed_and_the_longest_wait_counts() {
        let wait = |seconds, millis| {
            requested(503, &[("retry-after", seconds), ("retry-after-ms", millis)])
        };
        assert_eq!(wait("1", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(wait("2", "1500"), Some(Duration::from_secs(2)));
        assert_eq!(wait("soon", "40"), Some(Duration::from_millis(40)));
        assert_eq!(wait("soon", "-40"), None);
    }

    #[test]
    fn the_reset_of_a_limit_is_parsed_in_each_of_its_forms() {
        for reset in [
            "30",
            "30.0",
            "1790000030",
            "1790000030000",
            "Mon, 21 Sep 2026 14:13:50 GMT",
        ] {
            let wait = requested(429, &[("x-ratelimit-reset", reset)]);
            assert_eq!(wait, Some(Duration::from_secs(30)), "{reset}");
        }
        let past = requested(429, &[("x-ratelimit-reset", "1789999999")]);
        assert_eq!(past, Some(Duration::ZERO));
        assert_eq!(requested(429, &[("x-ratelimit-reset", "soon")]), None);
    }

    #[test]
    fn the_reset_of_a_limit_counts_only_on_a_429_without_retry_after() {
        let both = [("x-ratelimit-reset", "30"), ("retry-after", "5")];
        assert_eq!(requested(429, &both), Some(Duration::from_secs(5)));
        assert_eq!(requested(503, &both[..1]), None);
        assert_eq!(requested(400, &both[..1]), None);
    }

    #[test]
    fn a_rate_limit_reads_as_words() {
        let limit = |limit, remaining| RateLimit { limit, remaining }.to_string();
        assert_eq!(limit(Some(60), Some(7)), "7 of 60 requests left");
        assert_eq!(limit(None, Some(7)), "7 requests left");
        assert_eq!(limit(Some(60), None), "60 requests a minute");
        assert_eq!(limit(None, None), "unknown");
    }

    #[test]
    fn whole_and_decimal_seconds_are_parsed() {
        assert_eq!(wait(&["60"]), Some(Duration::from_secs(60)));
        assert_eq!(wait(&[" 0 "]), Some(Duration::ZERO));
        assert_eq!(wait(&["1.9"]), Some(Duration::from_millis(1900)));
    }

    #[test]
    fn an_invalid_wait_is_ignored() {
        for garbage in [
            "", "-1", "soon", "1e9", "NaN", "inf", ".5", "1.", "1.2.3", "+5", "0x10",
        ] {
            assert_eq!(wait(&[garbage]), None, "{garbage:?}");
        }
    }

    #[test]
    fn an_excessive_wait_is_long_and_does_not_overflow() {
        let longest = Duration::from_secs(u64::MAX);
        assert_eq!(wait(&["99999999999999999999999999"]), Some(longest));
        assert_eq!(
            wait(&["18446744073709551615.9999999999"]).map(|wait| wait >= longest),
            Some(true)
        );
    }

    #[test]
    fn of_several_waits_the_longest_counts() {
        assert_eq!(
            wait(&["5", "garbage", "7", "6"]),
            Some(Duration::from_secs(7))
        );
    }

    #[test]
    fn a_date_is_compared_with_the_date_of_the_response() {
        let date = Some("Tue, 15 Sep 2026 10:00:00 GMT");
        let wait = |value| {
            requested_wait(
                StatusCode::OK,
                &headers(&[value], date),
                SystemTime::UNIX_EPOCH,
            )
        };
        assert_eq!(
            wait("Tue, 15 Sep 2026 10:02:00 GMT"),
            Some(Duration::from_secs(120))
        );
        assert_eq!(
            wait("Tue, 15 Sep 2026 09:59:00 GMT"),
            Some(Duration::ZERO),
            "a date in the past requests no wait"
        );
    }

    #[test]
    fn a_date_is_compared_with_the_clock_if_the_response_has_no_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let date = httpdate::fmt_http_date(now + Duration::from_secs(30));
        assert_eq!(
            requested_wait(StatusCode::OK, &headers(&[&date], None), now),
            Some(Duration::from_secs(30))
        );
    }
}
