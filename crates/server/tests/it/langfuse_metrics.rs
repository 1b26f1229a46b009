//! Langfuse's metrics: the same numbers as the query API's statistics, and refusals that say what there is.

use crate::stage::{Stage, call, failed, int, span, text};
use serde_json::{Value, json};

const FROM: &str = "2026-01-01T00:00:00Z";

async fn ask(stage: &Stage, path: &str, query: &Value) -> (u16, Value) {
    let request = stage.client.get(stage.url(path)).bearer_auth(&stage.running.token);
    let response = request.query(&[("query", query.to_string())]).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Asks with the times that all of them have.
async fn data(stage: &Stage, mut query: Value) -> Value {
    query["fromTimestamp"] = FROM.into();
    query["toTimestamp"] = "2026-01-01T06:00:00Z".into();
    let (status, mut answer) = ask(stage, "/api/public/v2/metrics", &query).await;
    assert_eq!(status, 200, "{answer}");
    answer["data"].take()
}

fn metric(measure: &str, aggregation: &str) -> Value {
    json!({"measure": measure, "aggregation": aggregation})
}

/// Three traces of two users, two hours apart, with five calls of which one failed.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    const HOUR: u64 = 3_600_000;
    let mut spans = Vec::new();
    for (trace, at, calls) in [(1, 0, 2), (2, HOUR, 2), (3, 2 * HOUR, 1)] {
        let mut root = span(trace, 1, 0, if trace == 3 { "refund" } else { "order" }, at, at + 900);
        let user = if trace == 2 { "bob" } else { "ann" };
        root.attributes =
            vec![text("user.id", user), text("langfuse.trace.metadata.shop", "seven")];
        spans.push(root);
        for number in 1..=calls {
            let (from, to) = (at + 100, at + 100 + 100 * u64::from(number) * u64::from(trace));
            spans.push(call(trace, 1 + number, 1, from, to));
        }
    }
    *spans.last_mut().unwrap() = failed(spans.last().unwrap().clone(), "broke");
    assert!(stage.send(spans).await.status().is_success());
    for (id, trace, name, value) in [
        ("1", 1, "taste", json!(0.5)),
        ("2", 2, "taste", json!(1)),
        ("3", 2, "verdict", json!("sweet")),
    ] {
        let score = json!({"id": id, "name": name, "value": value, "traceId": format!("{trace:02}").repeat(16),
            "observationId": "02".repeat(8)});
        let event = json!({"id": id, "type": "score-create", "timestamp": "2026-01-01T01:00:00Z", "body": score});
        let batch = stage.client.post(stage.url("/api/public/ingestion"));
        assert_eq!(batch.json(&json!({"batch": [event]})).send().await.unwrap().status(), 207);
    }
    stage
}

/// Dollars, as far as they are counted.
fn near(left: &Value, right: f64) -> bool {
    (left.as_f64().unwrap() - right).abs() < 1e-12
}

