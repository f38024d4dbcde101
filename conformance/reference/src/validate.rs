//! The validation of a request against the API document.

use std::collections::BTreeSet;
use std::fmt;

use http::{HeaderMap, Method, header};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Value, json};

use super::contract::Contract;
use super::core::Request;
use super::json;
use super::log::Exchange;
use super::reply::{Basis, Reply};

/// A violation of the API document by a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The part of the request that is invalid.
    pub kind: ViolationKind,
    /// The explanation. It contains no header value.
    pub message: String,
}

/// The part of a request that is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The path is not the operation's.
    Path,
    /// The method is not `PATCH`.
    Method,
    /// There is not exactly one `Authorization` header with the expected bearer token.
    Authorization,
    /// There is not exactly one `Content-Type` header, or it is not `application/json`.
    ContentType,
    /// There is an `api-version` header; the version is part of the path.
    ApiVersion,
    /// A documented query parameter is repeated or has an invalid value.
    Query,
    /// A query parameter is not documented. The service was observed to ignore it, so the request is not refused.
    UnknownQuery,
    /// The body is not JSON.
    Json,
    /// A key is repeated in one JSON object.
    DuplicateKey,
    /// The body does not match the documented schema.
    Schema,
    /// The API document cannot be used, so nothing was checked.
    Contract,
}

impl Violation {
    /// Whether the request is refused because of this violation. Other violations are only logged.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.kind != ViolationKind::UnknownQuery
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A request as far as it could be read.
pub(super) struct Checked {
    /// The id of the collection, percent-decoded, if the path is the operation's.
    pub(super) collection: Option<String>,
    pub(super) json: Option<Value>,
    pub(super) violations: Vec<Violation>,
}

/// Finds all violations of a request.
pub(super) fn check(request: &Request, token: &str) -> Checked {
    let mut found = Findings::default();
    let collection = collection_id(&request.path);
    if collection.is_none() {
        found.add(
            ViolationKind::Path,
            format!("no route for the path {}", request.path),
        );
    }
    if request.method != Method::PATCH {
        found.add(
            ViolationKind::Method,
            format!("the method is {}, not PATCH", request.method),
        );
    }
    check_headers(&request.headers, token, &mut found);
    let json = match Contract::get() {
        Err(error) => {
            found.add(ViolationKind::Contract, error.to_string());
            None
        }
        Ok(contract) => {
            check_query(
                request.query.as_deref().unwrap_or_default(),
                contract,
                &mut found,
            );
            check_body(&request.body, contract, &mut found)
        }
    };
    Checked {
        collection,
        json,
        violations: found.0,
    }
}

/// The response to a request with these violations. The gravest one decides.
pub(super) fn refusal(exchange: &Exchange) -> Reply {
    let Exchange { method, path, .. } = exchange;
    let violations: Vec<_> = exchange
        .violations
        .iter()
        .filter(|violation| violation.is_refused())
        .collect();
    let has = |kind| violations.iter().any(|violation| violation.kind == kind);
    if has(ViolationKind::Contract) {
        let reasons: Vec<_> = violations
            .iter()
            .map(|violation| violation.message.as_str())
            .collect();
        return Reply::new(500)
            .json(&error("internal_error", &reasons.join("; ")))
            .on(Basis::Assumed);
    }
    if has(ViolationKind::Path) || has(ViolationKind::Method) {
        let body = json!({
            "msg": format!("Route not found: {method} {path}"),
            "code": 404,
            "name": "RouteNotFoundError",
            "errorEnum": "RouteNotFound",
        });
        return Reply::new(404).json(&body).on(Basis::Observed);
    }
    if has(ViolationKind::Authorization) {
        return Reply::new(401)
            .json(&error("not_authorized", "Request not authorized"))
            .on(Basis::Documented);
    }
    if has(ViolationKind::Json) {
        return Reply::new(400)
            .json(&error("bad_request", "Bad Request: Request is malformed"))
            .on(Basis::Documented);
    }
    let observed = violations
        .iter()
        .all(|violation| violation.kind == ViolationKind::Schema);
    let reasons: Vec<_> = violations
        .iter()
        .map(|violation| violation.message.as_str())
        .collect();
    let message = format!("Validation Error: {}", json!(reasons));
    let basis = if observed {
        Basis::Observed
    } else {
        Basis::Assumed
    };
    Reply::new(400)
        .json(&error("validation_error", &message))
        .on(basis)
}

fn error(code: &str, message: &str) -> Value {
    json!({"message": message, "code": code, "externalReference": null, "details": []})
}

#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, kind: ViolationKind, message: impl Into<String>) {
        self.0.push(Violation {
            kind,
            message: message.into(),
        });
    }
}

