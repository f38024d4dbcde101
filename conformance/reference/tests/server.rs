//! The reference server as clients see it.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use support::{A, B, C, EN, FR, rename_a, request, site};
use webflow_cms_reference::{
    Basis, PrimaryEcho, ReferenceServer, Reply, Request, ResponseOrder, ResponseShape, Step,
    ViolationKind,
};

mod support;

async fn patch(server: &ReferenceServer, body: &Value) -> Response {
    request(&server.base_url(), &server.token(), body.to_string())
        .send()
        .await
        .unwrap()
}

fn all() -> Value {
    json!({"items": [{"id": A}, {"id": A, "cmsLocaleId": FR}, {"id": B, "cmsLocaleId": EN}]})
}

async fn returned_keys(response: Response) -> Vec<(String, Option<String>)> {
    let body: Value = response.json().await.unwrap();
    let key = |item: &Value| {
        (
            item["id"].as_str().unwrap().to_owned(),
            item.get("cmsLocaleId")
                .map(|l| l.as_str().unwrap().to_owned()),
        )
    };
    body["items"].as_array().unwrap().iter().map(key).collect()
}

#[tokio::test]
async fn a_valid_update_is_applied_echoed_and_logged() {
    let server = site().start().await;
    let response = patch(&server, &rename_a()).await;
    assert_eq!(response.status(), StatusCode::OK);
    for (name, value) in [
        ("x-ratelimit-limit", "60"),
        ("x-ratelimit-remaining", "59"),
        ("retry-after", "60"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["items"][0]["id"], A);
    assert_eq!(body["items"][0]["cmsLocaleId"], EN);
    assert_eq!(body["items"][0]["lastPublished"], Value::Null);
    assert_eq!(
        body["items"][0]["fieldData"],
        json!({"name": "new", "slug": "a"})
    );
    assert_eq!(body["pagination"]["total"], 1);
    assert_eq!(
        server.model().variant(C, A, None).unwrap().field_data["name"],
        "new"
    );
    assert_eq!(
        server.model().variant(C, A, Some(FR)).unwrap().field_data["name"],
        "a-fr"
    );

    let log = server.log();
    let [exchange] = log.as_slice() else {
        panic!("{log:?}")
    };
    assert!(exchange.violations.is_empty(), "{exchange}");
    assert_eq!(exchange.path, format!("/v2/collections/{C}/items"));
    assert_eq!(
        (exchange.json.as_ref(), exchange.applied),
        (Some(&rename_a()), 1)
    );
    assert_eq!(
        exchange.reply.as_ref().map(|reply| reply.basis),
        Some(Basis::Documented)
    );
}

#[tokio::test]
async fn responses_take_the_shapes_and_orders_that_are_set() {
    let server = site().start().await;
    let keys = |locale: Option<&str>| {
        [(A, locale), (A, Some(FR)), (B, locale)]
            .map(|(id, locale)| (id.to_owned(), locale.map(str::to_owned)))
    };
    assert_eq!(
        returned_keys(patch(&server, &all()).await).await,
        keys(Some(EN))
    );

    server
        .core()
        .configure(|settings| settings.primary_echo = PrimaryEcho::Absent);
    assert_eq!(
        returned_keys(patch(&server, &all()).await).await,
        keys(None)
    );

    server
        .core()
        .configure(|settings| settings.order = ResponseOrder::Reversed);
    let mut reversed = keys(None);
    reversed.reverse();
    assert_eq!(returned_keys(patch(&server, &all()).await).await, reversed);

    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..20 {
        server
            .core()
            .configure(|settings| settings.order = ResponseOrder::Shuffled(seed));
        let shuffled = returned_keys(patch(&server, &all()).await).await;
        assert_eq!(
            shuffled,
            returned_keys(patch(&server, &all()).await).await,
            "a seed decides the order"
        );
        let mut sorted = shuffled.clone();
        sorted.sort();
        let mut expected = keys(None).to_vec();
        expected.sort();
        assert_eq!(sorted, expected);
        orders.insert(shuffled);
    }
    assert!(orders.len() > 3, "{orders:?}");

    server.core().configure(|settings| {
        settings.shape = ResponseShape::ItemWhenSingle;
        settings.pagination = false;
        settings.omitted = vec!["lastPublished".to_owned(), "fieldData.name".to_owned()];
    });
    let single: Value = patch(&server, &rename_a()).await.json().await.unwrap();
    assert_eq!(
        (&single["id"], &single["fieldData"]),
        (&json!(A), &json!({"slug": "a"}))
    );
    assert!(single.get("lastPublished").is_none());
    let list: Value = patch(&server, &all()).await.json().await.unwrap();
    assert_eq!(
        list.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["items"]
    );
}

#[tokio::test]
async fn a_wrong_missing_or_second_token_is_a_401_and_is_never_printed() {
    let server = site().start().await;
    let good = format!("Bearer {}", server.token());
    for values in [
        vec!["Bearer hunter2"],
        vec![],
        vec![&good, &good],
        vec!["bearer reference-token"],
    ] {
        let mut builder = Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .patch(format!("{}/collections/{C}/items", server.base_url()));
        for value in &values {
            builder = builder.header("authorization", *value);
        }
        let response = builder.json(&rename_a()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{values:?}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(
            (&body["code"], &body["message"]),
            (&json!("not_authorized"), &json!("Request not authorized"))
        );
    }
    for exchange in server.log() {
        assert_eq!(
            exchange
                .violations
                .iter()
                .map(|v| v.kind)
                .collect::<Vec<_>>(),
            [ViolationKind::Authorization]
        );
        let printed = format!("{exchange:?} {exchange}");
        assert!(
            !printed.contains("hunter2") && !printed.contains("reference-token"),
            "{printed}"
        );
    }
    assert!(!format!("{server:?}").contains("reference-token"));
    assert_eq!(server.model(), site().build().model());
}

#[tokio::test]
async fn every_violation_is_recorded_and_refused() {
    let server = site().start().await;
    let url = format!("{}/collections/{C}/items", server.base_url());
    let body = rename_a().to_string();
    let base = || request(&server.base_url(), &server.token(), body.clone());
    let with_body = |text: &str| request(&server.base_url(), &server.token(), text.to_owned());
    let client = || Client::builder().no_proxy().build().unwrap();
    let duplicate = format!(r#"{{"items":[{{"id":"{A}","isDraft":true,"isDraft":false}}]}}"#);
    let too_many =
        json!({"items": (0..101).map(|n| json!({"id": format!("{n}")})).collect::<Vec<_>>()})
            .to_string();
    let null_locale = json!({"items": [{"id": A, "cmsLocaleId": null}]}).to_string();
    let cases = [
        (
            base().query(&[("skipInvalidFiles", "1")]),
            ViolationKind::Query,
            400,
        ),
        (
            base().query(&[("skipInvalidFiles", "true"), ("skipInvalidFiles", "true")]),
            ViolationKind::Query,
            400,
        ),
        (
            base().header("api-version", "2.0.0"),
            ViolationKind::ApiVersion,
            400,
        ),
        (
            base().header("content-type", "application/json"),
            ViolationKind::ContentType,
            400,
        ),
        (
            client()
                .patch(&url)
                .bearer_auth(server.token())
                .body(body.clone()),
            ViolationKind::ContentType,
            400,
        ),
        (with_body(""), ViolationKind::Json, 400),
        (with_body("{"), ViolationKind::Json, 400),
        (with_body(&duplicate), ViolationKind::DuplicateKey, 400),
        (with_body("{}"), ViolationKind::Schema, 400),
        (with_body(r#"{"items":[]}"#), ViolationKind::Schema, 400),
        (with_body(&too_many), ViolationKind::Schema, 400),
        (with_body(&null_locale), ViolationKind::Schema, 400),
        (
            client()
                .post(&url)
                .bearer_auth(server.token())
                .json(&rename_a()),
            ViolationKind::Method,
            404,
        ),
        (
            client()
                .patch(format!("{url}/live"))
                .bearer_auth(server.token())
                .json(&rename_a()),
            ViolationKind::Path,
            404,
        ),
        (
            client()
                .patch(format!("{url}/"))
                .bearer_auth(server.token())
                .json(&rename_a()),
            ViolationKind::Path,
            404,
        ),
    ];
    server.script([Step::Model]);
    for (number, (request, kind, status)) in cases.into_iter().enumerate() {
        let response = request.send().await.unwrap();
        let exchange = server.log().pop().unwrap();
        assert_eq!(exchange.index, number);
        assert_eq!(
            exchange
                .violations
                .iter()
                .map(|v| v.kind)
                .collect::<Vec<_>>(),
            [kind],
            "{exchange}"
        );
        assert_eq!(response.status(), status, "{exchange}");
        assert_eq!(exchange.applied, 0);
    }
    assert_eq!(
        server.core().pending_steps(),
        1,
        "a request that is refused takes no step of the script"
    );
    assert_eq!(server.model(), site().build().model());
}

#[tokio::test]
async fn errors_have_the_shapes_that_were_observed() {
    let server = site().start().await;
    let body: Value = patch(&server, &json!({"items": [{"id": A, "cmsLocaleId": null}]}))
        .await
        .json()
        .await
        .unwrap();
    let message = r#"Validation Error: ["Value (cmsLocaleId)'s type should be string"]"#;
    assert_eq!(
        body,
        json!({"message": message, "code": "validation_error", "externalReference": null, "details": []})
    );

    let url = format!("{}/nowhere", server.base_url());
    let response = Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(url)
        .send()
        .await
        .unwrap();
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        (&body["code"], &body["errorEnum"]),
        (&json!(404), &json!("RouteNotFound"))
    );
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn the_documented_query_and_a_charset_are_accepted() {
    let server = site().start().await;
    for value in ["true", "false"] {
        let response = Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .patch(format!(
                "{}/collections/{C}/items?skipInvalidFiles={value}",
                server.base_url()
            ))
            .bearer_auth(server.token())
            .header("content-type", "application/json; charset=utf-8")
            .body(rename_a().to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(
        server.log()[0].query.as_deref(),
        Some("skipInvalidFiles=true")
    );
}

#[tokio::test]
async fn the_script_comes_before_the_model() {
    let server = site().start().await;
    server.script([
        Step::Reply(Reply::documented(429).unwrap().header("retry-after", "1")),
        Step::model_then(|response| response.edit_items(|items| items.truncate(1))),
        Step::Reply(
            Reply::new(502)
                .header("content-type", "text/html")
                .header("content-length", "3")
                .body("<html>"),
        ),
    ]);

    let busy = patch(&server, &all()).await;
    assert_eq!(
        (
            busy.status().as_u16(),
            busy.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "1")
    );
    assert_eq!(
        busy.json::<Value>().await.unwrap()["code"],
        "too_many_requests"
    );
    assert_eq!(server.log()[0].applied, 0);

    assert_eq!(returned_keys(patch(&server, &all()).await).await.len(), 1);
    assert_eq!(server.log()[1].applied, 3);

    let html = patch(&server, &all()).await;
    assert_eq!(html.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(html.text().await.unwrap(), "<html>");
    assert_eq!(patch(&server, &all()).await.status(), StatusCode::OK);
}

#[test]
fn every_documented_status_has_a_reply_and_no_other_has() {
    let documented: Vec<_> = (100..1000)
        .filter(|&status| Reply::documented(status).is_ok())
        .collect();
    assert_eq!(documented, [200, 400, 401, 404, 429, 500]);
    assert_eq!(Reply::documented(403).unwrap_err().status, 403);
    assert_eq!(Reply::documented(429).unwrap().headers["retry-after"], "60");
}

#[tokio::test]
async fn a_reset_server_is_as_new() {
    let server = site().start().await;
    patch(&server, &rename_a()).await;
    server.script([Step::Model]);
    server
        .core()
        .configure(|settings| settings.pagination = false);
    server.reset(site().build().model());
    assert!(server.log().is_empty());
    assert_eq!(server.core().pending_steps(), 0);
    assert_eq!(server.core().settings(), site().build().settings());
    assert_eq!(
        server.model().variant(C, A, None).unwrap().field_data["name"],
        "a"
    );
}

#[tokio::test]
async fn a_core_goes_on_after_a_panic_in_a_scripted_function() {
    let server = site().start().await;
    server.script([Step::model_then(|_| panic!("on purpose"))]);
    let broken = request(&server.base_url(), &server.token(), all().to_string())
        .send()
        .await;
    assert!(broken.is_err());
    assert_eq!(server.core().handle(core_request()).status, StatusCode::OK);
}

fn core_request() -> Request {
    let headers = [
        ("authorization", "Bearer reference-token"),
        ("content-type", "application/json"),
    ];
    Request {
        method: http::Method::PATCH,
        path: format!("/v2/collections/{C}/items"),
        query: None,
        headers: headers
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .into_iter()
            .collect(),
        body: rename_a().to_string().into(),
    }
}
