//! What the service says about the requests that a token has left.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, header};

/// The requests that a token may make a minute, and those that are left, as the headers of an answer say it.
///
/// Webflow documents 60 a minute for the plans Starter and Basic, 120 for CMS, eCommerce and Business.
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

/// The wait that the `Retry-After` headers ask for, the longest if there are several.
///
/// Seconds, whole or decimal, and HTTP dates are read. A date is measured against the answer's own `Date`, or `now`
/// where it has none; a date in the past asks for no wait. What cannot be read is not there.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date = |value: &str| httpdate::parse_http_date(value).ok();
    let now = headers
        .get(header::DATE)
        .and_then(|value| date(value.to_str().ok()?))
        .unwrap_or(now);
    headers
        .get_all(header::RETRY_AFTER)
        .iter()
        .filter_map(|value| {
            let value = value.to_str().ok()?.trim();
            seconds(value).or_else(|| Some(date(value)?.duration_since(now).unwrap_or_default()))
        })
        .max()
}

/// Seconds as digits with an optional fraction; more than a `Duration` holds becomes the longest one.
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
        retry_after(&headers(values, None), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn seconds_are_read_whole_and_decimal() {
        assert_eq!(wait(&["60"]), Some(Duration::from_secs(60)));
        assert_eq!(wait(&[" 0 "]), Some(Duration::ZERO));
        assert_eq!(wait(&["1.9"]), Some(Duration::from_millis(1900)));
    }

    #[test]
    fn what_is_no_wait_is_not_there() {
        for garbage in [
            "", "-1", "soon", "1e9", "NaN", "inf", ".5", "1.", "1.2.3", "+5", "0x10",
        ] {
            assert_eq!(wait(&[garbage]), None, "{garbage:?}");
        }
    }

    #[test]
    fn a_wait_beyond_all_bounds_is_long_and_does_not_overflow() {
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
    fn a_date_is_measured_against_the_answers_own_date() {
        let date = Some("Tue, 15 Sep 2026 10:00:00 GMT");
        let wait = |value| retry_after(&headers(&[value], date), SystemTime::UNIX_EPOCH);
        assert_eq!(
            wait("Tue, 15 Sep 2026 10:02:00 GMT"),
            Some(Duration::from_secs(120))
        );
        assert_eq!(
            wait("Tue, 15 Sep 2026 09:59:00 GMT"),
            Some(Duration::ZERO),
            "the past asks for no wait"
        );
    }

    #[test]
    fn a_date_without_an_answers_date_is_measured_against_the_clock() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let date = httpdate::fmt_http_date(now + Duration::from_secs(30));
        assert_eq!(
            retry_after(&headers(&[&date], None), now),
            Some(Duration::from_secs(30))
        );
    }
}