#[tokio::test]
async fn numbers_are_those_of_the_statistics() {
    let stage = stage().await;
    let window = "from_us=1767225600000000&to_us=1767247200000000&bucket_us=3600000000";
    let calls = [("type", "any of", json!(["GENERATION"]))];
    let filters: Vec<_> = calls
        .iter()
        .map(|(column, operator, value)| {
            json!({"column": column, "operator": operator, "value": value, "type": "stringOptions"})
        })
        .collect();
    let measures = json!([
        metric("count", "count"),
        metric("latency", "p50"),
        metric("latency", "p95"),
        metric("latency", "p99"),
        metric("inputTokens", "sum"),
        metric("outputTokens", "sum"),
        metric("totalTokens", "sum"),
        metric("totalCost", "sum"),
    ]);
    for (view, group, filters) in
        [("observations", "model", json!(filters)), ("traces", "name", json!([]))]
    {
        let field = if view == "traces" { "name" } else { "providedModelName" };
        let measures = match view {
            "traces" => json!(
                measures
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|one| {
                        !matches!(one["measure"].as_str().unwrap(), "inputTokens" | "outputTokens")
                    })
                    .collect::<Vec<_>>()
            ),
            _ => measures.clone(),
        };
        let stats = stage.get(&format!("/api/v1/stats?{window}&group={group}")).await;
        let rows = data(
            &stage,
            json!({"view": view, "dimensions": [{"field": field}], "metrics": measures,
            "filters": filters, "timeDimension": {"granularity": "hour"}}),
        )
        .await;
        let mut seen = 0;
        for group in stats["groups"].as_array().unwrap() {
            for point in group["points"].as_array().unwrap() {
                let at = point["at_us"].as_i64().unwrap();
                let is_of = |row: &&Value| {
                    row[field] == group["key"]
                        && row["time_dimension"] == glassbox_server::langfuse::instant(at)
                };
                let row = rows.as_array().unwrap().iter().find(is_of).unwrap();
                assert_eq!(row["count_count"], point["count"], "{view}");
                for part in ["p50", "p95", "p99"] {
                    let millis = point[format!("{part}_us")].as_f64().unwrap() / 1e3;
                    assert!(near(&row[format!("{part}_latency")], millis), "{view} {part}: {row}");
                }
                let tokens = |names: &[&str]| -> u64 {
                    names.iter().filter_map(|name| point["tokens"][*name].as_u64()).sum()
                };
                assert_eq!(row["sum_totalTokens"], tokens(&["total"]), "{view}");
                if view == "observations" {
                    assert_eq!(
                        row["sum_inputTokens"],
                        tokens(&["input", "cache_read", "cache_write"])
                    );
                    assert_eq!(row["sum_outputTokens"], tokens(&["output", "reasoning"]));
                }
                let cost: f64 = point["cost_usd"].as_str().unwrap().parse().unwrap();
                assert!(near(&row["sum_totalCost"], cost), "{view}: {row}");
                seen += 1;
            }
        }
        assert_eq!((seen, rows.as_array().unwrap().len()), (3, 3), "{view}");
    }
}

