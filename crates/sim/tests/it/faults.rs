//! Each fault as a client meets it.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use glassbox_sim::{Fault, FaultPlan, Provider};
use serde_json::{Value, json};

use crate::client::{HAMBURGERS, PROVIDERS, call, content, finish, shop_with, usage};

fn schema() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object", "properties": {"reasoning": text, "friendly_response": text},
        "required": ["reasoning", "friendly_response"], "additionalProperties": false,
    })
}

/// The I/O error at the root of a failed request.
fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

#[tokio::test]
async fn rate_limited() {
    let sim = shop_with(
        FaultPlan::none().always(Fault::RateLimited { retry_after: Duration::from_millis(1500) }),
    );
    for provider in PROVIDERS {
        for stream in [false, true] {
            let (status, headers, body) = call(&sim, provider, stream, HAMBURGERS).exchange().await;
            assert_eq!((status, &headers["retry-after"]), (429, &"2".parse().unwrap()));
            assert_eq!(headers.contains_key("retry-after-ms"), provider == Provider::OpenAi);
            match provider {
                Provider::OpenAi => assert_eq!(body["error"]["code"], "rate_limit_exceeded"),
                Provider::Anthropic => assert_eq!(body["error"]["type"], "rate_limit_error"),
                Provider::Gemini => {
                    assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
                    assert_eq!(body["error"]["details"][0]["retryDelay"], "1.5s");
                }
            }
        }
    }
}

#[tokio::test]
async fn broken_and_overloaded_servers() {
    let plan = FaultPlan::none()
        .first_of_each(1, Fault::ServerError(502))
        .first_of_each(2, Fault::Overloaded);
    let sim = shop_with(plan);
    for (provider, overloaded) in PROVIDERS.into_iter().zip([503, 529, 503]) {
        let call = call(&sim, provider, false, HAMBURGERS);
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(call.exchange().await.0);
        }
        assert_eq!(statuses, [502, overloaded, 200], "{provider:?}");
    }
    let attempts: Vec<_> = sim.requests().iter().map(|received| received.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
    assert_eq!(sim.requests()[1].fault, Some(Fault::Overloaded));
    assert_eq!(sim.counters().faults, 6);
}

#[tokio::test]
async fn reset() {
    let sim = shop_with(FaultPlan::none().on_request(1, Fault::Reset));
    let call = call(&sim, Provider::OpenAi, false, HAMBURGERS);
    let error = call.send().await.unwrap_err();
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
    assert_eq!(sim.requests()[0].status, None);
    assert_eq!(call.exchange().await.0, 200, "only the first one");
}

