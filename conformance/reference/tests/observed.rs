//! Responses that follow observations of the service where nothing is documented.

use http::{HeaderMap, Method, header};
use serde_json::{Value, json};
use support::{A, B, C, EN, FR, rename_a, request, site};
use webflow_cms_reference::{
    Basis, Core, PrimaryEcho, Reply, Request, Settings, Step, UndocumentedBody, ViolationKind,
};

mod support;

/// A request in process: its status, its headers and its JSON body.
fn send(core: &Core, collection: &str, query: Option<&str>, body: &Value) -> (Reply, Value) {
    let bearer = format!("Bearer {}", core.settings().token);
    let headers = HeaderMap::from_iter([
        (header::AUTHORIZATION, bearer.parse().unwrap()),
        (header::CONTENT_TYPE, "application/json".parse().unwrap()),
    ]);
    let reply = core.handle(Request {
        method: Method::PATCH,
        path: format!("/v2/collections/{collection}/items"),
        query: query.map(str::to_owned),
        headers,
        body: body.to_string().into(),
    });
    let body = serde_json::from_slice(&reply.body).unwrap_or_default();
    (reply, body)
}

fn patch(core: &Core, body: &Value) -> (Reply, Value) {
    send(core, C, None, body)
}

fn name(core: &Core, locale: Option<&str>) -> Value {
    core.model().variant(C, A, locale).unwrap().field_data["name"].clone()
}

#[test]
fn an_unknown_query_parameter_is_ignored_and_shown_in_the_log() {
    let core = site().build();
    let query = format!("locale={FR}&live=true&live=true&skipInvalidFiles=false");
    let (reply, body) = send(&core, C, Some(&query), &rename_a());
    assert_eq!(reply.status, 200);
    assert_eq!(body["items"][0]["cmsLocaleId"], EN);
    assert_eq!(name(&core, None), "new", "it acts on the primary locale");
    assert_eq!(name(&core, Some(FR)), "a-fr");

    let log = core.log();
    assert_eq!(log[0].query.as_deref(), Some(query.as_str()));
    assert_eq!(log[0].applied, 1);
    let unknown = |violation: &webflow_cms_reference::Violation| {
        violation.kind == ViolationKind::UnknownQuery && !violation.is_refused()
    };
    assert_eq!(log[0].violations.len(), 3);
    assert!(log[0].violations.iter().all(unknown), "{}", log[0]);
    assert!(log[0].to_string().contains("(locale)"), "{}", log[0]);
}

#[test]
fn an_unknown_query_parameter_is_no_part_of_what_a_request_is_refused_for() {
    let core = site().build();
    let null_locale = json!({"items": [{"id": A, "cmsLocaleId": null}]});
    let (reply, body) = send(&core, C, Some("locale=x"), &null_locale);
    assert_eq!((reply.status.as_u16(), reply.basis), (400, Basis::Observed));
    let message = r#"Validation Error: ["Value (cmsLocaleId)'s type should be string"]"#;
    assert_eq!(body["message"], message);
}

#[test]
fn an_unknown_query_parameter_takes_a_step_of_the_script() {
    let core = site().build();
    core.script([Reply::new(500)]);
    let (reply, _) = send(&core, C, Some("live=true"), &rename_a());
    assert_eq!((reply.status.as_u16(), core.pending_steps()), (500, 0));
}

#[test]
fn a_site_without_localization_responses_with_a_null_locale() {
    let core = site().without_localization().build();
    let all =
        json!({"items": [{"id": A}, {"id": A, "cmsLocaleId": FR}, {"id": B, "cmsLocaleId": EN}]});
    let locales = |core: &Core| {
        let (reply, body) = patch(core, &all);
        assert_eq!(reply.status, 200);
        [0, 1, 2].map(|index| body["items"][index].get("cmsLocaleId").cloned())
    };
    let (null, french) = (Some(Value::Null), Some(json!(FR)));
    assert_eq!(locales(&core), [null.clone(), french.clone(), null.clone()]);
    for (echo, named) in [
        (PrimaryEcho::Echoed, Some(json!(EN))),
        (PrimaryEcho::Absent, None),
        (PrimaryEcho::Null, null.clone()),
    ] {
        core.configure(|settings| settings.named_primary_echo = Some(echo));
        let expected = [null.clone(), french.clone(), named];
        assert_eq!(locales(&core), expected, "{echo:?}");
    }
    core.configure(|settings| settings.primary_echo = PrimaryEcho::Absent);
    assert_eq!(locales(&core), [None, french, null]);
}

