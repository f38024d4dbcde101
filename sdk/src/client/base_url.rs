//! The check of a base URL.

use std::net::IpAddr;

use reqwest::Url;

use crate::error::{Error, InvalidInput};

/// Parses and checks a base URL.
pub(super) fn checked_base_url(text: &str, allow_plain_http: bool) -> Result<Url, Error> {
    let rejected = |reason| Error::from(InvalidInput::BaseUrl { reason });
    let url = Url::parse(text).map_err(|_| rejected("is not a valid URL, or has no host"))?;
    // The parser reads `https:///v2` as the host `v2`.
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    if authority.starts_with(['/', '\\', '?', '#']) || authority.is_empty() {
        return Err(rejected("has no host"));
    }
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| rejected("has no host"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(rejected(
            "has a user or a password; the token is sufficient",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(rejected("has a query or a fragment"));
    }
    match url.scheme() {
        "https" if cfg!(any(feature = "rustls", feature = "native-tls")) => {}
        "https" => return Err(InvalidInput::NoTls.into()),
        "http" if allow_plain_http || is_this_machine(host) => {}
        "http" => return Err(InvalidInput::PlainHttp { host: host.into() }.into()),
        _ => return Err(rejected("is neither https nor http")),
    }
    Ok(url)
}

/// Removes the slash at the end, since the paths of the generated methods begin with one.
pub(super) fn without_slash(base_url: &Url) -> &str {
    base_url.as_str().trim_end_matches('/')
}

pub(super) fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    use crate::spec;

    fn rejected(url: &str) -> InvalidInput {
        checked_base_url(url, false)
            .expect_err("rejected")
            .invalid_input()
            .cloned()
            .expect("bad input")
    }

    #[test]
    fn a_base_url_keeps_its_path_without_the_slash_at_the_end() {
        let checked = |url| {
            let url = checked_base_url(url, false).expect("usable");
            without_slash(&url).to_owned()
        };
        assert_eq!(
            checked("http://127.0.0.1:8080/v2/"),
            "http://127.0.0.1:8080/v2"
        );
        assert_eq!(checked("http://localhost"), "http://localhost");
        assert_eq!(checked("http://[::1]:9/beta"), "http://[::1]:9/beta");
    }

    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    #[test]
    fn the_default_base_url_is_that_of_webflow() {
        assert_eq!(
            without_slash(&checked_base_url(spec::BASE_URL, false).expect("usable")),
            "https://api.webflow.com/v2"
        );
    }

    #[test]
    fn a_base_url_without_a_host_is_rejected() {
        for url in [
            "https://",
            "http:///v2",
            "https:",
            "file:///v2",
            "data:text/plain,x",
        ] {
            assert!(
                matches!(rejected(url), InvalidInput::BaseUrl { .. }),
                "{url}"
            );
        }
        assert_eq!(
            rejected("https:///v2"),
            InvalidInput::BaseUrl {
                reason: "has no host"
            }
        );
    }

    #[test]
    fn a_base_url_with_credentials_query_or_fragment_is_rejected() {
        for url in [
            "",
            "/v2",
            "ftp://a/v2",
            "http://u:p@localhost/",
            "http://localhost/?a",
            "http://localhost/#a",
        ] {
            assert!(
                matches!(rejected(url), InvalidInput::BaseUrl { .. }),
                "{url}"
            );
        }
    }

    #[test]
    fn plain_http_to_another_machine_requires_consent() {
        for host in [
            "api.webflow.com",
            "10.0.0.1",
            "localhost.example",
            "127.0.0.1.example",
            "[2001:db8::1]",
        ] {
            let url = format!("http://{host}/v2");
            assert_eq!(
                rejected(&url),
                InvalidInput::PlainHttp { host: host.into() }
            );
            assert!(checked_base_url(&url, true).is_ok());
        }
    }
}
