//! Content: left out where it is not wanted, and cut where it is too much.

use super::arbitrary::{self, value};
use super::fixture::{self, span};
use super::{PROFILES, attributes};
use glassbox_trace::message::Message;
use glassbox_trace::otlp::{self, Content, Encoding, Filter, Profile, Resource};
use glassbox_trace::span::{Detail, Generation, Span, TraceAttributes};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

#[test]
fn content_can_be_left_out_and_the_rest_stays() {
    let spans = || [fixture::coffee_shop(), fixture::kinds()].concat();
    for profile in PROFILES {
        let all = Encoding::new(profile);
        let without = Encoding { content: Content::None, ..all };
        for span in spans() {
            let mut left = attributes(&span, &all);
            left.retain(|key, _| {
                let content = [
                    "input.",
                    "output.",
                    "langfuse.observation.input",
                    "langfuse.observation.output",
                ];
                let is_content = content.iter().any(|prefix| key.starts_with(prefix));
                !is_content && !key.ends_with(".messages") && key != "gen_ai.tool.definitions"
            });
            assert_eq!(attributes(&span, &without), left, "{}", span.name);
        }
    }
}

/// JSON with some long texts in it.
fn large() -> impl Strategy<Value = Value> {
    let text = "[\\PC\"\\\\\n]{0,300}".prop_map(Value::from);
    vec(prop_oneof![value(), text], 0..12).prop_map(Value::from)
}

proptest! {
    #[test]
    fn cut_json_stays_json_within_its_limit(large in large(), limit in 128..2000_usize) {
        let whole = large.to_string();
        let span = Span { input: Some(large.clone().into()), ..span(Detail::Span) };
        for (profile, key) in [(Profile::OpenTelemetry, "input.value"), (Profile::Langfuse, "langfuse.observation.input")] {
            let written = attributes(&span, &Encoding { payload_limit: limit, ..Encoding::new(profile) });
            let written = written[key].as_str().unwrap();
            prop_assert!(written.len() <= limit);
            let read: Value = serde_json::from_str(written).unwrap();
            if whole.len() <= limit {
                prop_assert_eq!(&read, &large);
            }
        }
    }

    #[test]
    fn cut_texts_stay_within_their_limit(text in "\\PC{0,300}", limit in 128..500_usize) {
        let span = Span { input: Some(text.as_str().into()), ..span(Detail::Span) };
        let encoding = Encoding { payload_limit: limit, ..Encoding::new(Profile::OpenTelemetry) };
        let written = attributes(&span, &encoding);
        let written = written["input.value"].as_str().unwrap();
        prop_assert!(written.len() <= limit);
        prop_assert!(written == text || text.starts_with(written.rsplit_once('…').unwrap().0));
    }
}

/// Lets everything pass, and counts.
#[derive(Default)]
struct Nothing(Cell<usize>);

impl Filter for Nothing {
    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.set(self.0.get() + 1);
        text.into()
    }
}

proptest! {
    #[test]
    fn a_filter_that_lets_everything_pass_changes_nothing(spans in vec(arbitrary::span(), 1..3)) {
        let resource = Resource::new("tests");
        for profile in PROFILES {
            let encoding = Encoding::new(profile);
            let filter = Nothing::default();
            let filtered = otlp::encode_filtered(&spans, &resource, &encoding, &filter);
            prop_assert_eq!(filtered, otlp::encode(&spans, &resource, &encoding));
            prop_assert!(filter.0.get() > spans.len());
        }
    }
}

#[test]
fn a_filter_sees_what_is_cut_away_later() {
    struct Upper;
    impl Filter for Upper {
        fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
            text.to_uppercase().into()
        }
    }
    let trace = TraceAttributes { user_id: Some("u".repeat(500).into()), ..Default::default() };
    let input = json!({"long": "x".repeat(500)});
    let span =
        Span { trace: Arc::new(trace), input: Some(input.into()), ..fixture::span(Detail::Span) };
    let encoding = Encoding { payload_limit: 200, ..Encoding::new(Profile::Langfuse) };
    let request = otlp::encode_filtered(&[span], &Resource::default(), &encoding, &Upper);
    let json = String::from_utf8(request.to_json()).unwrap();
    assert!(json.contains(&"U".repeat(160)) && !json.contains("xxx"), "{json}");
}

#[test]
fn a_long_message_keeps_the_conversation_whole() {
    let messages = [Message::system("Be brief."), Message::user("x".repeat(10_000))];
    let generation = Generation { messages: messages.into(), ..fixture::generation() };
    let span = span(Detail::Generation(Box::new(generation)));
    let encoding = Encoding { payload_limit: 1000, ..Encoding::new(Profile::OpenTelemetry) };
    let messages = super::json(&attributes(&span, &encoding), "gen_ai.input.messages");
    assert_eq!(messages[0]["parts"][0]["content"], "Be brief.");
    let cut = messages[1]["parts"][0]["content"].as_str().unwrap();
    assert!(cut.starts_with("xxx") && cut.ends_with(" bytes]"), "{cut}");
}

#[test]
fn pictures_become_type_size_and_hash() {
    let picture = json!({"image": "data:image/png;base64,aGVsbG8=", "caption": "latte"});
    let span = Span { input: Some(picture.into()), ..span(Detail::Span) };
    for (profile, key) in
        [(Profile::OpenTelemetry, "input.value"), (Profile::Langfuse, "langfuse.observation.input")]
    {
        assert_eq!(
            attributes(&span, &Encoding::new(profile))[key],
            r#"{"image":"[image/png, 5 bytes, sha256 2cf24dba5fb0a30e…]","caption":"latte"}"#
        );
    }
}
