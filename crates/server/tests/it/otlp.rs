//! Spans over OTLP, and what the API tells of them.

use crate::stage::{Stage, call, failed, span};
use serde_json::json;

#[tokio::test]
async fn what_was_sent_is_what_the_api_returns() {
    let stage = Stage::new().await;
    let spans = vec![
        span(1, 1, 0, "CoffeeShop", 0, 100),
        call(1, 2, 1, 10, 60),
        failed(span(1, 3, 9, "lost", 20, 30), "no such cup"),
    ];
    let response = stage.send(spans).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.bytes().await.unwrap().len(), 0);

    let list = stage.get("/api/v1/traces").await;
    let trace = &list["items"][0];
    assert_eq!(trace["name"], "CoffeeShop");
    assert_eq!(
        (&trace["spans"], &trace["errors"], &trace["model_calls"], &trace["state"]),
        (&json!(3), &json!(1), &json!(1), &json!("done"))
    );
    let tokens = json!({"input": 200, "cache_read": 1000, "cache_write": null, "output": 100, "reasoning": null, "total": 1300});
    assert_eq!(trace["tokens"], tokens);
    assert_eq!(trace["cost_usd"], "0.000165");
    assert_eq!(trace["models"], json!(["gpt-4o-mini"]));
    assert_eq!(
        (&trace["service"], &trace["duration_us"]),
        (&json!("coffee-shop"), &json!(100_000))
    );

    let id = "01".repeat(16);
    let view = stage.get(&format!("/api/v1/traces/{id}")).await;
    assert_eq!(view["spans"].as_array().unwrap().len(), 3);
    assert_eq!(
        view["spans"][2]["odd"],
        json!(["orphan: its parent 0909090909090909 never arrived"])
    );
    assert_eq!(view["spans"][2]["error"], json!({"type": "_OTHER", "message": "no such cup"}));

    let span = stage.get(&format!("/api/v1/traces/{id}/spans/{}", "02".repeat(8))).await;
    assert_eq!(span["kind"], "generation");
    assert_eq!(
        span["messages"],
        json!([{"role": "user", "parts": [{"type": "text", "text": "An iced latte\nplease"}]}])
    );
    assert_eq!(span["reply"]["parts"], json!([{"type": "text", "text": "With oat milk?"}]));
    assert_eq!(span["attributes"]["gen_ai.usage.input_tokens"], 1200);

    let _ = stage.running.store.settle().await.unwrap();
    for (filter, found) in [
        ("latte iced", 1),
        ("espresso", 0),
        ("model:gpt-4o*", 1),
        ("-model:gpt-4o*", 0),
        ("kind:generation status:done has:error", 1),
        ("cost:>1", 0),
        ("duration:50ms..1s tokens:1300", 1),
        ("error:*cup*", 1),
    ] {
        let list = stage.client.get(stage.url("/api/v1/traces")).query(&[("q", filter)]);
        let list: serde_json::Value =
            list.bearer_auth(&stage.running.token).send().await.unwrap().json().await.unwrap();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(found), "{filter}: {list}");
    }
    stage.running.stop().await;
}
