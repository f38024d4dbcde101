//! A site to update, and a client for it.

#![allow(
    dead_code,
    reason = "each test binary compiles this module and uses its own part"
)]

mod virtual_time;

use webflow_cms::{
    Batch, Client, ClientBuilder, CollectionId, ItemId, ItemUpdate, RateLimiter, RetryPolicy,
    Token, reqwest,
};
use webflow_cms_reference::{Builder, FaultyServer, ReferenceServer, Settings, Variant, World};

pub(crate) use self::virtual_time::SdkTime;

pub(crate) const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";
pub(crate) const LAMP: &str = "66f6ed9576ddacf3149d5ea6";
pub(crate) const SHADE: &str = "66f6ed9576ddacf3149d5eb7";
pub(crate) const FRENCH: &str = "66f6e966c9e1dc700a857ca4";

/// A collection with two items, the lamp in two locales.
pub(crate) fn described() -> Builder {
    ReferenceServer::builder()
        .item(COLLECTION, LAMP, None, variant("Lamp", 99.5.into()))
        .item(
            COLLECTION,
            LAMP,
            Some(FRENCH),
            variant("Lampe", 99.5.into()),
        )
        .item(COLLECTION, SHADE, None, variant("Shade", "cheap".into()))
}

pub(crate) async fn site() -> ReferenceServer {
    described().start().await
}

/// The same site behind faulty connections.
pub(crate) async fn faulty_site() -> FaultyServer {
    FaultyServer::serve(described().build())
        .await
        .expect("a free port")
}

/// The same site in a virtual time, which advances only when every call waits.
pub(crate) fn world() -> World {
    let world = World::new(Settings::default()).expect("a world");
    world.reset(described().build().model()).expect("a port");
    world
}

fn variant(name: &str, price: serde_json::Value) -> Variant {
    Variant::named(name, &name.to_lowercase()).field("price", price)
}

/// A client without a proxy, retries and a rate limit.
pub(crate) fn builder(base_url: &str, token: &str) -> ClientBuilder {
    Client::builder(Token::new(token).expect("a token"))
        .base_url(base_url)
        .http(reqwest::Client::builder().no_proxy())
        .retry(RetryPolicy::disabled())
        .rate_limiter(RateLimiter::unlimited())
}

/// A client in the virtual time of a world, with the default settings.
pub(crate) fn builder_in(world: &World) -> ClientBuilder {
    Client::builder(Token::new(world.server().token()).expect("a token"))
        .base_url(world.base_url())
        // Saves the time to load the system's certificates, since nothing is encrypted.
        .http(reqwest::Client::builder().no_proxy().tls_certs_only([]))
        .clock(SdkTime(world.time()))
        .observer(SdkTime(world.time()))
}

pub(crate) fn client(server: &ReferenceServer) -> Client {
    builder(&server.base_url(), &server.token())
        .build()
        .expect("a client")
}

pub(crate) fn collection() -> CollectionId {
    CollectionId::new(COLLECTION).expect("an id")
}

pub(crate) fn lamp() -> ItemUpdate {
    ItemUpdate::new(ItemId::new(LAMP).expect("an id"))
}

pub(crate) fn shade() -> ItemUpdate {
    ItemUpdate::new(ItemId::new(SHADE).expect("an id"))
}

/// An update of the lamp alone.
pub(crate) fn one() -> Batch {
    Batch::new([lamp().draft(true)]).expect("a batch")
}
