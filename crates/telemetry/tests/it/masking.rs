//! No secret reaches the wire or the disk, whatever field it is in.

use crate::receiver::Receiver;
use crate::spans::{end, health, quick, root};
use glassbox_events::bus::Bus;
use glassbox_telemetry::destination::{
    Compression, Destination, LangfuseConfig, OtlpConfig, Protocol,
};
use glassbox_telemetry::limits::Limits;
use glassbox_telemetry::mask::Masking;
use glassbox_telemetry::observe::{Observe, Observing};
use glassbox_telemetry::spool::SpoolConfig;
use glassbox_trace::message::{Message, Part};
use glassbox_trace::otlp::Content;
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::{Detail, Generation, Note, Span, Status};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

mod full;
mod glance;

const PATIENCE: Duration = Duration::from_secs(90);

struct Secret {
    kind: &'static str,
    text: &'static str,
    secret: &'static str,
}

/// The corpus; `text` holds `secret`.
fn corpus() -> Vec<Secret> {
    let lines = include_str!("masking/corpus.txt").lines();
    let read = |line: &'static str| {
        let [kind, text, secret] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        assert!(text.contains(secret), "{line}");
        Secret { kind, text, secret }
    };
    lines.filter(|line| !line.starts_with('#')).map(read).collect()
}

fn all() -> Masking {
    Masking::secrets().emails().card_numbers().pattern("order", r"ORD-\d+").unwrap()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

fn observe(destination: Destination, masking: Masking) -> Observe {
    Observe::new().bus(&Bus::new()).destination(destination.limits(quick())).masking(masking)
}

fn langfuse(receiver: &Receiver) -> Destination {
    let config = LangfuseConfig {
        base_url: receiver.base.clone(),
        ..LangfuseConfig::new("pk-lf-1", "sk-lf-2")
    };
    Destination::langfuse(config).unwrap()
}

fn otlp(url: &str, protocol: Protocol) -> Destination {
    let compression = Compression::None;
    Destination::otlp(OtlpConfig { protocol, compression, ..OtlpConfig::new(url) }).unwrap()
}

/// All that came over the wire.
fn received(receiver: &Receiver) -> Vec<u8> {
    receiver.requests().iter().flat_map(|request| request.export.encode_to_vec()).collect()
}

fn with_resource(observe: Observe, text: &str) -> Observe {
    let resource = full::resource(text);
    observe
        .service_name(resource.service_name)
        .service_version(text)
        .environment(text)
        .release(text)
        .resource_attribute(text, text)
        .resource_attribute("plain", text)
}

fn end_all(observing: &Observing, text: &str) {
    for text in [text.to_owned(), format!("before {text} after")] {
        for span in full::spans(&text) {
            end(observing, span);
        }
    }
}

#[test]
fn no_secret_reaches_the_wire_through_any_field() {
    let together: Vec<_> = corpus().iter().map(|secret| secret.text).collect();
    for way in 0..3 {
        let receiver = Receiver::ok();
        let url = receiver.traces_url();
        let destination = match way {
            0 => langfuse(&receiver),
            1 => otlp(&url, Protocol::HttpProtobuf),
            _ => otlp(&url, Protocol::HttpJson),
        };
        let observe = with_resource(observe(destination, all()), &together.join("\n"));
        let observing = observe.start().unwrap();
        for Secret { text, .. } in corpus() {
            end_all(&observing, text);
        }
        observing.flush_blocking(PATIENCE).unwrap();
        let bytes = received(&receiver);
        assert!(contains(&bytes, "before ") && contains(&bytes, " after"), "the rest stays");
        for Secret { kind, text, secret } in corpus() {
            let found = memchr::memmem::find(&bytes, secret.as_bytes());
            let around =
                found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(300)..at + 99]));
            assert_eq!(around, None, "{kind} {text} by way {way}");
        }
    }
}

#[test]
fn secrets_are_masked_by_default_and_personal_data_is_not() {
    let receiver = Receiver::ok();
    let observe = Observe::new().bus(&Bus::new());
    let observing = observe.destination(langfuse(&receiver).limits(quick())).start().unwrap();
    let corpus = corpus();
    for Secret { text, .. } in &corpus {
        end(&observing, Span { input: Some((*text).into()), ..root("a") });
    }
    observing.flush_blocking(PATIENCE).unwrap();
    let bytes = received(&receiver);
    for Secret { kind, text, secret } in corpus {
        assert_eq!(contains(&bytes, secret), kind != "secrets", "{text}");
    }
}

