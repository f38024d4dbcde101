//! The numbers and names that the document holds.

use std::error::Error;

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;

const OPERATION: &str = "/paths/~1collections~1{collection_id}~1items/patch";

/// The limit of a batch, the documented statuses, the base URL and the fields with a type, as constants.
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
        /// How many item updates one request may carry, at the most.
        pub(crate) const MAX_ITEMS: usize = #limit;
        /// The statuses that the endpoint's reference documents.
        pub const DOCUMENTED_STATUSES: &[u16] = &[#(#statuses),*];
        /// Where Webflow's Data API is.
        pub const BASE_URL: &str = #base_url;
        /// The scope that a token needs to update items.
        pub const REQUIRED_SCOPE: &str = #scope;
        /// The fields of an item update that have a type of their own, which is a string.
        pub(crate) const STRING_FIELDS: &[&str] = &[#(#fields),*];
        /// The paths of the operations, by the names that the generated client gives to these.
        pub(crate) const OPERATIONS: &[(&str, &str)] = &[#(#operations),*];
    })
}

/// The fields that the document gives a type. All that it says of them is checked before a request is sent, so it must
/// say no more than the check knows.
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
