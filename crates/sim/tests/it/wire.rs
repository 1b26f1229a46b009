//! The shapes on the wire that clients rely on: ids, dated models, usage, events, limits, and what is recorded.

use glassbox_sim::{Provider, Sim};
use serde_json::{Value, json};

use crate::client::{HAMBURGERS, PROVIDERS, call, content, finish, shop, usage};

#[tokio::test]
async fn ids_and_models_look_like_the_real_ones() {
    let sim = shop().start().unwrap();
    let mut ids = Vec::new();
    for provider in PROVIDERS {
        for _ in 0..2 {
            let (_, headers, body) = call(&sim, provider, false, HAMBURGERS).exchange().await;
            let (id, prefix, model) = match provider {
                Provider::OpenAi => (&body["id"], "chatcmpl-", &body["model"]),
                Provider::Anthropic => (&body["id"], "msg_01", &body["model"]),
                Provider::Gemini => (&body["responseId"], "", &body["modelVersion"]),
            };
            let id = id.as_str().unwrap();
            assert!(id.starts_with(prefix) && id.len() > 20, "{id}");
            ids.push(id.to_owned());
            let dated = ["gpt-4o-mini-2024-07-18", "claude-haiku-4-5-20251001", "gemini-2.5-flash"];
            assert!(dated.contains(&model.as_str().unwrap()), "{model}");
            let request_id =
                ["x-request-id", "request-id"].iter().find_map(|name| headers.get(*name));
            assert_eq!(request_id.is_some(), provider != Provider::Gemini);
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "equal requests get different ids");
}

#[tokio::test]
async fn openai_streams_end_with_usage_and_done() {
    let sim = shop().start().unwrap();
    let events = call(&sim, Provider::OpenAi, true, HAMBURGERS).events().await;
    assert_eq!(events.last().unwrap(), "[DONE]");
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(last["usage"]["total_tokens"].as_u64().unwrap() > 0);
    assert!(
        others
            .iter()
            .all(|chunk| chunk["usage"].is_null() && chunk["object"] == "chat.completion.chunk")
    );
    assert_eq!(others[0].pointer("/choices/0/delta/role").unwrap(), "assistant");
    assert_eq!(others.last().unwrap().pointer("/choices/0/finish_reason").unwrap(), "stop");

    let mut unasked = call(&sim, Provider::OpenAi, true, HAMBURGERS);
    unasked.body["stream_options"] = Value::Null;
    assert!(unasked.events().await.iter().all(|data| !data.contains("usage")));
}

#[tokio::test]
async fn anthropic_streams_name_their_events() {
    let sim = shop().start().unwrap();
    let text = call(&sim, Provider::Anthropic, true, HAMBURGERS)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let mut names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    names.dedup();
    let expected = [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn gemini_streams_events_or_an_array() {
    let sim = shop().start().unwrap();
    let mut call = call(&sim, Provider::Gemini, true, HAMBURGERS);
    let events = call.events().await;
    call.url = call.url.replace("?alt=sse", "");
    let array: Vec<Value> =
        serde_json::from_str(&call.send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(array.len(), events.len());
    assert_eq!(finish(Provider::Gemini, array.last().unwrap()), "STOP");
    assert!(
        array.iter().all(|chunk| chunk["usageMetadata"]["promptTokenCount"].as_u64().unwrap() > 0)
    );
}

#[tokio::test]
async fn answers_are_cut_at_the_token_limit() {
    let sim = shop().start().unwrap();
    for provider in PROVIDERS {
        let mut call = call(&sim, provider, false, HAMBURGERS);
        match provider {
            Provider::OpenAi => call.body["max_completion_tokens"] = json!(10),
            Provider::Anthropic => call.body["max_tokens"] = json!(10),
            Provider::Gemini => call.body["generationConfig"] = json!({"maxOutputTokens": 10}),
        }
        let (_, _, body) = call.exchange().await;
        let expected = ["length", "max_tokens", "MAX_TOKENS"]
            [PROVIDERS.iter().position(|one| *one == provider).unwrap()];
        assert_eq!(finish(provider, &body), expected);
        assert_eq!(usage(provider, &body).unwrap().1, 10);
        assert!(content(provider, &body).len() <= 40);
    }
    let mut call = call(&sim, Provider::OpenAi, false, HAMBURGERS);
    call.body["max_tokens"] = json!(5);
    assert_eq!(finish(Provider::OpenAi, &call.exchange().await.2), "length");
}

#[tokio::test]
async fn usage_is_never_more_than_bytes() {
    let sim = shop().start().unwrap();
    for provider in PROVIDERS {
        for message in ["", "a", "ä", "How are you?", &"日本語".repeat(300)] {
            let call = call(&sim, provider, false, message);
            let (_, _, body) = call.exchange().await;
            let (input, output) = usage(provider, &body).unwrap();
            assert!(input as usize <= message.len(), "{provider:?} {message}: {input}");
            assert!(
                output as usize <= content(provider, &body).len(),
                "{provider:?} {message}: {output}"
            );
            assert_eq!(sim.requests().last().unwrap().tokens, Some((input, output)));
        }
    }
}

#[tokio::test]
async fn a_long_prefix_is_cached_the_second_time() {
    let sim = shop().start().unwrap();
    let long = "a long preamble that stays the same. ".repeat(200);
    let cached = |body: &Value| {
        let places = [
            "/usage/prompt_tokens_details/cached_tokens",
            "/usage/cache_read_input_tokens",
            "/usageMetadata/cachedContentTokenCount",
        ];
        places.iter().find_map(|place| body.pointer(place)?.as_u64()).unwrap_or(0)
    };
    for provider in PROVIDERS {
        let mut bodies = Vec::new();
        for question in ["one", "two"] {
            bodies
                .push(call(&sim, provider, false, &format!("{long}{question}")).exchange().await.2);
        }
        assert_eq!(cached(&bodies[0]), 0, "{provider:?}");
        let read = cached(&bodies[1]);
        assert!(read >= 1024, "{provider:?}: {read}");
        let input = usage(provider, &bodies[1]).unwrap().0;
        assert_eq!(
            input,
            (long.len() as u64 + 3).div_ceil(4),
            "{provider:?}: the cached part counts"
        );
    }
    let mut marked = call(&sim, Provider::Anthropic, false, "hello");
    let block = json!({"type": "text", "text": "another preamble ".repeat(400), "cache_control": {"type": "ephemeral"}});
    marked.body["system"] = json!([block]);
    let body = marked.exchange().await.2;
    assert!(body["usage"]["cache_creation_input_tokens"].as_u64().unwrap() >= 1024, "{body}");
}

#[tokio::test]
async fn requests_are_recorded_without_their_keys() {
    let sim = shop().keep_requests(2).start().unwrap();
    for provider in PROVIDERS {
        call(&sim, provider, false, HAMBURGERS).exchange().await;
    }
    let requests = sim.requests();
    assert_eq!(
        requests.iter().map(|received| received.provider).collect::<Vec<_>>(),
        PROVIDERS[1..]
    );
    let received = &requests[0];
    assert_eq!(
        (received.path.as_str(), received.model.as_str()),
        ("/v1/messages", "claude-haiku-4-5")
    );
    assert_eq!((received.status, &received.fault, received.attempt), (Some(200), &None, 1));
    assert_eq!(received.json()["messages"][0]["content"], HAMBURGERS);
    assert_eq!(received.header("x-api-key"), Some("[masked]"));
    assert_eq!(received.header("anthropic-version"), Some("2023-06-01"));

    let counters = sim.counters();
    assert_eq!(
        (counters.calls, counters.succeeded, counters.refused, counters.in_flight),
        (3, 3, 0, 0)
    );
    assert_eq!(counters.most_in_flight, 1);
    sim.clear();
    assert!(sim.requests().is_empty());
    assert_eq!(sim.counters().calls, 0);
}

#[tokio::test]
async fn it_stops_when_dropped_and_a_used_address_is_told() {
    let sim = shop().start().unwrap();
    let taken = shop().address(sim.address()).start().unwrap_err();
    assert!(taken.to_string().contains(&format!("cannot listen on {}", sim.address())), "{taken}");
    let again = call(&sim, Provider::OpenAi, false, HAMBURGERS);
    let address = sim.address();
    drop(sim);
    assert!(again.send().await.unwrap_err().is_connect());
    let _second: Sim = shop().address(address).start().unwrap();
    assert_eq!(again.exchange().await.0, 200);
    assert!(shop().speed(-1.0).start().unwrap_err().to_string().contains("speed -1"));
}
