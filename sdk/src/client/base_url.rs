//! Where requests may go.

use std::net::IpAddr;

use reqwest::Url;

use crate::error::{Error, InvalidInput};

/// The base URL, if it can be used.
pub(super) fn checked_base_url(text: &str, allow_plain_http: bool) -> Result<Url, Error> {
    let refused = |reason| Error::from(InvalidInput::BaseUrl { reason });
    let url = Url::parse(text).map_err(|_| refused("cannot be read as a URL, or has no host"))?;
    // The parser would take `https:///v2` to mean the host `v2`.
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    if authority.starts_with(['/', '\\', '?', '#']) || authority.is_empty() {
        return Err(refused("has no host"));
    }
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| refused("has no host"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(
            "holds a user or a password; the token is all that is needed",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("has a query or a fragment"));
    }
    match url.scheme() {
        "https" if cfg!(any(feature = "rustls", feature = "native-tls")) => {}
        "https" => return Err(InvalidInput::NoTls.into()),
        "http" if allow_plain_http || is_this_machine(host) => {}
        "http" => return Err(InvalidInput::PlainHttp { host: host.into() }.into()),
        _ => return Err(refused("is neither https nor http")),
    }
    Ok(url)
}

/// The generated methods begin their paths with a slash.
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

    fn refused(url: &str) -> InvalidInput {
        checked_base_url(url, false)
            .expect_err("refused")
            .invalid_input()
            .cloned()
            .expect("bad input")
    }

    #[test]
    fn a_base_url_keeps_its_path_and_loses_the_slash_at_its_end() {
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
    fn the_default_is_webflows_own() {
        assert_eq!(
            without_slash(&checked_base_url(spec::BASE_URL, false).expect("usable")),
            "https://api.webflow.com/v2"
        );
    }

    #[test]
    fn a_base_url_without_a_host_is_refused() {
        for url in [
            "https://",
            "http:///v2",
            "https:",
            "file:///v2",
            "data:text/plain,x",
        ] {
            assert!(
                matches!(refused(url), InvalidInput::BaseUrl { .. }),
                "{url}"
            );
        }
        assert_eq!(
            refused("https:///v2"),
            InvalidInput::BaseUrl {
                reason: "has no host"
            }
        );
    }

    #[test]
    fn a_base_url_that_hides_something_is_refused() {
        for url in [
            "",
            "/v2",
            "ftp://a/v2",
            "http://u:p@localhost/",
            "http://localhost/?a",
            "http://localhost/#a",
        ] {
            assert!(
                matches!(refused(url), InvalidInput::BaseUrl { .. }),
                "{url}"
            );
        }
    }

    #[test]
    fn plain_http_to_another_machine_needs_consent() {
        for host in [
            "api.webflow.com",
            "10.0.0.1",
            "localhost.example",
            "127.0.0.1.example",
            "[2001:db8::1]",
        ] {
            let url = format!("http://{host}/v2");
            assert_eq!(refused(&url), InvalidInput::PlainHttp { host: host.into() });
            assert!(checked_base_url(&url, true).is_ok());
        }
    }
}
