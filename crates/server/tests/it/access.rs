//! Who may look and send, and who may not.

use crate::stage::{Stage, request_of, span};
use glassbox_server::http::Keys;
use glassbox_server::{BindError, Options, Server};
use prost::Message as _;

#[tokio::test]
async fn whoever_looks_needs_the_token() {
    let stage = Stage::new().await;
    let token = stage.running.token.clone();
    let get = |path: &str| stage.client.get(stage.url(path));
    assert_eq!(get("/api/v1/traces").send().await.unwrap().status(), 401);
    assert_eq!(get("/api/v1/traces").bearer_auth("wrong").send().await.unwrap().status(), 401);
    assert_eq!(get("/api/v1/traces").bearer_auth(&token).send().await.unwrap().status(), 200);
    assert_eq!(get("/api/v1/traces?token=x").send().await.unwrap().status(), 401);

    let response = stage.client.get(&stage.running.url).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (303, &"/".parse().unwrap())
    );
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    // A browser sends the cookies of all ports, so each server has a name of its own for it.
    let port = stage.running.otlp.rsplit(':').next().unwrap();
    assert!(cookie.starts_with(&format!("glassbox_token_{port}=")), "{cookie}");
    for sent in [cookie.to_owned(), format!("a=b; glassbox_token_1=other; {cookie}; c")] {
        let answer = get("/api/v1/traces").header("cookie", sent).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let other = get("/api/v1/traces").header("cookie", "glassbox_token_1=other");
    assert_eq!(other.send().await.unwrap().status(), 401);
    assert_eq!(get("/?token=wrong").send().await.unwrap().status(), 403);

    let page = get("/trace/0101").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers().get("access-control-allow-origin"), None);
    assert_eq!(get("/assets/none.js").send().await.unwrap().status(), 404);
    assert_eq!(get("/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn pages_of_others_may_neither_look_nor_send() {
    let stage = Stage::new().await;
    let get = || stage.client.get(stage.url("/api/v1/traces")).bearer_auth(&stage.running.token);
    assert_eq!(get().header("host", "evil.example").send().await.unwrap().status(), 403);
    assert_eq!(get().header("origin", "http://evil.example").send().await.unwrap().status(), 403);
    assert_eq!(get().header("origin", "null").send().await.unwrap().status(), 403);
    assert_eq!(get().header("origin", stage.url("")).send().await.unwrap().status(), 200);
    let post = stage.client.post(stage.url("/v1/traces")).header("origin", "http://evil.example");
    assert_eq!(
        post.header("content-type", "application/json").body("{}").send().await.unwrap().status(),
        403
    );
}

#[tokio::test]
async fn with_keys_senders_have_to_show_them() {
    let keys = Keys { public: "pk-1".to_owned(), secret: "sk-1".to_owned() };
    let stage = Stage::with(|options| options.keys = vec![keys]).await;
    let post = |path: &str| {
        let request =
            stage.client.post(stage.url(path)).header("content-type", "application/x-protobuf");
        request.body(request_of(vec![span(1, 1, 0, "root", 0, 1)]).encode_to_vec())
    };
    for path in ["/v1/traces", "/api/public/otel/v1/traces"] {
        assert_eq!(post(path).send().await.unwrap().status(), 401);
        assert_eq!(
            post(path).basic_auth("pk-1", Some("wrong")).send().await.unwrap().status(),
            401
        );
        assert_eq!(post(path).basic_auth("pk-1", Some("sk-1")).send().await.unwrap().status(), 200);
        assert_eq!(
            post(path).bearer_auth(&stage.running.token).send().await.unwrap().status(),
            200
        );
    }
}

#[tokio::test]
async fn nobody_is_let_in_from_outside_without_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::local(folder.path().join("traces.db"));
    options.http = "0.0.0.0:0".parse().unwrap();
    let error = Server::bind(options).await.unwrap_err();
    assert!(matches!(error, BindError::Open(_)), "{error}");
}

#[test]
fn secrets_are_not_shown() {
    let keys = Keys { public: "pk-1".to_owned(), secret: "sk-1".to_owned() };
    assert!(!format!("{keys:?}").contains("sk-1"));
}
