//! Lines of spans: each with its trace, and indented as deep as it lies in it.

use crate::paint::{self, Ink, Paint};
use glassbox::trace::time::Timestamp;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// The most spans whose parent is remembered.
const MOST: usize = 65_536;

/// The deepest that a line is indented.
const DEEPEST: usize = 20;

/// How many columns are enough for long names.
const WIDE: usize = 110;

/// The most characters of a text that somebody else wrote.
const MOST_CHARACTERS: usize = 100;

/// What is known of the spans that were seen.
#[derive(Debug)]
pub(super) struct Tree {
    paint: Paint,
    parents: HashMap<String, Option<String>>,
    /// In the order in which they are forgotten.
    seen: VecDeque<String>,
}

impl Tree {
    pub(super) fn new(paint: Paint) -> Self {
        Self { paint, parents: HashMap::new(), seen: VecDeque::new() }
    }

    /// The line of a span that began.
    pub(super) fn began(&self, span: &Value, width: Option<usize>) -> String {
        self.line(span, &span["start_us"], ">", &[(Ink::Faint, "...".to_owned())], width)
    }

    /// The line of a span that ended.
    pub(super) fn ended(&self, span: &Value, width: Option<usize>) -> String {
        let state = span["state"].as_str().unwrap_or_default();
        let mark = match state {
            "error" => "x",
            "abandoned" => "?",
            _ => "<",
        };
        let facts = match state {
            "abandoned" => vec![(Ink::Plain, "abandoned: its process is gone".to_owned())],
            _ => facts(span),
        };
        let at = if span["end_us"].is_null() { &span["start_us"] } else { &span["end_us"] };
        self.line(span, at, mark, &facts, width)
    }

    fn line(
        &self,
        span: &Value,
        at: &Value,
        mark: &str,
        facts: &[(Ink, String)],
        width: Option<usize>,
    ) -> String {
        let text = |key: &str| span[key].as_str().unwrap_or_default();
        let depth = self.depth(text("span_id"));
        let at = Timestamp::from_unix_nanos(at.as_u64().unwrap_or_default().saturating_mul(1000));
        let ink = match (text("state"), text("kind")) {
            ("error", _) => Ink::Error,
            (_, "generation") => Ink::Generation,
            (_, "chain" | "agent") => Ink::Chain,
            _ => Ink::Span,
        };
        let trace: String = text("trace_id").chars().take(6).collect();
        let is_narrow = width.is_some_and(|width| width < WIDE);
        let (name_width, step) = if is_narrow { (30, 1) } else { (44, 2) };
        let indent = " ".repeat(step * depth);
        let mut name = format!("{indent}{mark} {}", safe(text("name")));
        if is_narrow {
            name = name.chars().take(name_width).collect();
        }
        let mut parts = vec![
            (Ink::Faint, format!("{} {trace}  ", paint::clock(at))),
            (ink, format!("{name:<name_width$}")),
        ];
        for (ink, fact) in facts {
            parts.push((*ink, format!("  {fact}")));
        }
        self.cut(&parts, width)
    }

    /// Puts parts side by side, as far as they fit.
    fn cut(&self, parts: &[(Ink, String)], width: Option<usize>) -> String {
        let mut left = width.unwrap_or(usize::MAX);
        let mut line = String::new();
        for (at, (ink, text)) in parts.iter().enumerate() {
            let text = if at + 1 == parts.len() { text.trim_end() } else { text };
            let long = text.chars().count();
            let text: String = match long > left {
                true => text.chars().take(left.saturating_sub(1)).chain(['…']).collect(),
                false => text.to_owned(),
            };
            line.push_str(&self.paint.paint(*ink, &text));
            if long > left {
                break;
            }
            left -= long;
            if left == 0 {
                break;
            }
        }
        line
    }

    /// Takes note of what a span hangs below, before any line of it or of its children is made.
    pub(super) fn know(&mut self, span: &Value) {
        let text = |key: &str| span[key].as_str().map(str::to_owned);
        let Some(id) = text("span_id") else { return };
        if self.parents.insert(id.clone(), text("parent_id")).is_some() {
            return;
        }
        self.seen.push_back(id);
        if self.seen.len() > MOST
            && let Some(oldest) = self.seen.pop_front()
        {
            self.parents.remove(&oldest);
        }
    }

