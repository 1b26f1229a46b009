//! Langfuse's own batches, event by event.

use crate::stage::Stage;
use serde_json::json;

#[tokio::test]
async fn observations_are_put_together_from_their_events() {
    let stage = Stage::new().await;
    let trace = "d2f3e1c4-aaaa-4bbb-8ccc-0123456789ab";
    let event = |id: &str, second: u8, kind: &str, body: serde_json::Value| json!({"id": id, "timestamp": format!("2026-01-01T00:00:0{second}.000Z"), "type": kind, "body": body});
    let body = json!({"batch": [
        event("1", 3, "generation-update", json!({
            "id": "g", "traceId": trace, "endTime": "2026-01-01T00:00:03Z", "completionStartTime": "2026-01-01T00:00:02Z",
            "output": {"role": "assistant", "content": "With oat milk?"},
            "usage": {"promptTokens": 200, "completionTokens": 100},
        })),
        event("2", 1, "trace-create", json!({"id": trace, "name": "order", "userId": "ada", "tags": ["vip"], "input": "An iced latte"})),
        event("3", 1, "generation-create", json!({
            "id": "g", "traceId": trace, "name": "ask", "startTime": "2026-01-01T00:00:01Z", "model": "gpt-4o-mini",
            "modelParameters": {"temperature": 0.2}, "input": [{"role": "user", "content": "An iced latte"}],
            "metadata": {"shop": 7},
        })),
        event("4", 4, "trace-create", json!({"id": trace, "output": "With oat milk?"})),
        event("5", 4, "score-create", json!({"traceId": trace, "name": "taste", "value": 1})),
        event("6", 4, "nonsense", json!({})),
        event("7", 4, "sdk-log", json!({})),
    ]});
    let url = stage.url("/api/public/ingestion");
    let response =
        stage.client.post(url).basic_auth("pk", Some("sk")).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 207);
    let answer: serde_json::Value = response.json().await.unwrap();
    assert_eq!(answer["successes"].as_array().unwrap().len(), 6);
    assert_eq!(
        (&answer["errors"][0]["id"], &answer["errors"][0]["status"]),
        (&json!("6"), &json!(400))
    );

    let list = stage.get("/api/v1/traces").await;
    let found = &list["items"][0];
    assert_eq!(found["trace_id"], trace.replace('-', ""));
    assert_eq!(
        (&found["name"], &found["user_id"], &found["tags"]),
        (&json!("order"), &json!("ada"), &json!(["vip"]))
    );
    assert_eq!(
        (&found["spans"], &found["model_calls"], &found["cost_usd"]),
        (&json!(1), &json!(1), &json!("0.00009"))
    );
    assert_eq!(
        (&found["input_preview"], &found["output_preview"]),
        (&json!("An iced latte"), &json!("With oat milk?"))
    );

    let view = stage.get(&format!("/api/v1/traces/{}", trace.replace('-', ""))).await;
    let span = &view["spans"][0];
    assert_eq!(
        (&span["name"], &span["kind"], &span["state"]),
        (&json!("ask"), &json!("generation"), &json!("done"))
    );
    assert_eq!(
        (&span["duration_us"], &span["phases"]["first_chunk_us"]),
        (&json!(2_000_000), &json!(1_000_000))
    );
    let path = format!(
        "/api/v1/traces/{}/spans/{}",
        trace.replace('-', ""),
        span["span_id"].as_str().unwrap()
    );
    let detail = stage.get(&path).await;
    assert_eq!(detail["parameters"], json!({"temperature": 0.2}));
    assert_eq!(detail["metadata"], json!({"shop": 7}));
    assert_eq!(
        detail["messages"],
        json!([{"role": "user", "parts": [{"type": "text", "text": "An iced latte"}]}])
    );
    assert_eq!(
        detail["reply"],
        json!({"role": "assistant", "parts": [{"type": "text", "text": "With oat milk?"}]})
    );
    stage.running.stop().await;
}