fn collection_id(path: &str) -> Option<String> {
    let id = path
        .strip_prefix("/v2/collections/")?
        .strip_suffix("/items")?;
    (!id.is_empty() && !id.contains('/')).then(|| percent_decoded(id))
}

fn check_headers(headers: &HeaderMap, token: &str, found: &mut Findings) {
    let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
    match (authorization.next(), authorization.next()) {
        (None, _) => found.add(
            ViolationKind::Authorization,
            "there is no Authorization header",
        ),
        (Some(_), Some(_)) => found.add(
            ViolationKind::Authorization,
            "there are several Authorization headers",
        ),
        (Some(value), None)
            if value.as_bytes().strip_prefix(b"Bearer ") != Some(token.as_bytes()) =>
        {
            found.add(
                ViolationKind::Authorization,
                "the Authorization header does not hold the expected bearer token",
            );
        }
        _ => {}
    }

    let mut content_type = headers.get_all(header::CONTENT_TYPE).iter();
    match (content_type.next(), content_type.next()) {
        (None, _) => found.add(
            ViolationKind::ContentType,
            "there is no Content-Type header",
        ),
        (Some(_), Some(_)) => found.add(
            ViolationKind::ContentType,
            "there are several Content-Type headers",
        ),
        (Some(value), None) => {
            let essence = value
                .to_str()
                .unwrap_or_default()
                .split(';')
                .next()
                .unwrap_or_default()
                .trim();
            if !essence.eq_ignore_ascii_case("application/json") {
                found.add(
                    ViolationKind::ContentType,
                    "the Content-Type is not application/json",
                );
            }
        }
    }

    if headers.contains_key("api-version") {
        found.add(ViolationKind::ApiVersion, "there is an api-version header");
    }
}

fn check_query(query: &str, contract: &Contract, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decoded(name);
        match contract.query.get(&name) {
            None => {
                found.add(
                    ViolationKind::UnknownQuery,
                    format!("Value ({name}) is no documented query parameter"),
                );
                continue;
            }
            Some(true) if !matches!(value, "true" | "false") => {
                found.add(
                    ViolationKind::Query,
                    format!("Value ({name})'s type should be boolean"),
                );
            }
            Some(_) => {}
        }
        if !seen.insert(name.clone()) {
            found.add(
                ViolationKind::Query,
                format!("Value ({name}) comes more than once"),
            );
        }
    }
}

fn check_body(body: &[u8], contract: &Contract, found: &mut Findings) -> Option<Value> {
    let (value, duplicates) = match json::parse(body) {
        Ok(parsed) => parsed,
        Err(error) => {
            found.add(
                ViolationKind::Json,
                format!("the body is not JSON: {error}"),
            );
            return None;
        }
    };
    for key in duplicates {
        found.add(
            ViolationKind::DuplicateKey,
            format!("Value ({key}) comes more than once in one object"),
        );
    }
    for error in contract.request.iter_errors(&value) {
        found.add(ViolationKind::Schema, describe(&error));
    }
    Some(value)
}

/// The text of a schema error, as the service was observed to word its own.
fn describe(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().as_str();
    let name = path
        .rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or("body");
    match error.kind() {
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                jsonschema::error::TypeKind::Single(kind) => kind.to_string(),
                jsonschema::error::TypeKind::Multiple(kinds) => kinds
                    .iter()
                    .map(|kind| kind.to_string())
                    .collect::<Vec<_>>()
                    .join(","),
            };
            format!("Value ({name})'s type should be {expected}")
        }
        ValidationErrorKind::Required { property } => {
            format!(
                "Value ({name}) should have required property '{}'",
                property.as_str().unwrap_or_default()
            )
        }
        ValidationErrorKind::MinItems { limit } => {
            format!("Value ({name}) should NOT have fewer than {limit} items")
        }
        ValidationErrorKind::MaxItems { limit } => {
            format!("Value ({name}) should NOT have more than {limit} items")
        }
        kind => format!(
            "Value ({name}) should pass the check of its {}",
            kind.keyword()
        ),
    }
}

/// Decodes percent-encoding. An invalid escape is left as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = match tail {
            [high, low, after @ ..] if first == b'%' => {
                hex(*high).zip(hex(*low)).map(|(h, l)| (h * 16 + l, after))
            }
            _ => None,
        };
        let (byte, after) = escape.unwrap_or((first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
