//! What several checks ask of Rust's syntax.

use syn::{Attribute, ImplItem, Item, Meta};

/// Whether an attribute leaves its item out of all builds but those for tests.
pub(super) fn is_test_only(attribute: &Attribute) -> bool {
    fn requires_test(meta: &Meta) -> bool {
        match meta {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("all") => {
                nested(list).any(|m| requires_test(&m))
            }
            _ => false,
        }
    }
    fn nested(list: &syn::MetaList) -> impl Iterator<Item = Meta> + use<> {
        type Metas = syn::punctuated::Punctuated<Meta, syn::Token![,]>;
        list.parse_args_with(Metas::parse_terminated)
            .into_iter()
            .flatten()
    }
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => nested(list).any(|m| requires_test(&m)),
        Meta::Path(path) => path
            .segments
            .last()
            .is_some_and(|last| last.ident == "test"),
        _ => false,
    }
}

/// The attributes of an item.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The attributes of what an `impl` holds.
pub(super) fn impl_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        ImplItem::Macro(item) => &item.attrs,
        _ => &[],
    }
}
