//! The query API: what each route answers, and that its description says so.

use crate::stage::{Stage, call, failed, span, text};
use glassbox_server::filter;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const TRACE: &str = "01010101010101010101010101010101";
/// A day around the spans of [`span`].
const DAY: &str = "from_us=1767225600000000&to_us=1767312000000000";

/// A trace with a model call that failed and one that did not, a session and a score.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    let mut root = span(1, 1, 0, "CoffeeShopAgent.forward", 0, 100);
    root.attributes = vec![
        text("session.id", "s-1"),
        text("user.id", "ada"),
        text("langfuse.trace.tags", "[\"vip\"]"),
        text("input.value", "An iced latte"),
    ];
    let spans = vec![
        root,
        call(1, 2, 1, 10, 60),
        failed(call(1, 3, 1, 60, 90), "no milk"),
        span(2, 1, 0, "other", 0, 5),
    ];
    assert_eq!(stage.send(spans).await.status(), 200);
    let score = json!({"trace_id": TRACE, "name": "taste", "value": 0.5, "comment": "bitter"});
    let request = stage.client.post(stage.url("/api/v1/scores")).bearer_auth(&stage.running.token);
    assert_eq!(request.json(&score).send().await.unwrap().status(), 201);
    stage
}

#[tokio::test]
async fn lists_answer_what_was_sent() {
    let stage = stage().await;
    let names = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let spans = stage.get("/api/v1/spans?q=kind:generation%20-status:error").await;
    assert_eq!(names(&spans), ["chat gpt-4o-mini"]);
    assert_eq!(names(&stage.get("/api/v1/spans?q=event:llm.error").await), ["chat gpt-4o-mini"]);
    let part = stage.get("/api/v1/spans?limit=3").await;
    let rest = stage
        .get(&format!("/api/v1/spans?limit=3&cursor={}", part["next_cursor"].as_str().unwrap()))
        .await;
    assert_eq!(
        (names(&part).len(), names(&rest).len(), &rest["next_cursor"]),
        (3, 1, &Value::Null)
    );

    let session = &stage.get("/api/v1/sessions").await["items"][0];
    assert_eq!(
        (&session["session_id"], &session["users"], &session["traces"]),
        (&json!("s-1"), &json!(["ada"]), &json!(1))
    );
    let user = &stage.get("/api/v1/users?q=tag:vip").await["items"][0];
    assert_eq!(
        (&user["user_id"], &user["tokens"]["total"], &user["errors"]),
        (&json!("ada"), &json!(2600), &json!(1))
    );
    let tags = stage.get("/api/v1/facets?key=tag").await;
    assert_eq!(tags, json!({"items": [{"value": "vip", "count": 1}]}));
}

