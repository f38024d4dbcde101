//! The constants of the OpenAPI document.

use std::error::Error;

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;

const OPERATION: &str = "/paths/~1collections~1{collection_id}~1items/patch";

/// Generates the constants: the maximum size of a batch, the documented statuses, the base URL, the required scope, the
/// string fields and the operations.
pub(crate) fn from_document(document: &Value) -> Result<TokenStream, Box<dyn Error>> {
    let limit = usize::try_from(
        document
            .pointer("/components/schemas/ItemUpdateList/properties/items/maxItems")
            .and_then(Value::as_u64)
            .ok_or("the document does not say how many items a request may carry")?,
    )?;
    let statuses = document
        .pointer(&format!("{OPERATION}/responses"))
        .and_then(Value::as_object)
        .ok_or("the document has no responses")?
        .keys()
        .map(|status| status.parse::<u16>())
        .collect::<Result<Vec<_>, _>>()?;
    let base_url = document
        .pointer("/servers/0/url")
        .and_then(Value::as_str)
        .ok_or("the document names no server")?;
    let scope = document
        .pointer(&format!("{OPERATION}/x-required-scope"))
        .and_then(Value::as_str)
        .ok_or("the document names no scope")?;
    let operations = operations(document)?;
    let fields = string_fields(document)?;
    Ok(quote! {
        /// The maximum number of item updates in a request.
        pub(crate) const MAX_ITEMS: usize = #limit;
        /// The statuses that Webflow documents for the endpoint.
        pub const DOCUMENTED_STATUSES: &[u16] = &[#(#statuses),*];
        /// The base URL of Webflow's Data API.
        pub const BASE_URL: &str = #base_url;
        /// The scope that a token needs to update items.
        pub const REQUIRED_SCOPE: &str = #scope;
        /// The fields of an item update that must be strings.
        pub(crate) const STRING_FIELDS: &[&str] = &[#(#fields),*];
        /// The operations: the name in the generated client, and the path.
        pub(crate) const OPERATIONS: &[(&str, &str)] = &[#(#operations),*];
    })
}

/// Returns the fields with a type in the document.
///
/// The client checks them before it sends a request, and knows only the type `string`. The build fails if the document
/// specifies more.
fn string_fields(document: &Value) -> Result<Vec<&String>, Box<dyn Error>> {
    let fields = document
        .pointer("/components/schemas/ItemUpdateFieldData/properties")
        .and_then(Value::as_object)
        .ok_or("the document names no fields of an item update")?;
    for (field, schema) in fields {
        let mut rest = schema.as_object().cloned().unwrap_or_default();
        rest.remove("description");
        if rest.remove("type") != Some("string".into()) || !rest.is_empty() {
            let unchecked =
                format!("nothing checks what the document says of the field {field}: {schema}");
            return Err(unchecked.into());
        }
    }
    Ok(fields.keys().collect())
}

fn operations(document: &Value) -> Result<Vec<TokenStream>, Box<dyn Error>> {
    let paths = document.pointer("/paths").and_then(Value::as_object);
    let mut operations = Vec::new();
    for (path, item) in paths.ok_or("the document has no paths")? {
        let members = item.as_object().into_iter().flat_map(|item| item.values());
        for name in members.filter_map(|member| member.get("operationId")?.as_str()) {
            let name = name.replace('-', "_");
            operations.push(quote! { (#name, #path) });
        }
    }
    Ok(operations)
}