    /// How many spans are above, as far as they were seen.
    fn depth(&self, span: &str) -> usize {
        let mut above = span;
        // Spans can be in a circle.
        for depth in 0..DEEPEST {
            match self.parents.get(above) {
                Some(Some(parent)) => above = parent,
                // It is a root, or was not seen: it began before we looked, or comes later.
                Some(None) | None => return depth,
            }
        }
        DEEPEST
    }
}

/// What is told of a span that ended: how long it took, what it used and cost, and how it went.
fn facts(span: &Value) -> Vec<(Ink, String)> {
    let mut facts = Vec::new();
    if let Some(took) = span["duration_us"].as_u64() {
        facts.push(format!("{:>6}", paint::duration(Duration::from_micros(took))));
    }
    let tokens = &span["tokens"];
    if let (Some(total), Some(output)) = (tokens["total"].as_u64(), tokens["output"].as_u64()) {
        let output = output + tokens["reasoning"].as_u64().unwrap_or_default();
        let (input, output) = (paint::count(total.saturating_sub(output)), paint::count(output));
        facts.push(format!("{input} -> {output} tok"));
    }
    if let Some(cost) = span["cost_usd"].as_str() {
        facts.push(format!("${cost}"));
    }
    if span["phases"]["attempts"].as_u64() > Some(1) {
        facts.push(format!("{} attempts", span["phases"]["attempts"]));
    }
    if span["phases"]["cache_hit"] == true {
        facts.push("from the cache".to_owned());
    }
    let mut facts: Vec<_> = facts.into_iter().map(|fact| (Ink::Plain, fact)).collect();
    if let Some(kind) = span["error"]["type"].as_str() {
        let message = span["error"]["message"].as_str().unwrap_or_default();
        let error = format!("failed: {}", safe(&format!("{kind} {message}")));
        facts.push((Ink::Error, error));
    } else if let Some(preview) = span["preview"].as_str() {
        facts.push((Ink::Faint, safe(preview)));
    }
    facts
}

/// A text of somebody else on one line, without anything that a terminal would obey.
pub(crate) fn safe(text: &str) -> String {
    let text: String =
        text.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c }).collect();
    paint::short(&text, MOST_CHARACTERS)
}

/// Characters that turn the order of others around.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_trace_is_a_tree_of_lines() {
        let mut tree = Tree::new(Paint { colour: false });
        let us = 1_767_225_600_000_000_u64;
        let root = json!({"trace_id": "0af7651916cd", "span_id": "a", "parent_id": null, "name": "Shop.forward",
            "kind": "span", "state": "running", "start_us": us});
        let mut call = json!({"trace_id": "0af7651916cd", "span_id": "b", "parent_id": "a", "name": "chat\u{1b}[2J",
            "kind": "generation", "state": "running", "start_us": us});
        // The call is known first, as it is when it ends before its parent does.
        [&call, &root].into_iter().for_each(|span| tree.know(span));
        let lines = [tree.began(&root, None), tree.began(&call, None), {
            call["state"] = "error".into();
            call["end_us"] = (us + 812_000).into();
            call["duration_us"] = 812_000.into();
            call["tokens"] = json!({"input": 10, "output": 2, "reasoning": 0, "total": 12});
            call["error"] = json!({"type": "429", "message": "slow\ndown"});
            tree.ended(&call, None)
        }];
        assert_eq!(
            lines,
            [
                "00:00:00.000 0af765  > Shop.forward                                ...",
                "00:00:00.000 0af765    > chat [2J                                  ...",
                "00:00:00.812 0af765    x chat [2J                                   812ms  10 -> 2 tok  failed: 429 slow down",
            ]
        );
        let narrow = tree.ended(&call, Some(80));
        assert_eq!(
            narrow,
            "00:00:00.812 0af765   x chat [2J                      812ms  10 -> 2 tok  faile…"
        );
        tree.paint.colour = true;
        let painted = tree.ended(&call, Some(40));
        assert!(painted.ends_with("…\u{1b}[0m"), "{painted:?}");
    }
}