#[test]
fn no_secret_reaches_the_disk() {
    for protocol in [Protocol::HttpProtobuf, Protocol::HttpJson] {
        let folder = tempfile::tempdir().unwrap();
        // Nobody listens there.
        let destination = otlp("http://127.0.0.1:9/v1/traces", protocol);
        let limits = Limits { give_up_after: Duration::ZERO, ..quick() };
        let observe = Observe::new().bus(&Bus::new()).masking(all()).flush_deadline(PATIENCE);
        let observe = observe.destination(destination.limits(limits));
        let observing = observe.spool(SpoolConfig::new(folder.path())).start().unwrap();
        for Secret { text, .. } in corpus() {
            end_all(&observing, text);
        }
        let _ = observing.flush_blocking(PATIENCE);
        assert!(health(&observing).spooled > 1000, "{:?}", health(&observing));
        let bytes = files(folder.path());
        assert!(contains(&bytes, "before ") && contains(&bytes, "[redacted:key]"));
        for Secret { text, secret, .. } in corpus() {
            assert!(!contains(&bytes, secret), "{text}");
        }
    }
}

/// All that is in the files of a folder.
fn files(folder: &Path) -> Vec<u8> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { std::fs::read(path).unwrap() })
        .collect()
}

#[test]
fn a_redactor_that_panics_hides_the_value_and_not_the_batch() {
    let receiver = Receiver::ok();
    let masking = Masking::none().function(|text| {
        assert!(!text.contains("boom"), "tested");
        text.into()
    });
    let observing = observe(langfuse(&receiver), masking.clone()).start().unwrap();
    for input in ["fine", "boom sk-secret"] {
        end(&observing, Span { input: Some(input.into()), ..root(input) });
    }
    observing.flush_blocking(PATIENCE).unwrap();
    assert_eq!(receiver.accepted(), ["fine", "[redaction failed]"]);
    assert!(!contains(&received(&receiver), "sk-secret"));
    assert_eq!(masking.failures(), 2);
}

#[test]
fn an_own_function_masks_too() {
    let receiver = Receiver::ok();
    let observe = observe(langfuse(&receiver), Masking::default());
    let observing = observe.mask(|text| text.replace("ACME", "[customer]").into()).start().unwrap();
    end(&observing, root("ACME with sk-abcdef1234567890"));
    observing.flush_blocking(PATIENCE).unwrap();
    assert_eq!(receiver.accepted(), ["[customer] with [redacted:key]"]);
}

/// A conversation, with something said in every place.
fn conversation() -> Span {
    let said = |text: &str| Message::user(text);
    let output = Message {
        parts: vec![Part::Reasoning("think of latte".into()), Part::Text("a latte".into())],
        ..Message::assistant("")
    };
    let generation = Generation {
        messages: [Message::system("about latte"), said("latte?")].into(),
        output: Some(output),
        ..Generation::default()
    };
    let message = "no latte in `latte`";
    Span {
        status: Status::error("adapter", message),
        notes: vec![Note { at: Default::default(), name: "note".into(), message: message.into() }],
        detail: Detail::Generation(Box::new(generation)),
        ..root("chat")
    }
}

fn exported(destination: &str, content: Content) -> (Receiver, Vec<u8>) {
    let receiver = Receiver::ok();
    let destination = match destination {
        "langfuse" => langfuse(&receiver),
        _ => otlp(&receiver.traces_url(), Protocol::HttpProtobuf),
    };
    let observing =
        observe(destination, Masking::default()).capture_content(content).start().unwrap();
    let order = json!({"order": "latte", "count": 3});
    end(&observing, conversation());
    end(
        &observing,
        Span { input: Some(order.into()), output: Some("latte".into()), ..root("order") },
    );
    observing.flush_blocking(PATIENCE).unwrap();
    let bytes = received(&receiver);
    (receiver, bytes)
}

#[test]
fn without_content_nothing_of_it_leaves_not_even_in_errors() {
    for destination in ["langfuse", "otlp"] {
        for content in [Content::None, Content::Lengths] {
            let (_, bytes) = exported(destination, content);
            assert!(!contains(&bytes, "latte"), "{destination} {content:?}");
            assert!(
                contains(&bytes, "adapter") && contains(&bytes, "[19 bytes]"),
                "the error is told"
            );
            assert_eq!(contains(&bytes, "[27 bytes]"), content == Content::Lengths, "the order");
        }
        assert!(contains(&exported(destination, Content::Full).1, "latte in `latte`"));
    }
}