#[tokio::test]
async fn stall() {
    let sim = shop_with(FaultPlan::none().on_request(1, Fault::Stall));
    let call = call(&sim, Provider::Anthropic, false, HAMBURGERS);
    let mut sent = Box::pin(call.send());
    let arrives = async {
        while sim.counters().in_flight == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    tokio::select! {
        _ = &mut sent => panic!("an answer came"),
        () = arrives => drop(sent),
    }
    // The client has gone away with its future, which the server notices.
    while sim.counters().in_flight > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(call.exchange().await.0, 200);
}

#[tokio::test]
async fn truncated() {
    let sim = shop_with(FaultPlan::none().always(Fault::Truncated));
    for provider in PROVIDERS {
        for stream in [false, true] {
            let mut response = call(&sim, provider, stream, HAMBURGERS).send().await.unwrap();
            assert_eq!(response.status(), 200);
            let mut received = 0;
            let error = loop {
                match response.chunk().await {
                    Ok(Some(chunk)) => received += chunk.len(),
                    Ok(None) => panic!("{provider:?}: the body must not end in order"),
                    Err(error) => break error,
                }
            };
            assert!(received > 50, "{provider:?}: {received} bytes before {error}");
        }
    }
}

#[tokio::test]
async fn malformed_json() {
    let sim = shop_with(FaultPlan::none().always(Fault::MalformedJson));
    for provider in PROVIDERS {
        let body =
            call(&sim, provider, false, HAMBURGERS).send().await.unwrap().text().await.unwrap();
        assert!(body.starts_with('{') && serde_json::from_str::<Value>(&body).is_err(), "{body}");
        let events = call(&sim, provider, true, HAMBURGERS).events().await;
        let is_json = |data: &&String| {
            data.as_str() == "[DONE]" || serde_json::from_str::<Value>(data).is_ok()
        };
        assert_eq!(
            events.iter().filter(is_json).count(),
            events.len() - 1,
            "{provider:?}: {events:?}"
        );
    }
}

/// The content and finish reason under a fault, when JSON was asked for.
async fn spoiled(provider: Provider, fault: Fault) -> (String, String, Value) {
    let sim = shop_with(FaultPlan::none().always(fault));
    let call = call(&sim, provider, false, HAMBURGERS).with_schema(provider, &schema(), true);
    let (status, _, body) = call.exchange().await;
    assert_eq!(status, 200);
    (content(provider, &body).to_owned(), finish(provider, &body).to_owned(), body)
}

#[tokio::test]
async fn content_that_is_not_what_was_asked_for() {
    for (provider, stop) in PROVIDERS.into_iter().zip(["stop", "end_turn", "STOP"]) {
        let (text, finish, _) = spoiled(provider, Fault::Prose).await;
        assert!(!text.contains('{') && text.ends_with('.') && finish == stop, "{text}");

        let (text, finish, _) = spoiled(provider, Fault::TruncatedJson).await;
        assert!(text.starts_with("{\"reasoning\":\"The customer") && finish == stop, "{text}");
        assert!(serde_json::from_str::<Value>(&text).is_err());

        let (text, finish, _) = spoiled(provider, Fault::WrongTypes).await;
        let value: Value = serde_json::from_str(&text).unwrap();
        assert!(!value["reasoning"].is_string() && finish == stop, "{text}");

        let (text, finish, body) = spoiled(provider, Fault::Empty).await;
        assert!(text.is_empty() && finish == stop, "{body}");
        assert_eq!(usage(provider, &body).unwrap().1, 0);
    }
}

#[tokio::test]
async fn answers_that_end_early() {
    let filtered = ["content_filter", "refusal", "SAFETY"];
    for ((provider, refused), cut) in
        PROVIDERS.into_iter().zip(filtered).zip(["length", "max_tokens", "MAX_TOKENS"])
    {
        let (text, finish, body) = spoiled(provider, Fault::ContentFilter).await;
        assert_eq!(finish, refused);
        assert!(!text.contains('{'), "{body}");
        if provider == Provider::OpenAi {
            assert!(body["choices"][0]["message"]["refusal"].is_string(), "{body}");
        }
        let (text, finish, _) = spoiled(provider, Fault::Length).await;
        assert!(
            text.starts_with("{\"reasoning\"") && serde_json::from_str::<Value>(&text).is_err()
        );
        assert_eq!(finish, cut);
    }
}

#[tokio::test]
async fn no_usage() {
    let sim = shop_with(FaultPlan::none().always(Fault::NoUsage));
    for provider in PROVIDERS {
        let body = call(&sim, provider, false, HAMBURGERS).exchange().await.2;
        assert_eq!(usage(provider, &body), None, "{body}");
        assert!(content(provider, &body).starts_with("We do not have"));
        let events = call(&sim, provider, true, HAMBURGERS).events().await;
        let with_tokens =
            |data: &&String| data.contains("tokens\":") || data.contains("TokenCount");
        assert_eq!(events.iter().find(with_tokens), None, "{provider:?}");
    }
}

#[tokio::test]
async fn faults_can_be_changed_while_it_runs() {
    let sim = shop_with(FaultPlan::none());
    let call = call(&sim, Provider::Gemini, false, HAMBURGERS);
    assert_eq!(call.exchange().await.0, 200);
    sim.set_faults(FaultPlan::none().always(Fault::ServerError(500)));
    assert_eq!(call.exchange().await.0, 500);
}