#[tokio::test]
async fn facts_filters_orders_and_limits() {
    let stage = stage().await;
    let count = || json!([metric("count", "count")]);
    let cases = [
        (
            json!({"view": "traces", "dimensions": [{"field": "userId"}], "metrics": count()}),
            json!([{"userId": "ann", "count_count": 2}, {"userId": "bob", "count_count": 1}]),
        ),
        (
            json!({"view": "observations", "dimensions": [{"field": "level"}], "metrics": [metric("latency", "max")],
            "orderBy": [{"field": "max_latency", "direction": "asc"}]}),
            json!([{"level": "ERROR", "max_latency": 300}, {"level": "DEFAULT", "max_latency": 900}]),
        ),
        (
            json!({"view": "observations", "metrics": [metric("latency", "avg"), metric("latency", "min"), metric("countScores", "sum")],
            "filters": [{"column": "isRootObservation", "operator": "=", "value": false, "type": "boolean"}]}),
            json!([{"avg_latency": 240, "min_latency": 100, "sum_countScores": 3}]),
        ),
        (
            json!({"view": "observations", "metrics": count(), "dimensions": [{"field": "type"}], "config": {"row_limit": 1}}),
            json!([{"type": "GENERATION", "count_count": 5}]),
        ),
        (
            json!({"view": "traces", "metrics": [metric("latency", "histogram")], "config": {"bins": 2}}),
            json!([{"histogram_latency": [[900.0, 900.0, 3]]}]),
        ),
        (
            json!({"view": "traces", "metrics": count(), "filters": [
            {"column": "metadata", "key": "shop", "operator": "starts with", "value": "sev", "type": "stringObject"}]}),
            json!([{"count_count": 3}]),
        ),
        (
            json!({"view": "traces", "metrics": count(), "filters": [
            {"column": "environment", "operator": "=", "value": "default", "type": "string"},
            {"column": "name", "operator": "any of", "value": ["refund"], "type": "stringOptions"}]}),
            json!([{"count_count": 1}]),
        ),
        (
            json!({"view": "traces", "metrics": [metric("count", "count"), metric("latency", "p50")], "filters": [
            {"column": "name", "operator": "=", "value": "none", "type": "string"}]}),
            json!([{"count_count": 0, "p50_latency": null}]),
        ),
        (
            json!({"view": "scores-numeric", "dimensions": [{"field": "name"}, {"field": "observationModelName"}],
            "metrics": [metric("value", "avg"), metric("count", "count")]}),
            json!([{"name": "taste", "observationModelName": "gpt-4o-mini", "avg_value": 0.75, "count_count": 2}]),
        ),
        (
            json!({"view": "scores-numeric", "metrics": count(), "filters": [
            {"column": "value", "operator": ">", "value": 0.5, "type": "number"},
            {"column": "userId", "operator": "=", "value": "bob", "type": "string"}]}),
            json!([{"count_count": 1}]),
        ),
        (
            json!({"view": "scores-categorical", "dimensions": [{"field": "stringValue"}, {"field": "traceName"}], "metrics": count()}),
            json!([{"stringValue": "sweet", "traceName": "order", "count_count": 1}]),
        ),
        (
            json!({"view": "traces", "metrics": count(), "timeDimension": {"granularity": "week"}}),
            json!([{"time_dimension": "2025-12-29T00:00:00.000Z", "count_count": 3}]),
        ),
        (
            json!({"view": "traces", "metrics": count(), "timeDimension": {"granularity": "month"}}),
            json!([{"time_dimension": "2026-01-01T00:00:00.000Z", "count_count": 3}]),
        ),
    ];
    for (query, expected) in cases {
        let found = data(&stage, query.clone()).await;
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_not_known_is_refused_with_what_is() {
    let stage = stage().await;
    let good = json!({"view": "observations", "metrics": [metric("count", "count")], "fromTimestamp": FROM,
        "toTimestamp": "2026-02-01T00:00:00Z"});
    for path in ["/api/public/metrics", "/api/public/v2/metrics"] {
        assert_eq!(ask(&stage, path, &good).await.0, 200);
    }
    let cases = [
        ("view", json!("models"), "type one of traces, observations"),
        ("metrics", json!([]), "ask for one at least"),
        ("metrics", json!([metric("inputCost", "sum")]), "type one of count, latency"),
        ("metrics", json!([metric("count", "median")]), "aggregation is one of sum"),
        ("dimensions", json!([{"field": "promptName"}]), "type one of name, type"),
        (
            "filters",
            json!([{"column": "input", "operator": "=", "value": "v"}]),
            "type one of id, type",
        ),
        ("timeDimension", json!({"granularity": "year"}), "auto, minute"),
        ("fromTimestamp", json!("yesterday"), "2026-01-01T00:00:00Z"),
        ("fromTimestamp", json!("2026-03-01T00:00:00Z"), "before toTimestamp"),
        ("orderBy", json!([{"field": "name", "direction": "asc"}]), "type one of count_count"),
        ("config", json!({"row_limit": 0}), "from 1 to 1000"),
        ("config", json!({"row_limit": 1001}), "from 1 to 1000"),
        ("config", json!({"row_limit": -1}), "query cannot be read"),
        ("limit", json!(5), "unknown field `limit`"),
    ];
    for (field, value, told) in cases {
        let mut query = good.clone();
        query[field] = value;
        let (status, answer) = ask(&stage, "/api/public/v2/metrics", &query).await;
        let message = answer["message"].as_str().unwrap();
        assert!(status == 400 && message.contains(told), "{query}: {status} {answer}");
        assert_eq!(answer["error"], "bad_request");
    }
    let request =
        stage.client.get(stage.url("/api/public/metrics")).bearer_auth(&stage.running.token);
    assert_eq!(request.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn more_groups_than_are_held_are_refused() {
    let stage = Stage::new().await;
    let spans = |from: u64| (from..from + 5001).map(|at| span(1, 1, 0, "t", at, at));
    for from in [0, 5001] {
        let spans = spans(from).enumerate().map(|(at, mut span)| {
            span.span_id = (from + at as u64 + 1).to_be_bytes().to_vec();
            span
        });
        assert!(stage.send(spans.collect()).await.status().is_success());
    }
    let query = json!({"view": "observations", "dimensions": [{"field": "id"}], "metrics": [metric("count", "count")],
        "fromTimestamp": FROM, "toTimestamp": "2026-02-01T00:00:00Z"});
    let (status, answer) = ask(&stage, "/api/public/metrics", &query).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("more than 10000 groups"));
}

#[tokio::test]
async fn traces_are_filtered_by_their_metadata() {
    let stage = stage().await;
    let total = async |filter: Value| {
        let request = stage.client.get(stage.url("/api/public/traces"));
        let request = request.bearer_auth(&stage.running.token);
        let response = request.query(&[("filter", filter.to_string())]).send().await.unwrap();
        let status = response.status().as_u16();
        let answer: Value = response.json().await.unwrap();
        (status, answer["meta"]["totalItems"].clone(), answer["message"].clone())
    };
    let metadata = |key: &str, operator: &str, value: &str| json!([{"type": "stringObject", "column": "metadata", "key": key, "operator": operator, "value": value}]);
    for (operator, value, count) in [
        ("=", "seven", 3),
        ("=", "eight", 0),
        ("contains", "eve", 3),
        ("does not contain", "eve", 0),
        ("ends with", "ven", 3),
    ] {
        let (status, found, _) = total(metadata("shop", operator, value)).await;
        assert_eq!((status, found), (200, json!(count)), "{operator} {value}");
    }
    assert_eq!(total(metadata("other", "=", "seven")).await.1, json!(0));
    let (status, _, message) =
        total(json!([{"column": "metadata", "operator": "=", "value": "v"}])).await;
    assert!(status == 400 && message.as_str().unwrap().contains("without a key"), "{message}");
    let (status, _, message) =
        total(json!([{"column": "input", "operator": "contains", "value": "v"}])).await;
    assert!(
        status == 400 && message.as_str().unwrap().contains("metadata with a key"),
        "{message}"
    );
    let both = json!([{"column": "name", "operator": "=", "value": "order"},
        {"column": "timestamp", "operator": ">=", "value": "2026-01-01T01:00:00Z"}]);
    assert_eq!(total(both).await.1, json!(1));
}

#[tokio::test]
async fn observations_are_filtered_by_their_own_metadata_and_that_of_their_trace() {
    let stage = Stage::new().await;
    let mut root = span(1, 1, 0, "root", 0, 900);
    root.attributes = vec![
        text("langfuse.trace.metadata.shop", "seven"),
        text("langfuse.observation.metadata.step", "first"),
    ];
    let mut child = span(1, 2, 1, "child", 100, 200);
    child.attributes = vec![
        int("langfuse.observation.metadata.step", 2),
        text("langfuse.observation.metadata.shop", "eight"),
    ];
    assert!(
        stage.send(vec![root, child, span(2, 1, 0, "other", 0, 1)]).await.status().is_success()
    );
    for path in ["/api/public/observations", "/api/public/v2/observations"] {
        for (key, operator, value, expected) in [
            ("shop", "=", "seven", vec!["root"]),
            ("shop", "=", "eight", vec!["child"]),
            ("step", "=", "2", vec!["child"]),
            ("step", "contains", "irs", vec!["root"]),
            ("step", "none of", "first", vec!["child", "other"]),
            ("none", "=", "2", vec![]),
        ] {
            let filter = json!([{"type": "stringObject", "column": "metadata", "key": key, "operator": operator, "value": value}]);
            let request = stage.client.get(stage.url(path)).bearer_auth(&stage.running.token);
            let answer = request.query(&[("filter", filter.to_string())]).send().await.unwrap();
            let answer: Value = answer.json().await.unwrap();
            let found = answer["data"].as_array().unwrap().iter();
            let mut found: Vec<_> = found.map(|one| one["name"].as_str().unwrap()).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{path} {key} {operator} {value}");
        }
    }
}
