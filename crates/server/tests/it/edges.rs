//! What is asked at the edges: limits, pages and cursors that are none, other methods, odd paths, tags.

use crate::stage::{Stage, span};
use reqwest::header::{ALLOW, ETAG, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use serde_json::Value;

const TRACE: &str = "01010101010101010101010101010101";

async fn stage() -> Stage {
    let stage = Stage::new().await;
    assert!(stage.send(vec![span(1, 1, 0, "root", 0, 10)]).await.status().is_success());
    stage
}

async fn ask(stage: &Stage, method: Method, path: &str) -> reqwest::Response {
    let request = stage.client.request(method, stage.url(path));
    request.bearer_auth(&stage.running.token).send().await.unwrap()
}

/// Asks, and returns the status and the message for people, in whichever shape the path has.
async fn told(stage: &Stage, path: &str) -> (u16, String) {
    let response = ask(stage, Method::GET, path).await;
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"));
    let message = if path.starts_with("/api/public/") {
        &answer["message"]
    } else {
        &answer["error"]["message"]
    };
    (status, message.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn limits_pages_and_cursors_that_are_none_are_refused() {
    let stage = stage().await;
    let huge = "99999999999999999999999";
    for list in
        ["/api/v1/traces", "/api/v1/spans", "/api/v1/sessions", "/api/v1/users", "/api/v1/scores"]
    {
        for limit in ["0", "-1", "501", "1.5", "", "many", huge, "1&limit=2"] {
            let (status, message) = told(&stage, &format!("{list}?limit={limit}")).await;
            assert!(
                status == 400 && message.contains("limit"),
                "{list}?limit={limit}: {status} {message}"
            );
        }
        for cursor in ["x", "1.2.3.4.5", huge, "-"] {
            let (status, message) = told(&stage, &format!("{list}?cursor={cursor}")).await;
            assert!(
                status == 400 && message.contains("cursor"),
                "{list}?cursor={cursor}: {status} {message}"
            );
        }
    }
    for list in ["traces", "observations", "sessions", "scores", "v2/scores", "metrics/daily"] {
        for asked in ["limit=0", "limit=-1", "limit=many", "page=0", "page=-1", "page=many"] {
            let (status, message) = told(&stage, &format!("/api/public/{list}?{asked}")).await;
            assert!(
                status == 400 && message.contains("type a number"),
                "{list}?{asked}: {status} {message}"
            );
        }
        // A page behind the last one is empty, however far.
        let answer = stage.get(&format!("/api/public/{list}?page={}&limit=100", u64::MAX)).await;
        assert_eq!(answer["data"], Value::Array(Vec::new()), "{list}");
    }
}

#[tokio::test]
async fn what_is_not_known_is_not_ignored() {
    let stage = stage().await;
    for path in [
        "/api/v1/traces?model=gpt-4o",
        "/api/v1/spans?sort=cost",
        "/api/v1/sessions?order=asc",
        "/api/v1/users?page=2",
        "/api/v1/models?q=model:gpt-4o",
        "/api/v1/stats?model=gpt-4o",
        "/api/v1/scores?span_id=0101010101010101",
        "/api/v1/facets?key=model&limit=5",
        "/api/v1/stream?filter=x",
    ] {
        let (status, message) = told(&stage, path).await;
        let name = path.split_once('?').unwrap().1;
        let name = name.rsplit('&').next().unwrap().split_once('=').unwrap().0;
        assert!(status == 400 && message.contains(name), "{path}: {status} {message}");
    }
}

#[tokio::test]
async fn other_methods_and_odd_paths() {
    let stage = stage().await;
    for path in [&format!("/api/v1/traces/{TRACE}"), "/api/v1/traces", "/api/public/traces", "/"] {
        let (head, get) =
            (ask(&stage, Method::HEAD, path).await, ask(&stage, Method::GET, path).await);
        assert_eq!(head.status(), 200, "{path}");
        for header in ["content-type", "etag", "cache-control", "content-length"] {
            assert_eq!(head.headers().get(header), get.headers().get(header), "{path} {header}");
        }
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
    for (method, path) in [
        (Method::OPTIONS, "/api/v1/traces"),
        (Method::DELETE, "/api/v1/traces"),
        (Method::OPTIONS, "/api/public/traces"),
        (Method::PUT, "/api/public/scores"),
        (Method::GET, "/v1/traces"),
    ] {
        let response = ask(&stage, method.clone(), path).await;
        assert_eq!(response.status(), 405, "{method} {path}");
        assert!(response.headers().contains_key(ALLOW), "{method} {path}");
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }
    for (path, status) in [
        ("/api/v1/traces/", 404),
        ("/api/v1//traces", 404),
        ("/api/public/traces/", 404),
        ("/api/v1/traces/%ff", 400),
        ("/api/public/traces/%ff", 400),
        ("/api/public/scores/%ff", 400),
        ("/api/v1/traces/01%00", 400),
        ("/api/public/traces/none%2Fat%20all", 404),
    ] {
        let (found, message) = told(&stage, path).await;
        assert!(found == status && !message.is_empty(), "{path}: {found} {message}");
    }
    let encoded = TRACE.replacen('0', "%30", 1);
    assert_eq!(ask(&stage, Method::GET, &format!("/api/v1/traces/{encoded}")).await.status(), 200);
}

#[tokio::test]
async fn tags_stand_in_lists_and_tell_nothing_to_strangers() {
    let stage = stage().await;
    let path = format!("/api/v1/traces/{TRACE}/path");
    let tag = ask(&stage, Method::GET, &path).await.headers()[ETAG].to_str().unwrap().to_owned();
    let with = async |known: &str, token: &str| {
        let request = stage.client.get(stage.url(&path)).bearer_auth(token);
        request.header(IF_NONE_MATCH, known).send().await.unwrap().status()
    };
    let token = stage.running.token.as_str();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        assert_eq!(with(&known, token).await, StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(with(&known, "guessed").await, StatusCode::UNAUTHORIZED, "{known}");
    }
    for other in ["\"other\"", tag.trim_matches('"'), ""] {
        assert_eq!(with(other, token).await, StatusCode::OK, "{other}");
    }
}
