//! Content: left out where it is not wanted, and cut where it is too much.

use super::arbitrary::value;
use super::fixture::{self, span};
use super::{PROFILES, attributes};
use glassbox_trace::message::Message;
use glassbox_trace::otlp::{Encoding, Profile};
use glassbox_trace::span::{Detail, Generation, Span};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn content_can_be_left_out_and_the_rest_stays() {
    let spans = || [fixture::coffee_shop(), fixture::kinds()].concat();
    for profile in PROFILES {
        let all = Encoding::new(profile);
        let without = Encoding { capture_content: false, ..all };
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
