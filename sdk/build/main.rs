//! The build script, which generates code from the OpenAPI document: the raw client, the client that carries bytes, the
//! public models, and the constants.

mod constants;
mod models;
mod opaque;

use std::error::Error;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use progenitor::{GenerationSettings, Generator, HooksMode, InterfaceStyle};
use quote::quote;
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let document = webflow_cms_spec::document()?;

    let raw = client(&document)?;
    write(&out.join("models.rs"), models::from_client(&raw)?)?;
    write(&out.join("raw.rs"), raw)?;
    write(&out.join("wire.rs"), client(&opaque::bodies(&document)?)?)?;
    write(
        &out.join("constants.rs"),
        constants::from_document(&document)?,
    )?;
    Ok(())
}

/// Generates a client that sends through the transport of this crate.
fn client(document: &Value) -> Result<TokenStream, Box<dyn Error>> {
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Positional)
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote! { crate::http::transport::Transport });
    let document = serde_json::from_value(document.clone())?;
    Ok(Generator::new(&settings).generate_tokens(&document)?)
}

fn write(path: &Path, code: TokenStream) -> Result<(), Box<dyn Error>> {
    let file = syn::parse2(code)?;
    std::fs::write(path, prettyplease::unparse(&file))?;
    Ok(())
}