#[test]
fn nothing_in_a_404_tells_what_is_missing() {
    let core = site().build();
    let good = json!({"id": B});
    let deleted = json!({"items": [good, {"id": "66f6ed9576ddacf3149d5e09"}]});
    let without_variant = json!({"items": [good, {"id": B, "cmsLocaleId": FR}]});
    let all = [
        send(&core, C, None, &deleted),
        send(&core, C, None, &without_variant),
        send(&core, EN, None, &rename_a()),
    ];
    for (reply, body) in &all {
        assert_eq!(reply.status, 404);
        let expected = json!({
            "message": "Requested resource not found",
            "code": "resource_not_found",
            "externalReference": null,
            "details": [],
        });
        assert_eq!(*body, expected);
        assert_eq!(reply.headers, all[0].0.headers);
    }
    let bases = all.map(|(reply, _)| reply.basis);
    assert_eq!(bases, [Basis::Observed, Basis::Observed, Basis::Assumed]);
    assert_eq!(core.model(), site().build().model());
}

#[test]
fn one_item_in_one_locale_is_refused_with_the_response_that_is_set() {
    let body = json!({"message": "Conflict", "code": "conflict"});
    let refusal = Reply::new(409).json(&body).header("retry-after", "7");
    let model = site().build().model();
    let model = model
        .reject_with(C, A, Some(FR), refusal)
        .reject_with(C, B, None, UndocumentedBody::Problems.reply_with(422))
        .reject(C, A, None);
    let core = Core::new(model, Settings::default());

    let batch = json!({"items": [{"id": A, "cmsLocaleId": FR}, {"id": B}]});
    let (reply, sent) = patch(&core, &batch);
    assert_eq!((reply.status.as_u16(), sent), (409, body));
    assert_eq!(reply.basis, Basis::Scripted);
    let headers = ["x-ratelimit-limit", "retry-after", "content-type"];
    let headers = headers.map(|name| reply.headers[name].to_str().unwrap());
    assert_eq!(headers, ["60", "7", "application/json"]);

    let (reply, sent) = patch(&core, &json!({"items": [{"id": B}]}));
    assert_eq!(reply.status, 422);
    assert_eq!(sent["msg"], "Validation Failure");
    let (reply, sent) = patch(&core, &rename_a());
    assert_eq!(reply.status, 400);
    assert_eq!(sent["code"], "validation_error");
    let applied: Vec<_> = core.log().iter().map(|exchange| exchange.applied).collect();
    assert_eq!(applied, [0, 0, 0]);
    assert_eq!(core.model(), site().build().model());
}

#[test]
fn entries_before_a_refused_one_are_applied_if_the_model_is_not_atomic() {
    let model = site().build().model().atomic(false);
    let model = model.reject_with(C, B, None, Reply::new(422));
    let core = Core::new(model, Settings::default());
    let both = json!({"items": [{"id": A, "fieldData": {"name": "new"}}, {"id": B}]});
    assert_eq!(patch(&core, &both).0.status, 422);
    assert_eq!(
        (core.log()[0].applied, name(&core, None)),
        (1, json!("new"))
    );
}

#[test]
fn the_value_of_a_field_that_is_not_published_is_dropped_without_a_word() {
    let model = site().build().model();
    let core = Core::new(model.unpublished_field(C, "rating"), Settings::default());
    let sent = json!({"items": [{"id": A, "fieldData": {"rating": 5, "name": "new"}}]});
    let (reply, body) = patch(&core, &sent);
    assert_eq!(reply.status, 200);
    let kept = json!({"name": "new", "slug": "a"});
    assert_eq!(body["items"][0]["fieldData"], kept);
    let model = core.model();
    let stored = &model.variant(C, A, None).unwrap().field_data;
    assert_eq!(Value::Object(stored.clone()), kept);
}

#[tokio::test]
async fn the_error_bodies_of_the_wild_arrive_as_they_were_met() {
    let server = site().start().await;
    server.script(UndocumentedBody::ALL.map(|body| Step::Reply(body.reply())));
    let mut seen = Vec::new();
    for body in UndocumentedBody::ALL {
        let request = request(&server.base_url(), &server.token(), rename_a().to_string());
        let response = request.send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap();
        let head = (response.status().as_u16(), kind.to_owned());
        assert!(response.headers().get("retry-after").is_none());
        let text = response.text().await.unwrap();
        assert!(text.contains(body.reason()), "{text}");
        seen.push((head, serde_json::from_str::<Value>(&text).ok()));
    }
    let json = "application/json";
    let problem = json!({
        "type": "about:blank",
        "title": "Invalid value",
        "status": 400,
        "detail": "The value of price is not a number.",
    });
    let expected = [
        (404, "text/plain", None),
        (403, "text/html; charset=UTF-8", None),
        (
            400,
            json,
            Some(
                json!({"msg": "Validation Failure", "problems": ["Field 'price': Expected a number"]}),
            ),
        ),
        (400, json, Some(json!({"errors": ["price is not a number"]}))),
        (400, json, Some(json!({"error": "The item could not be saved"}))),
        (400, "application/problem+json", Some(problem)),
    ]
    .map(|(status, kind, body)| ((status, kind.to_owned()), body));
    assert_eq!(seen, expected);
    let basis = server.log().pop().and_then(|exchange| exchange.reply);
    assert_eq!(basis.map(|reply| reply.basis), Some(Basis::Observed));
}