#[test]
fn lengths_keep_who_spoke() {
    let (_, bytes) = exported("langfuse", Content::Lengths);
    let expected = [
        r#"[{"role":"system","content":"[11 bytes]"},{"role":"user","content":"[6 bytes]"}]"#,
        r#"{"role":"assistant","content":"[7 bytes]","reasoning_content":"[14 bytes]"}"#,
    ];
    for expected in expected {
        assert!(contains(&bytes, expected), "{expected}");
    }
    let (_, bytes) = exported("otlp", Content::Lengths);
    assert!(contains(&bytes, r#"{"role":"user","parts":[{"type":"text","content":"[6 bytes]"}]}"#));
}

/// JSON with secrets and much that resembles them.
fn json_with_secrets() -> impl Strategy<Value = Value> {
    let texts: Vec<String> = corpus().iter().map(|secret| secret.text.to_owned()).collect();
    let text = prop_oneof![
        2 => prop::sample::select(texts.clone()),
        2 => "[\\PC\"\\\\\n:=]{0,30}",
        1 => ("\\PC{0,5}", prop::sample::select(texts), "\\PC{0,5}").prop_map(|(a, b, c)| format!("{a}. {b} {c}")),
        1 => prop::sample::select(vec!["password", "api_key", "token", "[redacted:key]", "Bearer ", "://a:b@"])
            .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        4 => text.clone().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let as_text = inner.clone().prop_map(|value| Value::from(value.to_string()));
        let fields = prop::collection::vec((text.clone(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            as_text,
        ]
    })
}

/// A payload that the exporter renders.
struct Rendered(Value);

impl Render for Rendered {
    fn render(&self) -> Value {
        self.0.clone()
    }
}

/// The inputs of spans after they were exported.
fn through(inputs: Vec<Payload>) -> Vec<String> {
    let receiver = Receiver::ok();
    let destination = otlp(&receiver.traces_url(), Protocol::HttpProtobuf);
    let observing = observe(destination, all()).start().unwrap();
    for input in inputs {
        end(&observing, Span { input: Some(input), ..root("a") });
    }
    observing.flush_blocking(PATIENCE).unwrap();
    assert_eq!(health(&observing).dropped.total(), 0);
    let requests = receiver.requests();
    let exports = requests.iter().flat_map(|request| &request.export.resource_spans);
    let spans = exports.flat_map(|it| &it.scope_spans).flat_map(|it| &it.spans);
    let input = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
        let input = span.attributes.iter().find(|attribute| attribute.key == "input.value");
        let value = input.unwrap().value.clone().unwrap().value.unwrap();
        match value {
            opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text) => text,
            other => panic!("{other:?}"),
        }
    };
    spans.map(input).collect()
}

/// What the strings, keys and numbers of JSON are, without the words in them.
fn shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(fields) => fields.values().map(shape).collect(),
        _ => Value::Null,
    }
}

/// Texts of the signs and words that redactors look for.
fn text_like_a_secret() -> impl Strategy<Value = String> {
    const SIGNS: &str = r#"(password|api_key|token|cookie|Bearer |Basic |Authorization|sk-|://|@|\.com|4111|[=:"'\\\[\]{}()a-zA-Z0-9 ,;.\-\n]){0,40}"#;
    prop_oneof!["(?s).{0,80}", SIGNS]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn masked_json_stays_json_and_masking_again_changes_nothing(values in prop::collection::vec(json_with_secrets(), 1..20)) {
        let secrets = corpus();
        let objects: Vec<_> = values.into_iter().map(|value| json!([value])).collect();
        let typed = objects.iter().map(|value| Payload::shared(Arc::new(Rendered(value.clone()))));
        let once = through(typed.collect());
        prop_assert_eq!(once.len(), objects.len());
        for (before, after) in objects.iter().zip(&once) {
            let parsed: Value = serde_json::from_str(after).unwrap();
            // Two keys may become one.
            if !before.to_string().contains('{') {
                prop_assert_eq!(shape(before), shape(&parsed));
            }
            for secret in secrets.iter().filter(|secret| secret.kind != "secrets" || secret.secret.starts_with("hunter")) {
                let hidden = !after.contains(secret.secret) || !before.to_string().contains(secret.text);
                prop_assert!(hidden, "{}: {}", secret.secret, after);
            }
        }
        // A text that is JSON is masked as JSON is.
        let texts = once.iter().map(|text| Payload::from(text.as_str()));
        prop_assert_eq!(through(texts.collect()), once);
    }

    #[test]
    fn masking_texts_again_changes_nothing(text in text_like_a_secret(), place in 0..48_usize) {
        let masking = all();
        let corpus = corpus();
        let text = format!("{text}{}", corpus.get(place).map_or("", |secret| secret.text));
        let once = masking.redact(&text).into_owned();
        prop_assert_eq!(masking.redact(&once), once.as_str());
    }
}
