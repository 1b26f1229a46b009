//! Requests that a real provider refuses, and in what shape.

use glassbox_sim::Provider;
use serde_json::{Value, json};

use crate::client::{Call, HAMBURGERS, PROVIDERS, call, shop};

/// The kind of error, as each provider names it.
fn kind(provider: Provider, body: &Value) -> &str {
    let path = match provider {
        Provider::OpenAi | Provider::Anthropic => "/error/type",
        Provider::Gemini => "/error/status",
    };
    body.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{provider:?}: {body}"))
}

async fn check(expected: [(u16, &str); 3], spoil: impl Fn(&mut Call)) {
    let sim = shop().start().unwrap();
    for (provider, (status, name)) in PROVIDERS.into_iter().zip(expected) {
        let mut call = call(&sim, provider, false, HAMBURGERS);
        spoil(&mut call);
        let (answered, _, body) = call.exchange().await;
        assert_eq!((answered, kind(provider, &body)), (status, name), "{provider:?}: {body}");
        assert!(body.pointer("/error/message").is_some_and(Value::is_string), "{body}");
        assert_eq!(sim.requests().last().unwrap().status, Some(status));
    }
}

#[tokio::test]
async fn without_a_key() {
    let expected =
        [(401, "invalid_request_error"), (401, "authentication_error"), (403, "PERMISSION_DENIED")];
    check(expected, |call| call.headers.retain(|(name, _)| *name == "anthropic-version")).await;
}

#[tokio::test]
async fn with_a_wrong_key() {
    let expected =
        [(401, "invalid_request_error"), (401, "authentication_error"), (401, "UNAUTHENTICATED")];
    check(expected, |call| {
        for (_, value) in call.headers.iter_mut().filter(|(name, _)| *name != "anthropic-version") {
            *value = value.replace("key", "invalid");
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_model() {
    let expected = [(404, "invalid_request_error"), (404, "not_found_error"), (404, "NOT_FOUND")];
    check(expected, |call| {
        call.url = call.url.replace("gemini-2.5-flash", "no-such-model");
        call.body["model"] = json!("no-such-model-2");
    })
    .await;
}

#[tokio::test]
async fn without_messages() {
    let expected =
        [(400, "invalid_request_error"), (400, "invalid_request_error"), (400, "INVALID_ARGUMENT")];
    check(expected, |call| {
        call.body
            .as_object_mut()
            .unwrap()
            .retain(|key, _| !["messages", "contents"].contains(&key.as_str()));
    })
    .await;
    check(expected, |call| call.body = json!([])).await;
}

#[tokio::test]
async fn what_is_not_json() {
    let sim = shop().start().unwrap();
    for provider in PROVIDERS {
        let response = call(&sim, provider, false, HAMBURGERS)
            .send_text("{\"model\": ".to_owned())
            .await
            .unwrap();
        assert_eq!(response.status(), 400);
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        kind(provider, &body);
    }
}

#[tokio::test]
async fn an_unknown_path() {
    let expected = [(404, "invalid_request_error"), (404, "not_found_error"), (404, "NOT_FOUND")];
    check(expected, |call| {
        call.url = call.url.replace("v1/", "v1/no/").replace("v1beta/", "v1beta/no/")
    })
    .await;
}

#[tokio::test]
async fn schemas_that_a_strict_provider_does_not_take() {
    let sim = shop().start().unwrap();
    let lenient = shop().lenient_schemas().start().unwrap();
    let open = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    for (provider, status) in PROVIDERS.into_iter().zip([400, 400, 200]) {
        let call = |sim| call(sim, provider, false, "x").with_schema(provider, &open, true);
        let (answered, _, body) = call(&sim).exchange().await;
        assert_eq!(answered, status, "{body}");
        assert_eq!(call(&lenient).exchange().await.0, 200);
    }
}

#[tokio::test]
async fn more_calls_than_allowed() {
    let sim = shop().requests_per_minute(3).start().unwrap();
    let one = call(&sim, Provider::OpenAi, false, HAMBURGERS);
    for _ in 0..3 {
        assert_eq!(one.exchange().await.0, 200);
    }
    let (status, headers, body) = one.exchange().await;
    assert_eq!((status, &body["error"]["code"]), (429, &json!("rate_limit_exceeded")));
    let seconds: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((15..=20).contains(&seconds), "a third of a minute, not {seconds} s");
    assert_eq!(sim.counters().limited, 1);
}

#[tokio::test]
async fn anthropic_s_key_may_be_a_bearer_s() {
    let sim = shop().start().unwrap();
    let mut call = call(&sim, Provider::Anthropic, false, HAMBURGERS);
    call.headers.retain(|(name, _)| *name != "x-api-key");
    call.headers.push(("authorization", "Bearer key".to_owned()));
    assert_eq!(call.exchange().await.0, 200);
}
