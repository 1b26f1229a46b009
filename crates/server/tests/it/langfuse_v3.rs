//! Langfuse's read API as its clients from version 5 on ask it: scores a part at a time, observations by what is above
//! them, and what is said where there is nothing.

use crate::langfuse_read::{get, has, stage};
use crate::stage::Stage;
use serde_json::{Value, json};

const TRACE: &str = "01010101010101010101010101010101";

const OF_SCORE: &str = "id:text projectId:text name:text value:any dataType:text source:text timestamp:time environment:text \
     createdAt:time updatedAt:time";

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn scores_have_values_of_their_own_type() {
    let stage = stage().await;
    let list = get(&stage, "/api/public/v3/scores?fields=details,subject,annotation").await;
    let scores = list["data"].as_array().unwrap();
    assert_eq!(list["meta"], json!({"limit": 50}));
    for score in scores {
        has(score, OF_SCORE);
        has(score, "comment:text? configId:text? metadata:map authorUserId:text? queueId:text?");
        assert_eq!(score["subject"], json!({"kind": "trace", "id": TRACE}));
        assert_eq!(score["environment"], "production");
    }
    let said: Vec<_> = scores.iter().map(|score| (&score["dataType"], &score["value"])).collect();
    assert_eq!(
        said,
        [
            (&json!("CATEGORICAL"), &json!("bitter")),
            (&json!("BOOLEAN"), &json!(true)),
            (&json!("NUMERIC"), &json!(0.5)),
        ]
    );
    // What is not asked for is left out.
    let bare = get(&stage, "/api/public/v3/scores?limit=2").await;
    assert!(
        ["comment", "subject", "queueId"].iter().all(|field| bare["data"][0].get(field).is_none())
    );
    let cursor = bare["meta"]["cursor"].as_str().unwrap();
    let rest = get(&stage, &format!("/api/public/v3/scores?limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&bare), ids(&rest)), (vec!["c", "b"], vec!["n"]));
    assert_eq!(rest["meta"], json!({"limit": 2}));
}

#[tokio::test]
async fn scores_are_asked_for_by_all_that_they_have() {
    let stage = stage().await;
    let check = async |path: &str, asked: &str, expected: &[&str]| {
        let list = get(&stage, &format!("/api/public/{path}?{asked}")).await;
        assert_eq!(ids(&list), expected, "{path} {asked}");
    };
    for (asked, expected) in [
        ("id=n,b", &["b", "n"][..]),
        ("name=taste,other", &["c", "b", "n"]),
        ("name=other", &[]),
        ("source=api", &["c", "b", "n"]),
        ("source=EVAL,ANNOTATION", &[]),
        ("dataType=numeric,BOOLEAN", &["b", "n"]),
        ("dataType=TEXT", &[]),
        ("dataType=NUMERIC&value=0.5,7", &["n"]),
        ("dataType=BOOLEAN&value=false", &[]),
        ("dataType=BOOLEAN&value=true", &["b"]),
        ("dataType=CATEGORICAL&value=bitter", &["c"]),
        ("dataType=NUMERIC&valueMin=0.5&valueMax=0.5", &["n"]),
        ("dataType=NUMERIC&valueMin=0.6", &[]),
        ("environment=production", &["c", "b", "n"]),
        ("environment=default,staging", &[]),
        ("traceId=01010101010101010101010101010101,none", &["c", "b", "n"]),
        ("traceId=01010101010101010101010101010101&observationId=0202020202020202", &[]),
        ("sessionId=s-1", &[]),
        ("configId=x", &[]),
        ("toTimestamp=2026-01-01T00:00:00Z", &[]),
        ("fromTimestamp=2026-01-01T00:00:00Z", &["c", "b", "n"]),
    ] {
        check("v3/scores", asked, expected).await;
    }
    for (asked, expected) in [
        ("userId=ada", &["c", "b", "n"][..]),
        ("userId=bob", &[]),
        ("scoreIds=n,b", &["b", "n"]),
        ("dataType=BOOLEAN", &["b"]),
        ("operator=%3E%3D&value=0.5&dataType=NUMERIC", &["n"]),
        ("operator=%3E&value=0.5", &[]),
        ("source=ANNOTATION", &[]),
        ("observationId=0202020202020202", &[]),
        ("toTimestamp=2026-01-01T00:00:00Z", &[]),
    ] {
        check("v2/scores", asked, expected).await;
    }
}

#[tokio::test]
async fn observations_are_asked_for_by_what_is_above_them() {
    let stage = stage().await;
    let check = async |asked: &str, expected: &[&str]| {
        for path in ["observations", "v2/observations"] {
            let list = get(&stage, &format!("/api/public/{path}?traceId={TRACE}&{asked}")).await;
            assert_eq!(ids(&list), expected, "{path} {asked}");
        }
    };
    check("isRootObservation=true", &["0101010101010101"]).await;
    check("isRootObservation=false", &["0303030303030303", "0202020202020202"]).await;
    check("parentObservationId=0101010101010101", &["0303030303030303", "0202020202020202"]).await;
    check("parentObservationId=", &["0101010101010101"]).await;
    check(
        "environment=none&environment=production&type=TOOL&type=GENERATION",
        &["0202020202020202"],
    )
    .await;
    check("environment=none&environment=other", &[]).await;
    check("environment=default", &[]).await;
    let other = get(&stage, "/api/public/traces?environment=default").await;
    assert_eq!(ids(&other), ["02020202020202020202020202020202"]);
    check("level=DEFAULT", &["0202020202020202", "0101010101010101"]).await;
    let dear = get(&stage, "/api/public/traces?orderBy=totalCost.desc").await;
    let long = get(&stage, "/api/public/traces?orderBy=latency.asc").await;
    assert_eq!((ids(&dear)[0], ids(&long)[1]), (TRACE, TRACE));
}

#[tokio::test]
async fn observations_are_asked_for_by_conditions() {
    let stage = stage().await;
    let ask = async |conditions: Value| {
        let get = stage.client.get(stage.url("/api/public/v2/observations"));
        let get = get.query(&[("filter", conditions.to_string()), ("name", "none".to_owned())]);
        let response = get.basic_auth("pk", Some(&stage.running.token)).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let one = |column: &str, operator: &str, value: Value| json!({"type": "string", "column": column, "operator": operator, "value": value});
    const ROOT: &str = "0101010101010101";
    const CALL: &str = "0202020202020202";
    const TOOL: &str = "0303030303030303";
    let of_trace = one("traceId", "=", json!(TRACE));
    for (condition, expected) in [
        (one("type", "=", json!("GENERATION")), &[CALL][..]),
        (one("type", "any of", json!(["GENERATION", "TOOL"])), &[CALL]),
        (one("type", "none of", json!(["GENERATION"])), &[TOOL, ROOT]),
        (one("name", "starts with", json!("chat")), &[CALL]),
        (one("name", "does not contain", json!("a")), &[TOOL]),
        (one("userId", "=", json!("ada")), &[TOOL, CALL, ROOT]),
        (one("tags", "any of", json!(["vip", "x"])), &[TOOL, CALL, ROOT]),
        (one("tags", "all of", json!(["vip", "x"])), &[]),
        (one("level", "=", json!("ERROR")), &[TOOL]),
        (one("latency", ">=", json!(0.05)), &[CALL, ROOT]),
        (one("totalCost", ">", json!(0.0001)), &[CALL]),
        (one("totalTokens", "=", json!(1300)), &[CALL]),
        (one("startTime", ">", json!("2026-01-01T00:00:00.010Z")), &[TOOL]),
        (one("isRootObservation", "=", json!(true)), &[ROOT]),
        (one("isRootObservation", "<>", json!(true)), &[TOOL, CALL]),
        (one("id", "any of", json!([CALL, ROOT])), &[CALL, ROOT]),
        (one("model", "contains", json!("4o")), &[CALL]),
    ] {
        let (status, found) = ask(json!([of_trace, condition])).await;
        assert_eq!(status, 200, "{condition}: {found}");
        assert_eq!(ids(&found), expected, "{condition}");
    }
    for (conditions, expected) in [
        (json!({}), "filter is no list of conditions"),
        (
            json!([one("input", "matches", json!("x"))]),
            "input is not known here; type one of id, type",
        ),
        (json!([one("name", "matches", json!("x"))]), "name cannot be asked for by \"matches\""),
        (json!([one("name", "=", json!("a*"))]), "without *"),
        (json!([one("level", "=", json!("DEBUG"))]), "type = ERROR or = DEFAULT"),
        (json!([one("latency", ">", json!("long"))]), "a number of seconds"),
        (json!([one("isRootObservation", "=", json!("x"))]), "without true or false"),
    ] {
        let (status, body) = ask(conditions).await;
        assert_eq!(status, 400);
        assert!(body["message"].as_str().unwrap().contains(expected), "{body}");
    }
}

#[tokio::test]
async fn what_is_not_answered_is_told_with_what_is() {
    let stage = stage().await;
    let ask = async |method: &str, path: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = stage.client.request(method, stage.url(&format!("/api/public/{path}")));
        let response = request.basic_auth("pk", Some(&stage.running.token)).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (status, body) = ask("GET", "v2/prompts/greeting").await;
    assert_eq!((status, &body["error"]), (404, &json!("LangfuseNotFoundError")));
    let message = body["message"].as_str().unwrap();
    assert!(message.starts_with("GET v2/prompts/greeting is not answered here"), "{message}");
    // Each route that is named is answered.
    let routes = message.split_once("which answers ").unwrap().1.split_once(" below").unwrap().0;
    for route in routes.split(", ") {
        let (method, path) = route.split_once(' ').unwrap();
        let (status, body) = ask(method, path).await;
        let is_unknown =
            body["message"].as_str().is_some_and(|said| said.contains("not answered here"));
        assert!(status != 405 && !is_unknown, "{route}: {status} {body}");
    }
    let (status, body) = ask("DELETE", "scores/n").await;
    assert_eq!((status, &body["error"]), (405, &json!("MethodNotAllowedError")));

    for (asked, expected) in [
        ("v3/scores?limit=101", "type a number from 1 to 100"),
        ("v3/scores?fields=io", "type one of details, subject, annotation"),
        ("v3/scores?value=1", "value needs one dataType"),
        ("v3/scores?valueMin=1", "need dataType=NUMERIC"),
        ("v3/scores?dataType=ODD", "type NUMERIC"),
        ("v3/scores?observationId=x", "needs a traceId"),
        ("v3/scores?traceId=x&sessionId=y", "ask for one of"),
        ("v2/scores?operator=%3E", "belong together"),
        ("v2/scores?traceTags=x", "traceTags is not known here"),
        ("traces?orderBy=name.asc", "type timestamp"),
        ("observations?level=DEBUG", "type ERROR or DEFAULT"),
        ("observations?isRootObservation=yes", "type true or false"),
    ] {
        let (status, body) = ask("GET", asked).await;
        assert_eq!(status, 400, "{asked}");
        assert!(body["message"].as_str().unwrap().contains(expected), "{asked}: {body}");
    }
    let bare = stage.client.get(stage.url("/api/public/projects")).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    let body: Value = bare.json().await.unwrap();
    assert_eq!(body["error"], "UnauthorizedError");
    assert!(body["message"].is_string());
}

#[tokio::test]
async fn a_score_of_a_span_names_both() {
    let stage = Stage::new().await;
    let score = json!({"id": "o", "traceId": TRACE, "observationId": "0202020202020202", "name": "n", "value": 2});
    let post = stage
        .client
        .post(stage.url("/api/public/scores"))
        .basic_auth("pk", Some(&stage.running.token));
    assert_eq!(post.json(&score).send().await.unwrap().status(), 200);
    let list = get(&stage, "/api/public/v3/scores?fields=subject").await;
    // Its trace has not arrived.
    assert_eq!(list["data"][0]["environment"], "default");
    assert_eq!(
        list["data"][0]["subject"],
        json!({"kind": "observation", "id": "0202020202020202", "traceId": TRACE})
    );
}
