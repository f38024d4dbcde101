//! The public models: the generated types, made generic over the field data, with ids that need no allocation.

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Field, File, GenericArgument, Ident, Item, ItemStruct, PathArguments, Type,
    parse_quote,
};

/// The types with the field data of an item, which become generic.
const GENERIC: [&str; 3] = ["CollectionItem", "ItemUpdate", "ItemUpdateList"];
/// The types of field data, which are replaced by the type parameter.
const FIELD_DATA: [&str; 2] = ["CollectionItemFieldData", "ItemUpdateFieldData"];
/// The types without field data.
const PLAIN: [&str; 1] = ["Pagination"];

/// Makes the models from the code of the typed client.
pub(crate) fn from_client(client: &TokenStream) -> Result<TokenStream, String> {
    let file: File = syn::parse2(client.clone()).map_err(|error| error.to_string())?;
    let types = file
        .items
        .into_iter()
        .find_map(|item| match item {
            Item::Mod(module) if module.ident == "types" => module.content.map(|(_, items)| items),
            _ => None,
        })
        .ok_or("the generated client has no types")?;
    let take = |name: &str| {
        types
            .iter()
            .find_map(|item| match item {
                Item::Struct(item) if item.ident == name => Some(item.clone()),
                _ => None,
            })
            .ok_or(format!("the document has no schema {name}"))
    };

    let mut models = Vec::new();
    for name in GENERIC {
        models.push(generic(take(name)?));
    }
    for name in PLAIN {
        models.push(plain(take(name)?));
    }
    Ok(quote! { #(#models)* })
}

/// Replaces the field data of a struct by a type parameter.
fn generic(item: ItemStruct) -> ItemStruct {
    let mut item = plain(item);
    item.generics = parse_quote! { <F = crate::model::FieldData> };
    // The derive would require `F: Default`, because a field of that type may be absent.
    item.attrs.push(parse_quote! {
        #[serde(bound(serialize = "F: ::serde::Serialize", deserialize = "F: ::serde::de::DeserializeOwned"))]
    });
    GenericFieldData.visit_item_struct_mut(&mut item);
    item
}

fn plain(mut item: ItemStruct) -> ItemStruct {
    item.attrs
        .retain(|attribute| !attribute.path().is_ident("derive"));
    item.attrs
        .push(parse_quote! { #[derive(Clone, Debug, ::serde::Deserialize, ::serde::Serialize)] });
    item.attrs.push(parse_quote! { #[non_exhaustive] });
    item.attrs.iter_mut().for_each(without_schema);
    for field in &mut item.fields {
        field.attrs.iter_mut().for_each(without_schema);
        if !field
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("doc"))
        {
            field
                .attrs
                .push(parse_quote! { #[doc = "The undocumented members. A number that does not fit 64 bits is rounded."] });
        }
        inline_id(field);
        lenient(field);
    }
    item
}

/// Makes a member lenient, unless it is required to match items with entries: a value of another type is treated as
/// absent and does not make the response invalid.
fn lenient(field: &mut Field) {
    let needed = ["id", "cms_locale_id", "field_data"];
    let is_needed = |ident: &Ident| needed.iter().any(|name| ident == name);
    if is_option(&field.ty) && !field.ident.as_ref().is_some_and(is_needed) {
        field.attrs.push(parse_quote! {
            #[serde(default, deserialize_with = "crate::model::if_it_fits")]
        });
    }
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Option"))
}

/// Replaces the `String` of an id by `ReceivedId`, which stores the usual 24 characters without an allocation.
fn inline_id(field: &mut Field) {
    let Some(ident) = &field.ident else { return };
    if ident == "id" || ident.to_string().ends_with("_id") {
        InlineId.visit_type_mut(&mut field.ty);
    }
}

struct InlineId;

impl VisitMut for InlineId {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "String"))
        {
            *ty = parse_quote! { crate::id::ReceivedId };
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }
}

/// Replaces the type of the field data by the parameter, and passes the parameter to the generic types.
struct GenericFieldData;

impl VisitMut for GenericFieldData {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        let Type::Path(path) = ty else { return };
        let Some(last) = path.path.segments.last_mut() else {
            return;
        };
        let name = last.ident.to_string();
        if FIELD_DATA.contains(&name.as_str()) {
            *ty = parse_quote! { F };
        } else if GENERIC.contains(&name.as_str()) && last.arguments.is_none() {
            let parameter: GenericArgument = parse_quote! { F };
            last.arguments = PathArguments::AngleBracketed(parse_quote! { <#parameter> });
            path.path = syn::Path::from(last.clone());
        }
    }
}

/// Removes the JSON schema that the generator appends to a description.
fn without_schema(attribute: &mut Attribute) {
    let syn::Meta::NameValue(meta) = &attribute.meta else {
        return;
    };
    let syn::Expr::Lit(syn::ExprLit {
        lit: syn::Lit::Str(text),
        ..
    }) = &meta.value
    else {
        return;
    };
    if let Some((description, _)) = text.value().split_once("<details>") {
        let description = description.trim().trim_matches('`').to_owned();
        *attribute = parse_quote! { #[doc = #description] };
    }
}
