//! The token for Webflow. It is never printed.

use std::env;

use webflow_cms::Token;
use webflow_cms::spec::REQUIRED_SCOPE;

const TOKEN: &str = "WEBFLOW_TOKEN";

/// The token from the environment. It is read only with `--live`.
pub(crate) fn from_environment() -> Result<Token, String> {
    // The error of the standard library can contain the value.
    let secret = env::var(TOKEN).map_err(|_| {
        format!("--live needs a token with the scope {REQUIRED_SCOPE} in the environment variable {TOKEN}")
    })?;
    Token::new(secret).map_err(|error| format!("{TOKEN}: {error}"))
}
