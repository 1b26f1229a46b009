//! Pictures and sound reach Langfuse as media, by its three calls, and spans refer to them.

use crate::spans::{child, end, health, observe, quick, root};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Request, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use glassbox_telemetry::destination::{Destination, LangfuseConfig};
use glassbox_telemetry::health::DestinationHealth;
use glassbox_telemetry::observe::Observing;
use glassbox_trace::message::Message;
use glassbox_trace::span::{Detail, Generation, Span};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A call that came.
#[derive(Clone, Debug)]
struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

type Answer = dyn Fn(usize, &Call) -> Option<u16> + Send + Sync;

struct Inner {
    base: String,
    /// A status other than 200, by the number of the call.
    answer: Box<Answer>,
    calls: Mutex<Vec<Call>>,
    /// The ids of the files that are there.
    stored: Mutex<Vec<String>>,
}

/// Plays Langfuse's three endpoints for media, the storage, and the one for traces.
struct Langfuse(Arc<Inner>);

impl Langfuse {
    fn start(answer: impl Fn(usize, &Call) -> Option<u16> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inner = Arc::new(Inner {
            base: format!("http://{}", listener.local_addr().unwrap()),
            answer: Box::new(answer),
            calls: Mutex::default(),
            stored: Mutex::default(),
        });
        let app = Router::new()
            .fallback(play)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self(inner)
    }

    fn calls(&self, method: &Method, path: &str) -> Vec<Call> {
        let calls = self.0.calls.lock().unwrap();
        let fits = |call: &&Call| call.method == *method && call.path.starts_with(path);
        calls.iter().filter(fits).cloned().collect()
    }

    /// The texts of all spans that came, as they are on the wire.
    fn traces(&self) -> String {
        let calls = self.calls(&Method::POST, "/api/public/otel/v1/traces");
        let unpacked = calls.iter().map(|call| {
            let mut raw = Vec::new();
            GzDecoder::new(call.body.as_ref()).read_to_end(&mut raw).unwrap();
            String::from_utf8_lossy(&raw).into_owned()
        });
        unpacked.collect()
    }

    fn observe(&self, upload: bool) -> Observing {
        let config = LangfuseConfig {
            base_url: self.0.base.clone(),
            ..LangfuseConfig::new("pk-lf-1", "sk-lf-2")
        };
        observe(Destination::langfuse(config.upload_media(upload)).unwrap().limits(quick()))
    }
}

async fn play(State(inner): State<Arc<Inner>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path().to_owned();
    let call = Call { method: parts.method, path, headers: parts.headers, body };
    let answer = |status: u16, body: Value| {
        Response::builder().status(status).body(Body::from(body.to_string())).unwrap()
    };
    let number = {
        let mut calls = inner.calls.lock().unwrap();
        calls.push(call.clone());
        calls.len() - 1
    };
    if let Some(status) = (inner.answer)(number, &call) {
        return answer(status, json!({"message": "as it was told"}));
    }
    let mut stored = inner.stored.lock().unwrap();
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/api/public/media") => {
            let asked = call.json();
            let hash = asked["sha256Hash"].as_str().unwrap();
            let id = hash.replace('+', "-").replace('/', "_")[..22].to_owned();
            let url =
                (!stored.contains(&id)).then(|| format!("{}/storage/{id}?signed=1", inner.base));
            answer(201, json!({"uploadUrl": url, "mediaId": id}))
        }
        ("PUT", path) if path.starts_with("/storage/") => {
            stored.push(path["/storage/".len()..].to_owned());
            answer(200, json!({}))
        }
        ("PATCH", _) | ("POST", "/api/public/otel/v1/traces") => answer(200, json!({})),
        other => panic!("{other:?}"),
    }
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot really a picture";

fn picture() -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(PNG))
}

