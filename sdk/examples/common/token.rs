//! The token for Webflow itself, which is never printed.

use std::env;

use webflow_cms::Token;
use webflow_cms::spec::REQUIRED_SCOPE;

const TOKEN: &str = "WEBFLOW_TOKEN";

/// The token of the environment. That it is there sends nothing to Webflow: only `--live` asks for it.
pub(crate) fn from_environment() -> Result<Token, String> {
    // The reason that the standard library gives can hold the value.
    let secret = env::var(TOKEN).map_err(|_| {
        format!("--live needs a token with the scope {REQUIRED_SCOPE} in the environment variable {TOKEN}")
    })?;
    Token::new(secret).map_err(|error| format!("{TOKEN}: {error}"))
}
