//! Langfuse's read API: every field that its Python client's models need, with what was sent.

use crate::stage::{Stage, call, failed, span, text};
use glassbox_server::http::Keys;
use serde_json::{Value, json};

const TRACE: &str = "01010101010101010101010101010101";

pub(crate) async fn stage() -> Stage {
    let stage = Stage::new().await;
    let mut root = span(1, 1, 0, "CoffeeShopAgent.forward", 0, 100);
    root.attributes = vec![
        text("session.id", "s-1"),
        text("user.id", "ada"),
        text("langfuse.trace.tags", "[\"vip\"]"),
        text("langfuse.environment", "production"),
        text("langfuse.observation.input", "An iced latte"),
        text("langfuse.observation.output", "{\"drink\":\"latte\"}"),
    ];
    let mut call = call(1, 2, 1, 10, 60);
    call.attributes.push(text("langfuse.observation.metadata.shop", "7"));
    call.attributes.push(text("langfuse.observation.model.parameters", "{\"temperature\":0.2}"));
    let spans = vec![
        root,
        call,
        failed(span(1, 3, 1, "tool", 60, 90), "no milk"),
        span(2, 1, 0, "other", 86_400_000, 86_400_005),
    ];
    assert_eq!(stage.send(spans).await.status(), 200);
    for (id, value, kind) in [
        ("n", json!(0.5), "NUMERIC"),
        ("b", json!(1), "BOOLEAN"),
        ("c", json!("bitter"), "CATEGORICAL"),
    ] {
        let score = json!({"id": id, "traceId": TRACE, "name": "taste", "value": value, "dataType": kind, "comment": "why"});
        let post = stage
            .client
            .post(stage.url("/api/public/scores"))
            .basic_auth("pk", Some(&stage.running.token));
        let response = post.json(&score).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.json::<Value>().await.unwrap(), json!({"id": id}));
    }
    stage
}