#[tokio::test]
async fn numbers_are_those_of_the_calls() {
    let stage = stage().await;
    let models = stage.get(&format!("/api/v1/models?{DAY}")).await;
    let model = &models["items"][0];
    assert_eq!(
        (&model["calls"], &model["errors"], &model["p50_us"]),
        (&json!(2), &json!(1), &json!(30_000))
    );
    let points = async |group: &str| {
        let path = format!("/api/v1/stats?{DAY}&bucket_us=86400000000&group={group}");
        let stats = stage.get(&path).await;
        let groups = stats["groups"].as_array().unwrap().clone();
        groups
            .iter()
            .map(|group| (group["key"].clone(), group["points"][0]["count"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(points("none").await, [(Value::Null, json!(2))]);
    assert_eq!(points("calls").await, [(Value::Null, json!(2))]);
    assert_eq!(points("model").await, [(json!("gpt-4o-mini"), json!(2))]);
    assert_eq!(points("name").await.len(), 2);
    assert!(stage.get("/api/v1/models?to_us=5").await["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_trace_tells_what_its_time_went_into() {
    let stage = stage().await;
    let answer = stage.get(&format!("/api/v1/traces/{TRACE}")).await;
    insta::assert_json_snapshot!(answer["headline"], @r#"
    {
      "wall_us": 100000,
      "work_us": 80000,
      "active_us": 80000,
      "mean_concurrency": 1.0,
      "blame": {
        "generation": 0.8,
        "own": 0.2
      },
      "critical_path": [
        "0101010101010101",
        "0202020202020202",
        "0303030303030303"
      ]
    }
    "#);
}

#[tokio::test]
async fn a_trace_tells_what_it_waited_for_at_each_moment() {
    let stage = stage().await;
    let trace = stage.get(&format!("/api/v1/traces/{TRACE}")).await;
    let path = stage.get(&format!("/api/v1/traces/{TRACE}/path")).await;
    let mut at = trace["trace"]["start_us"].as_i64().unwrap();
    for stretch in path["items"].as_array().unwrap() {
        assert_eq!(stretch["from_us"].as_i64().unwrap(), at, "no gaps: {path}");
        at = stretch["to_us"].as_i64().unwrap();
    }
    assert_eq!(at, trace["trace"]["end_us"].as_i64().unwrap());
    let ids = path["items"].as_array().unwrap().iter().map(|stretch| &stretch["span_id"]);
    let known = trace["headline"]["critical_path"].as_array().unwrap();
    assert!(ids.clone().all(|id| known.contains(id)) && ids.count() >= known.len());
    let unknown = stage.url("/api/v1/traces/00000000000000000000000000000099/path");
    let response = stage.client.get(unknown).bearer_auth(&stage.running.token).send().await;
    assert_eq!(response.unwrap().status(), 404);
}

#[tokio::test]
async fn scores_are_replaced_by_their_id_and_checked() {
    let stage = stage().await;
    let post = async |body: Value| {
        let request =
            stage.client.post(stage.url("/api/v1/scores")).bearer_auth(&stage.running.token);
        let response = request.json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let score = |value: Value| json!({"id": "a", "trace_id": TRACE, "span_id": "0202020202020202", "name": "good", "value": value});
    assert_eq!(post(score(json!(true))).await.0, 201);
    assert_eq!(post(score(json!("yes"))).await.0, 201);
    let scores = stage.get(&format!("/api/v1/scores?trace_id={TRACE}&name=good")).await;
    assert_eq!(scores["items"].as_array().unwrap().len(), 1);
    assert_eq!(scores["items"][0]["value"], "yes");
    assert_eq!(stage.get("/api/v1/scores?limit=1").await["next_cursor"], "1");
    assert_eq!(stage.get("/api/v1/traces?q=has:score").await["items"].as_array().unwrap().len(), 1);
    for (body, said) in [
        (score(json!(null)), "value has to be"),
        (score(json!("")), "value has to be a text of 1 to 1000"),
        (json!({"trace_id": "x", "name": "n", "value": 1}), "32 lowercase hex digits"),
        (json!({"name": "n"}), "missing field `trace_id`"),
        (json!({"trace_id": TRACE, "name": "n", "value": 1, "sum": 1}), "unknown field `sum`"),
    ] {
        let (status, answer) = post(body).await;
        assert_eq!(status, 400, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{message}");
    }
}

#[tokio::test]
async fn health_tells_who_sends_and_how_to_connect() {
    let stage = stage().await;
    let lines = "{\"process\":{\"id\":\"p\",\"service\":\"tea-shop\"}}\n{\"health\":{\"destination\":\"langfuse\",\"sent\":3}}\n";
    stage.client.post(stage.url("/api/v1/live")).body(lines).send().await.unwrap();
    let health = stage.get("/api/v1/health").await;
    assert_eq!(
        health["connect"],
        json!({"otlp": stage.running.otlp, "token": stage.running.token})
    );
    assert_eq!((&health["store"]["spans"], &health["ingest"]["spans"]), (&json!(4), &json!(4)));
    let senders: BTreeSet<_> = health["senders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sender| {
            format!(
                "{} {} {} {}",
                sender["service"], sender["process"], sender["spans"], sender["health"]["sent"]
            )
        })
        .collect();
    let expected = ["\"coffee-shop\" null 4 null", "\"tea-shop\" \"p\" 0 3"];
    assert_eq!(senders, expected.map(str::to_owned).into());
}

#[tokio::test]
async fn wrong_questions_are_answered_with_what_to_type() {
    let stage = stage().await;
    let mut answers = Vec::new();
    for path in [
        "/api/v1/spans?q=colour:red",
        "/api/v1/spans?limit=501",
        "/api/v1/spans?limit=many",
        "/api/v1/sessions?cursor=x",
        "/api/v1/facets?key=colour",
        "/api/v1/facets",
        "/api/v1/stats?group=colour",
        "/api/v1/stats?from_us=5&to_us=5",
        "/api/v1/stats?from_us=0&to_us=1000000000&bucket_us=1",
        "/api/v1/scores?trace_id=x",
        "/api/v1/none",
    ] {
        let response = stage
            .client
            .get(stage.url(path))
            .bearer_auth(&stage.running.token)
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let error: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"));
        answers.push(format!(
            "{path}\n  {status} {}: {}",
            error["error"]["code"].as_str().unwrap(),
            error["error"]["message"].as_str().unwrap()
        ));
    }
    insta::assert_snapshot!(answers.join("\n"), @r#"
    /api/v1/spans?q=colour:red
      400 bad_filter: there is no key "colour"; type one of name, model, provider, kind, error, session, user, tag, environment, release, version, service, trace, span, parent, tool, event, cost, tokens, duration, retries, errors, spans, start, status, has, metadata.KEY, or put the words in quotes
    /api/v1/spans?limit=501
      400 bad_request: limit cannot be 501; type a number from 1 to 500
    /api/v1/spans?limit=many
      400 bad_request: the address asks for something else: Failed to deserialize query string: limit: invalid digit found in string
    /api/v1/sessions?cursor=x
      400 bad_cursor: the cursor is not one that was handed out; leave it out to begin anew
    /api/v1/facets?key=colour
      400 bad_request: key cannot be "colour"; type one of model, name, session, user, tag, environment, service
    /api/v1/facets
      400 bad_request: the address asks for something else: Failed to deserialize query string: missing field `key`
    /api/v1/stats?group=colour
      400 bad_request: group cannot be "colour"; type one of none, name, calls, model
    /api/v1/stats?from_us=5&to_us=5
      400 bad_request: from_us, 5, has to be before to_us, 5; both are microseconds since 1970
    /api/v1/stats?from_us=0&to_us=1000000000&bucket_us=1
      400 bad_request: bucket_us, 1, makes more than 2000 buckets; type at least 500000
    /api/v1/scores?trace_id=x
      400 bad_request: expected 32 lowercase hex digits, not all zero, found "x"
    /api/v1/none
      404 not_found: there is no such route
    "#);
}

#[tokio::test]
async fn who_has_the_same_already_is_sent_nothing() {
    let stage = stage().await;
    for path in [
        "/api/v1/spans",
        "/api/v1/sessions",
        "/api/v1/scores",
        "/api/v1/openapi.json",
        &format!("/api/v1/traces/{TRACE}"),
    ] {
        let get = || stage.client.get(stage.url(path)).bearer_auth(&stage.running.token);
        let first = get().send().await.unwrap();
        let tag = first.headers()["etag"].clone();
        assert_eq!(
            get().header("if-none-match", tag).send().await.unwrap().status(),
            304,
            "{path}"
        );
    }
}

/// The description names every route that the program has, and no other.
#[tokio::test]
async fn the_description_has_every_route() {
    let stage = Stage::new().await;
    let document = stage.get("/api/v1/openapi.json").await;
    let described: BTreeSet<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let source = include_str!("../../src/http.rs");
    let served: BTreeSet<_> = source
        .split(".route(\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(described, served);
    for (path, routes) in document["paths"].as_object().unwrap() {
        for method in routes.as_object().unwrap().keys() {
            assert!(source.contains(&format!("{method}(")), "{method} {path}");
        }
    }
}

/// Real answers have no field that is not described, and every described one that has to be there.
#[tokio::test]
async fn the_description_has_every_field_of_real_answers() {
    let stage = stage().await;
    let document = stage.get("/api/v1/openapi.json").await;
    for (route, path) in [
        ("/api/v1/traces", "/api/v1/traces".to_owned()),
        ("/api/v1/traces/{trace_id}", format!("/api/v1/traces/{TRACE}")),
        (
            "/api/v1/traces/{trace_id}/spans/{span_id}",
            format!("/api/v1/traces/{TRACE}/spans/0202020202020202"),
        ),
        ("/api/v1/spans", "/api/v1/spans".to_owned()),
        ("/api/v1/sessions", "/api/v1/sessions".to_owned()),
        ("/api/v1/users", "/api/v1/users".to_owned()),
        ("/api/v1/facets", "/api/v1/facets?key=model".to_owned()),
        ("/api/v1/models", format!("/api/v1/models?{DAY}")),
        ("/api/v1/stats", format!("/api/v1/stats?{DAY}&group=model")),
        ("/api/v1/scores", "/api/v1/scores".to_owned()),
        ("/api/v1/traces/{trace_id}/path", format!("/api/v1/traces/{TRACE}/path")),
        ("/api/v1/traces/{trace_id}/records", format!("/api/v1/traces/{TRACE}/records")),
        ("/api/v1/health", "/api/v1/health".to_owned()),
    ] {
        let answer = stage.get(&path).await;
        let schema = &document["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        compare(&document, schema, &answer, route);
    }
}

fn compare(document: &Value, schema: &Value, answer: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let found = document.pointer(name.trim_start_matches('#'));
        return compare(
            document,
            found.unwrap_or_else(|| panic!("{at}: {name} is not there")),
            answer,
            at,
        );
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let meant = choices.iter().find(|choice| (choice["type"] == "null") == answer.is_null());
        return compare(document, meant.unwrap_or_else(|| panic!("{at}: {answer}")), answer, at);
    }
    has_type(schema, answer, at);
    match answer {
        Value::Array(items) => {
            items.iter().for_each(|item| compare(document, &schema["items"], item, at))
        }
        Value::Object(fields) if schema["properties"].is_object() => {
            for (name, value) in fields {
                let at = format!("{at} {name}");
                let shape = &schema["properties"][name];
                assert!(!shape.is_null(), "{at} is not described");
                assert!(
                    shape["description"].is_string() || shape["$ref"].is_string(),
                    "{at} has no words"
                );
                compare(document, shape, value, &at);
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(name.as_str().unwrap()), "{at} lacks {name}");
            }
        }
        _ => (),
    }
}

/// A value is of one of the types, or one of the words, that are described.
fn has_type(schema: &Value, answer: &Value, at: &str) {
    let of = match answer {
        Value::Null => &["null"][..],
        Value::Bool(_) => &["boolean"],
        Value::Number(number) if number.is_f64() => &["number"],
        Value::Number(_) => &["integer", "number"],
        Value::String(_) => &["string"],
        Value::Array(_) => &["array"],
        Value::Object(_) => &["object"],
    };
    let fits = |kind: &Value| of.iter().any(|of| kind == of);
    let described = match &schema["type"] {
        // Of any type.
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(fits),
        kind => fits(kind),
    };
    assert!(described, "{at}: {answer} is not {}", schema["type"]);
    let words: Vec<_> = schema["enum"].as_array().into_iter().flatten().collect();
    let words: Vec<_> =
        words.into_iter().chain(schema["const"].as_str().map(|_| &schema["const"])).collect();
    assert!(words.is_empty() || words.contains(&answer), "{at}: {answer} is none of {words:?}");
}

/// What is described can be asked for, and nothing else.
#[tokio::test]
async fn the_description_has_what_can_be_asked_for() {
    let stage = stage().await;
    let document = stage.get("/api/v1/openapi.json").await;
    let status = async |path: &str| {
        let asked = stage.client.get(stage.url(path)).bearer_auth(&stage.running.token);
        asked.send().await.unwrap().status().as_u16()
    };
    for (route, methods) in document["paths"].as_object().unwrap() {
        if !route.starts_with("/api/v1/") || methods["get"].is_null() {
            continue;
        }
        let path = route.replace("{trace_id}", TRACE).replace("{span_id}", "0202020202020202");
        let parameters = methods["get"]["parameters"].as_array().unwrap();
        let key = if route == "/api/v1/facets" { "key=model&" } else { "" };
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let value = match name {
                "sort" => "cost",
                "order" => "asc",
                "cursor" if route == "/api/v1/traces" => "1.1",
                "key" => continue,
                "group" => "name",
                "trace_id" => TRACE,
                "alone" => "true",
                "bucket_us" => "3600000000",
                "from_us" => "1767225600000000",
                "to_us" => "1767312000000000",
                _ => "7",
            };
            assert_eq!(status(&format!("{path}?{key}{name}={value}")).await, 200, "{route} {name}");
        }
        assert_eq!(status(&format!("{path}?{key}colour=red")).await, 400, "{route}");
    }
}

/// Whatever Langfuse's routes look for in an address is described.
#[tokio::test]
async fn the_description_has_what_langfuses_clients_can_ask_for() {
    let stage = Stage::new().await;
    let document = stage.get("/api/v1/openapi.json").await;
    for (source, routes) in [
        (include_str!("../../src/http/langfuse/daily.rs"), &["metrics/daily"][..]),
        (include_str!("../../src/http/langfuse/traces.rs"), &["traces", "sessions"]),
        (
            include_str!("../../src/http/langfuse/observations.rs"),
            &["observations", "v2/observations"],
        ),
        (
            include_str!("../../src/http/langfuse/score_query.rs"),
            &["scores", "v2/scores", "v3/scores"],
        ),
        (include_str!("../../src/http/langfuse/metrics.rs"), &["metrics", "v2/metrics"]),
    ] {
        let parameters = routes.iter().flat_map(|route| {
            let route = format!("/api/public/{route}");
            document["paths"][&route]["get"]["parameters"].as_array().unwrap().clone()
        });
        let described: BTreeSet<_> =
            parameters.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
        let asked =
            ["question.one(\"", "question.instant(\"", "question.number(\"", "question.all(\""];
        let asked = asked.iter().flat_map(|call| source.split(call).skip(1));
        let filters = source.split("(\"").skip(1).filter(|rest| {
            rest.split_once('"').is_some_and(|(_, rest)| rest.starts_with(", TextKey::"))
        });
        for name in asked.chain(filters).map(|rest| rest.split('"').next().unwrap()) {
            assert!(described.contains(name), "{name} of {routes:?} is not described");
        }
    }
}

/// The keys that are read, that the documentation names and that the page offers are the same, and so are their words.
#[test]
fn filters_are_the_same_wherever_they_are_named() {
    let known: BTreeSet<String> = filter::keys().iter().map(ToString::to_string).collect();
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<BTreeSet<_>>();

    let docs = include_str!("../../../../docs/api.md");
    let table = docs.split_once("## Filters").unwrap().1.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let first_cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let in_docs =
        first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned);
    assert_eq!(in_docs.collect::<BTreeSet<_>>(), known, "docs/api.md");

    let page = include_str!("../../ui/filter/completion.js");
    let list = |from: &str, to: &str| {
        page.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned()
    };
    let quoted =
        |text: &str| text.split('\'').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = list("FILTER_KEYS = [", "];");
    let on_page =
        rows.split('[').skip(1).map(|row| quoted(row)[0].replace("metadata.", "metadata.KEY"));
    assert_eq!(on_page.collect::<BTreeSet<_>>(), known, "completion.js");
    let has: BTreeSet<_> = quoted(&list("  has: [", "]")).into_iter().collect();
    assert_eq!(has, words(filter::Has::WORDS), "completion.js");
    let status: BTreeSet<_> = quoted(&list("  status: [", "]")).into_iter().collect();
    assert_eq!(status, words(filter::Status::WORDS), "completion.js");
    for word in filter::Has::WORDS.iter().chain(filter::Status::WORDS) {
        assert!(table.contains(&format!("`{word}`")), "docs/api.md: {word}");
    }
}
