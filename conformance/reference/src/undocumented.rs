//! Error bodies that were observed and are not documented.

use serde_json::{Value, json};

use super::reply::{Basis, Reply};

/// The form of an error body that was observed and differs from the documented one.
///
/// The forms were observed; their texts are invented where none was quoted.
///
/// ```
/// use webflow_cms_reference::UndocumentedBody;
///
/// for body in UndocumentedBody::ALL {
///     let reply = body.reply();
///     let text = String::from_utf8_lossy(&reply.body);
///     assert!(text.contains(body.reason()), "{body:?}");
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UndocumentedBody {
    /// 404 with `404 Not Found` as plain text.
    PlainText,
    /// 403 with the HTML page of a proxy or firewall in front of the service.
    BlockPage,
    /// 400 with `msg` and the list `problems`.
    Problems,
    /// 400 with `errors`, a list of strings.
    Errors,
    /// 400 with `error`, a string.
    Error,
    /// 400 with `application/problem+json` (RFC 9457).
    ProblemDetails,
}

impl UndocumentedBody {
    /// All forms.
    pub const ALL: [Self; 6] = [
        Self::PlainText,
        Self::BlockPage,
        Self::Problems,
        Self::Errors,
        Self::Error,
        Self::ProblemDetails,
    ];

    /// The response with the form's own status, without rate headers.
    #[must_use]
    pub fn reply(self) -> Reply {
        self.reply_with(match self {
            Self::PlainText => 404,
            Self::BlockPage => 403,
            Self::Problems | Self::Errors | Self::Error | Self::ProblemDetails => 400,
        })
    }

    /// The response with another status.
    #[must_use]
    pub fn reply_with(self, status: u16) -> Reply {
        let reply = Reply::new(status);
        let typed = |reply: Reply, kind| reply.header("content-type", kind);
        let reply = match self {
            Self::PlainText => typed(reply, "text/plain").body(self.reason()),
            Self::BlockPage => typed(reply, "text/html; charset=UTF-8").body(format!(
                "<!DOCTYPE html>\n<html>\n<head><title>{}</title></head>\n<body>\n<h1>Sorry, you have been \
                 blocked</h1>\n</body>\n</html>\n",
                self.reason()
            )),
            Self::ProblemDetails => typed(reply.json(&self.json(status)), "application/problem+json"),
            Self::Problems | Self::Errors | Self::Error => reply.json(&self.json(status)),
        };
        reply.on(Basis::Observed)
    }

    /// The reason of the error, as it stands in the body.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::PlainText => "404 Not Found",
            Self::BlockPage => "Attention Required!",
            Self::Problems => "Field 'price': Expected a number",
            Self::Errors => "price is not a number",
            Self::Error => "The item could not be saved",
            Self::ProblemDetails => "The value of price is not a number.",
        }
    }

    fn json(self, status: u16) -> Value {
        let reason = self.reason();
        match self {
            Self::Problems => json!({"msg": "Validation Failure", "problems": [reason]}),
            Self::Errors => json!({"errors": [reason]}),
            Self::ProblemDetails => json!({
                "type": "about:blank",
                "title": "Invalid value",
                "status": status,
                "detail": reason,
            }),
            Self::PlainText | Self::BlockPage | Self::Error => json!({"error": reason}),
        }
    }
}