fn hash(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

fn id(bytes: &[u8]) -> String {
    hash(bytes).replace('+', "-").replace('/', "_")[..22].to_owned()
}

fn reference(media_type: &str, bytes: &[u8]) -> String {
    format!("@@@langfuseMedia:type={media_type}|id={}|source=base64_data_uri@@@", id(bytes))
}

fn seeing() -> Span {
    let input = json!({"image": picture(), "question": "What is it?"});
    Span { input: Some(input.into()), ..root("see") }
}

fn flush(observing: &Observing) -> DestinationHealth {
    observing.flush_blocking(Duration::from_secs(10)).unwrap();
    health(observing)
}

#[test]
fn a_picture_is_announced_stored_confirmed_and_referred_to() {
    let langfuse = Langfuse::start(|_, _| None);
    let observing = langfuse.observe(true);
    let span = seeing();
    let (trace_id, span_id) = (span.trace_id.to_string(), span.span_id.to_string());
    end(&observing, span);
    let health = flush(&observing);
    assert_eq!((health.exported, health.media_uploaded, health.media_failed), (1, 1, 0));

    let [announced] = &langfuse.calls(&Method::POST, "/api/public/media")[..] else {
        panic!("one")
    };
    assert_eq!(announced.header("authorization"), Some("Basic cGstbGYtMTpzay1sZi0y"));
    assert_eq!(
        announced.json(),
        json!({
            "contentType": "image/png", "contentLength": PNG.len(), "sha256Hash": hash(PNG),
            "traceId": trace_id, "observationId": span_id, "field": "input",
        })
    );
    let [stored] = &langfuse.calls(&Method::PUT, "/storage/")[..] else { panic!("one") };
    assert_eq!(stored.body, PNG);
    assert_eq!(stored.header("content-type"), Some("image/png"));
    assert_eq!(stored.header("x-amz-checksum-sha256"), Some(hash(PNG).as_str()));
    assert_eq!(stored.header("authorization"), None, "the storage is another party");
    let path = format!("/api/public/media/{}", id(PNG));
    let [confirmed] = &langfuse.calls(&Method::PATCH, &path)[..] else { panic!("one") };
    assert_eq!(confirmed.json()["uploadHttpStatus"], 200);
    assert!(confirmed.json()["uploadedAt"].as_str().unwrap().ends_with('Z'));

    let traces = langfuse.traces();
    let expected =
        format!(r#"{{"image":"{}","question":"What is it?"}}"#, reference("image/png", PNG));
    assert!(traces.contains(&expected), "{traces}");
}

#[test]
fn each_place_is_told_and_a_file_is_stored_once() {
    let langfuse = Langfuse::start(|_, _| None);
    let observing = langfuse.observe(true);
    let mut sound = b"RIFF....WAVEfmt ".to_vec();
    sound.extend((0..1000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()));
    let generation = Generation {
        messages: [Message::user(format!("Look: {} and {}", picture(), picture()))].into(),
        output: Some(Message::assistant(STANDARD.encode(&sound))),
        ..Generation::default()
    };
    let attributes = vec![("thumbnail".into(), picture().into())];
    let detail = Detail::Generation(Box::new(generation));
    end(&observing, Span { detail, attributes, ..child("chat") });
    assert_eq!(flush(&observing).media_uploaded, 3);

    let announced = langfuse.calls(&Method::POST, "/api/public/media");
    let mut places: Vec<_> = announced
        .iter()
        .map(Call::json)
        .map(|call| format!("{} {}", call["field"], call["contentType"]))
        .collect();
    places.sort();
    let expected =
        [r#""input" "image/png""#, r#""metadata" "image/png""#, r#""output" "audio/wav""#];
    assert_eq!(places, expected);
    assert_eq!(langfuse.calls(&Method::PUT, "/storage/").len(), 2);
    assert!(langfuse.traces().contains(&reference("audio/wav", &sound)));
}

#[test]
fn texts_and_those_who_did_not_ask_get_no_upload() {
    let langfuse = Langfuse::start(|_, _| None);
    let observing = langfuse.observe(true);
    let text = format!("data:text/plain;base64,{}", STANDARD.encode("password=hunter2"));
    end(&observing, Span { input: Some(text.into()), ..root("text") });
    flush(&observing);
    let plain = langfuse.observe(false);
    end(&plain, seeing());
    assert_eq!(flush(&plain).media_uploaded, 0);
    assert!(langfuse.calls(&Method::POST, "/api/public/media").is_empty());
    let traces = langfuse.traces();
    assert!(traces.contains("[text/plain, 16 bytes, sha256 "), "{traces}");
    assert!(traces.contains(r#"{"image":"[image/png, 28 bytes, sha256 "#), "{traces}");
}

#[test]
fn a_file_that_is_refused_does_not_hold_up_the_span() {
    type Case = (&'static str, u16, usize);
    let cases: [Case; 3] =
        [("/api/public/media", 400, 0), ("/storage/", 403, 1), ("/storage/", 503, 2)];
    for (path, status, stored) in cases {
        let langfuse =
            Langfuse::start(move |_, call| call.path.starts_with(path).then_some(status));
        let observing = langfuse.observe(true);
        end(&observing, seeing());
        let health = flush(&observing);
        assert_eq!(
            (health.exported, health.media_uploaded, health.media_failed),
            (1, 0, 1),
            "{path}"
        );
        assert_eq!(langfuse.calls(&Method::PUT, "/storage/").len(), stored, "{path}");
        if stored > 0 {
            let confirmed = langfuse.calls(&Method::PATCH, "/api/public/media/");
            assert_eq!(confirmed[0].json()["uploadHttpStatus"], status);
            assert!(confirmed[0].json()["uploadHttpError"].is_string());
        }
    }
}

#[test]
fn an_outage_holds_up_file_and_span_and_loses_neither() {
    let langfuse = Langfuse::start(|number, _| (number < 3).then_some(503));
    let observing = langfuse.observe(true);
    end(&observing, seeing());
    let health = flush(&observing);
    assert_eq!((health.exported, health.media_uploaded, health.media_failed), (1, 1, 0));
    assert_eq!(langfuse.calls(&Method::POST, "/api/public/media").len(), 4);
    assert_eq!(langfuse.calls(&Method::POST, "/api/public/otel/v1/traces").len(), 1);
}