pub(crate) async fn get(stage: &Stage, path: &str) -> Value {
    let get = stage.client.get(stage.url(path)).basic_auth("pk", Some(&stage.running.token));
    let response = get.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

/// Checks that what a client's model wants is there: `name:type`, with `?` for what may be null.
pub(crate) fn has(value: &Value, fields: &str) {
    for field in fields.split_whitespace() {
        let (name, kind) = field.split_once(':').unwrap();
        let found = value.get(name).unwrap_or_else(|| panic!("{name} is missing in {value}"));
        let fits = match kind.trim_end_matches('?') {
            _ if kind.ends_with('?') && found.is_null() => true,
            "text" => found.is_string(),
            "time" => found.as_str().is_some_and(|text| text.len() == 24 && text.ends_with('Z')),
            "int" => found.is_u64(),
            "float" => found.is_number(),
            "bool" => found.is_boolean(),
            "list" => found.is_array(),
            "map" => found.is_object(),
            "any" => true,
            other => panic!("{other} is no type"),
        };
        assert!(fits, "{name} is {found}, and not {kind}");
    }
}

const OF_TRACE: &str = "id:text timestamp:time name:text? input:any output:any sessionId:text? release:text? version:text? \
     userId:text? metadata:any tags:list public:bool environment:text htmlPath:text latency:float totalCost:float \
     observations:list scores:list";
const OF_OBSERVATION: &str = "id:text traceId:text? type:text name:text? startTime:time endTime:time? completionStartTime:time? \
     model:text? modelParameters:any input:any version:text? metadata:any output:any usage:map level:text statusMessage:text? \
     parentObservationId:text? promptId:text? usageDetails:map costDetails:map environment:text promptName:text? \
     promptVersion:int? modelId:text? inputPrice:float? outputPrice:float? totalPrice:float? calculatedInputCost:float? \
     calculatedOutputCost:float? calculatedTotalCost:float? latency:float? timeToFirstToken:float?";
const OF_SCORE: &str = "id:text traceId:text? sessionId:text? observationId:text? datasetRunId:text? name:text source:text \
     timestamp:time createdAt:time updatedAt:time authorUserId:text? comment:text? metadata:any configId:text? \
     queueId:text? environment:text value:float dataType:text";
const OF_META: &str = "page:int limit:int totalItems:int totalPages:int";

#[tokio::test]
async fn traces_have_all_that_clients_want() {
    let stage = stage().await;
    let list = get(&stage, "/api/public/traces?limit=1&page=2").await;
    has(&list["meta"], OF_META);
    assert_eq!(list["meta"], json!({"page": 2, "limit": 1, "totalItems": 2, "totalPages": 2}));
    let trace = &list["data"][0];
    has(trace, OF_TRACE);
    assert_eq!(
        (&trace["id"], &trace["input"], &trace["output"]),
        (&json!(TRACE), &json!("An iced latte"), &json!({"drink": "latte"}))
    );
    assert_eq!(
        (&trace["environment"], &trace["tags"], &trace["latency"]),
        (&json!("production"), &json!(["vip"]), &json!(0.1))
    );
    assert_eq!(trace["scores"], json!(["c", "b", "n"]));

    let trace = get(&stage, &format!("/api/public/traces/{TRACE}")).await;
    has(&trace, OF_TRACE);
    let observations = trace["observations"].as_array().unwrap();
    assert_eq!(observations.len(), 3);
    observations.iter().for_each(|observation| has(observation, OF_OBSERVATION));
    trace["scores"].as_array().unwrap().iter().for_each(|score| has(score, OF_SCORE));

    for (asked, found) in [
        ("userId=ada", 1),
        ("sessionId=s-1&tags=vip", 1),
        ("tags=vip&tags=none", 0),
        ("name=other", 1),
        ("fromTimestamp=2026-01-02T00:00:00Z", 1),
        ("toTimestamp=2026-01-02T00:00:00%2B00:00", 1),
        ("environment=production", 1),
    ] {
        let list = get(&stage, &format!("/api/public/traces?{asked}")).await;
        assert_eq!(list["data"].as_array().unwrap().len(), found, "{asked}");
        assert_eq!(list["meta"]["totalItems"], found, "{asked}");
    }
    let first = get(&stage, "/api/public/traces?orderBy=timestamp.asc&limit=1").await;
    assert_eq!(first["data"][0]["id"], TRACE);
}

#[tokio::test]
async fn observations_have_all_that_clients_want() {
    let stage = stage().await;
    let observation = get(&stage, "/api/public/observations/0202020202020202").await;
    has(&observation, OF_OBSERVATION);
    has(
        &observation["usage"],
        "input:int output:int total:int unit:text? inputCost:float? outputCost:float? totalCost:float?",
    );
    assert_eq!(observation["type"], "GENERATION");
    assert_eq!(observation["traceName"], "CoffeeShopAgent.forward");
    assert_eq!(
        observation["usageDetails"],
        json!({"input": 200, "input_cached_tokens": 1000, "output": 100, "total": 1300})
    );
    assert_eq!(observation["costDetails"], json!({"total": 0.000_165}));
    assert_eq!(
        (&observation["metadata"]["shop"], &observation["modelParameters"]),
        (&json!("7"), &json!({"temperature": 0.2}))
    );
    assert_eq!(
        (&observation["latency"], &observation["startTime"]),
        (&json!(0.05), &json!("2026-01-01T00:00:00.010Z"))
    );
    assert_eq!(observation["input"][0]["role"], "user");

    let list =
        get(&stage, &format!("/api/public/observations?traceId={TRACE}&type=GENERATION")).await;
    assert_eq!((&list["meta"]["totalItems"], &list["data"][0]), (&json!(1), &observation));
    let failed = get(&stage, "/api/public/observations?level=ERROR").await;
    assert_eq!(
        (&failed["data"][0]["statusMessage"], &failed["data"][0]["level"]),
        (&json!("no milk"), &json!("ERROR"))
    );

    let part = get(&stage, "/api/public/v2/observations?limit=3&fields=basic,io,usage").await;
    let cursor = part["meta"]["cursor"].as_str().unwrap();
    let rest = get(&stage, &format!("/api/public/v2/observations?limit=3&cursor={cursor}")).await;
    assert_eq!(
        (rest["data"].as_array().unwrap().len(), &rest["meta"]["cursor"]),
        (1, &Value::Null)
    );
    let generation = part["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|found| found["type"] == "GENERATION")
        .unwrap();
    has(
        generation,
        "id:text traceId:text startTime:time endTime:time projectId:text level:text input:text usageDetails:map",
    );
    assert_eq!(generation.get("model"), None);
    assert_eq!(rest["data"][0].get("input"), None);
    let parsed =
        get(&stage, "/api/public/v2/observations?fields=io&parseIoAsJson=true&type=GENERATION")
            .await;
    assert!(parsed["data"][0]["input"].is_array());
}

#[tokio::test]
async fn sessions_scores_and_days_have_all_that_clients_want() {
    let stage = stage().await;
    let sessions = get(&stage, "/api/public/sessions").await;
    has(&sessions["data"][0], "id:text createdAt:time projectId:text environment:text");
    let session = get(&stage, "/api/public/sessions/s-1").await;
    assert_eq!(session["traces"][0]["id"], TRACE);

    for path in ["/api/public/scores", "/api/public/v2/scores"] {
        let scores = get(&stage, &format!("{path}?traceId={TRACE}")).await;
        scores["data"].as_array().unwrap().iter().for_each(|score| has(score, OF_SCORE));
        let said: Vec<_> = scores["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|score| {
                format!(
                    "{} {} {} {}",
                    score["dataType"],
                    score["value"],
                    score["stringValue"],
                    score["trace"]["userId"]
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                "\"CATEGORICAL\" 0 \"bitter\" \"ada\"",
                "\"BOOLEAN\" 1 \"True\" \"ada\"",
                "\"NUMERIC\" 0.5 null \"ada\""
            ]
        );
        assert_eq!(get(&stage, &format!("{path}/n")).await["value"], 0.5);
    }
    let projects = get(&stage, "/api/public/projects").await;
    has(&projects["data"][0], "id:text name:text metadata:map organization:map");
    has(&get(&stage, "/api/public/health").await, "status:text version:text");

    let days = get(&stage, "/api/public/metrics/daily").await;
    assert_eq!(days["meta"]["totalItems"], 2);
    assert_eq!(
        days["data"][1],
        json!({
            "date": "2026-01-01", "countTraces": 1, "countObservations": 3, "totalCost": 0.000_165,
            "usage": [{"model": "gpt-4o-mini", "inputUsage": 1200, "outputUsage": 100, "totalUsage": 1300, "totalCost": 0.000_165,
                "countObservations": 1, "countTraces": 1}],
        })
    );
}

#[tokio::test]
async fn what_cannot_be_answered_is_told_as_langfuse_does() {
    let keys = Keys { public: "pk-1".to_owned(), secret: "sk-1".to_owned() };
    let stage = Stage::with(|options| options.keys = vec![keys]).await;
    let get = |path: &str, secret: &str| {
        stage.client.get(stage.url(path)).basic_auth("pk-1", Some(secret.to_owned())).send()
    };
    assert_eq!(get("/api/public/projects", "sk-1").await.unwrap().status(), 200);
    assert_eq!(get("/api/public/projects", "wrong").await.unwrap().status(), 401);
    for (path, status, error) in [
        ("/api/public/traces/none", 404, "LangfuseNotFoundError"),
        ("/api/public/observations/none", 404, "LangfuseNotFoundError"),
        ("/api/public/sessions/none", 404, "LangfuseNotFoundError"),
        ("/api/public/scores/none", 404, "LangfuseNotFoundError"),
        ("/api/public/traces?page=0", 400, "bad_request"),
        ("/api/public/sessions?filter=[]", 400, "bad_request"),
        ("/api/public/traces?fromTimestamp=yesterday", 400, "bad_request"),
        ("/api/public/v2/observations?cursor=x", 400, "bad_cursor"),
    ] {
        let response = get(path, "sk-1").await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"], error, "{path}");
        assert!(body["message"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn a_list_of_scores_is_taken_score_by_score() {
    let stage = stage().await;
    let (client, url, token) =
        (&stage.client, stage.url("/api/public/scores"), &stage.running.token);
    let post = |list: Value| {
        let post = client.post(&url).basic_auth("pk", Some(token)).json(&list);
        async move {
            let response = post.send().await.unwrap();
            (response.status().as_u16(), response.json::<Value>().await.unwrap())
        }
    };
    let score = |name: &str| json!({"traceId": TRACE, "name": name, "value": 1});
    assert_eq!(post(json!([score("x"), score("y")])).await, (202, json!({"message": "Accepted"})));
    let (status, answer) = post(json!([score("z"), {"name": "z"}, 7])).await;
    assert_eq!((status, &answer["accepted"], &answer["rejected"]), (207, &json!(1), &json!(2)));
    assert_eq!(answer["errors"][0]["message"], "score 1: body.traceId: expected a text");
    for name in ["x", "y", "z"] {
        let found = get(&stage, &format!("/api/public/scores?name={name}")).await;
        assert_eq!(found["data"].as_array().unwrap().len(), 1, "{name}");
    }
    assert_eq!(post(json!("x")).await.0, 400);
}
