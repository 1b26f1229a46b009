//! What can be typed as a filter, and what is said of what cannot.

use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_795_352_738_000_000;

fn one(text: &str) -> Condition {
    let filter = Filter::parse(text, NOW).unwrap();
    assert_eq!(filter.terms.len(), 1, "{text}");
    filter.terms[0].condition.clone()
}

fn range(text: &str, min: impl Into<Option<i64>>, max: impl Into<Option<i64>>) {
    let Condition::Number(_, range) = one(text) else { panic!("{text} is no range") };
    assert_eq!(range, Range { min: min.into(), max: max.into() }, "{text}");
}

#[test]
fn terms_are_told_apart() {
    let filter = Filter::parse(r#"iced  name:"Coffee Shop" -tag:test "a: b""#, NOW).unwrap();
    let expected = [
        (false, Condition::Words("iced".into())),
        (false, Condition::Text(TextKey::Name, Pattern::new("Coffee Shop"))),
        (true, Condition::Text(TextKey::Tag, Pattern::new("test"))),
        (false, Condition::Phrase("a: b".into())),
    ];
    let terms = expected.map(|(negated, condition)| Term { negated, condition });
    assert_eq!(filter.terms, terms);
    assert_eq!(filter.words().collect::<Vec<_>>(), ["iced", "a: b"]);
    assert!(Filter::parse("  ", NOW).unwrap().is_empty());
    assert_eq!(one("env:prod"), Condition::Text(TextKey::Environment, Pattern::new("prod")));
    assert_eq!(one("status:abandoned"), Condition::Status(Status::Abandoned));
    assert_eq!(one("has:cache_hit"), Condition::Has(Has::CacheHit));
    assert_eq!(one("metadata.shop:7"), Condition::Metadata("shop".into(), Pattern::new("7")));
}

#[test]
fn ranges_have_units() {
    range("cost:>0.01", 10_000_000_001, None);
    range("cost:<=$1.5", None, 1_500_000_000_000);
    range("duration:>=2s", 2_000_000, None);
    range("duration:250ms..1.5m", 250_000, 90_000_000);
    range("tokens:100..500", 100, 500);
    range("tokens:<1.5k", None, 1_499);
    range("retries:0", 0, 0);
    range("start:>=-1h", NOW - 3_600_000_000, None);
    range("start:2026-11-22..2026-11-23T12:00", 1_795_305_600_000_000, 1_795_435_200_000_000);
    range("spans:..5", None, 5);
}

#[test]
fn what_is_wrong_is_said() {
    let check = |text: &str, at: usize, message: &str| {
        let error = Filter::parse(text, NOW).unwrap_err();
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    };
    check("name:x colour:red", 7, "no key \"colour\"; type one of name, model");
    check("status:ok", 7, "type one of running, done, error, abandoned");
    check("cost:>cheap", 5, "no amount of dollars; type cost:>0.01");
    check("duration:>2w", 9, "no duration");
    check("start:yesterday", 6, "no time");
    check("name:\"x", 5, "no partner");
    check("model:", 6, "needs a value");
    check(&"x".repeat(5000), 4096, "longer than");
}

#[test]
fn patterns_have_gaps() {
    let check = |pattern: &str, text: &str, fits: bool| {
        assert_eq!(Pattern::new(pattern).matches(text), fits, "{pattern} {text}");
    };
    check("gpt-4*", "GPT-4o-mini", true);
    check("gpt-4", "gpt-4o", false);
    check("*mini", "gpt-4o-mini", true);
    check("a*a", "a", false);
    check("a*b*c", "a-b-b-c", true);
    check("*", "", true);
    check("", "", true);
    assert_eq!(Pattern::new("50%_*").to_like(), r"50\%\_%");
}

proptest! {
    #[test]
    fn nothing_panics(text in "[ -~é]{0,60}", words in "(-?(name|cost|start|duration|has|x):?[<>=.]{0,2}[0-9a-z\"*-]{0,9} ?){0,6}") {
        for text in [text, words] {
            if let Err(error) = Filter::parse(&text, NOW) {
                prop_assert!(error.at <= text.len());
            }
        }
    }
}
