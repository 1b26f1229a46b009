//! Lines of spans: each with its trace, and indented as deep as it lies in it.

use crate::paint::{self, Ink, Paint};
use glassbox::trace::time::Timestamp;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// The most spans whose depth is remembered.
const MOST: usize = 65_536;

/// The deepest that a line is indented.
const DEEPEST: usize = 20;

/// The most characters of a text that somebody else wrote.
const MOST_CHARACTERS: usize = 100;

/// What is known of the spans that were seen.
#[derive(Debug)]
pub(super) struct Tree {
    paint: Paint,
    depths: HashMap<String, usize>,
    /// In the order in which they are forgotten.
    seen: VecDeque<String>,
}

impl Tree {
    pub(super) fn new(paint: Paint) -> Self {
        Self { paint, depths: HashMap::new(), seen: VecDeque::new() }
    }

    /// The line of a span that began.
    pub(super) fn began(&mut self, span: &Value) -> String {
        self.line(span, &span["start_us"], ">", &self.paint.paint(Ink::Faint, "..."))
    }

    /// The line of a span that ended.
    pub(super) fn ended(&mut self, span: &Value) -> String {
        let mut facts = Vec::new();
        let state = span["state"].as_str().unwrap_or_default();
        if let Some(took) = span["duration_us"].as_u64() {
            facts.push(paint::duration(Duration::from_micros(took)));
        }
        let tokens = &span["tokens"];
        if let (Some(total), Some(output)) = (tokens["total"].as_u64(), tokens["output"].as_u64()) {
            let reasoning = tokens["reasoning"].as_u64().unwrap_or_default();
            let output = output + reasoning;
            let (input, output) =
                (paint::count(total.saturating_sub(output)), paint::count(output));
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
        let mut facts = facts.join("  ");
        if let Some(kind) = span["error"]["type"].as_str() {
            let message = span["error"]["message"].as_str().unwrap_or_default();
            let error = format!("failed: {}", safe(&format!("{kind} {message}")));
            facts = format!("{facts}  {}", self.paint.paint(Ink::Error, &error));
        } else if let Some(preview) = span["preview"].as_str() {
            facts = format!("{facts}  {}", self.paint.paint(Ink::Faint, &safe(preview)));
        }
        let mark = match state {
            "error" => "x",
            "abandoned" => "?",
            _ => "<",
        };
        let facts = if state == "abandoned" { "abandoned: its process is gone" } else { &facts };
        let at = if span["end_us"].is_null() { &span["start_us"] } else { &span["end_us"] };
        self.line(span, at, mark, facts)
    }

    fn line(&mut self, span: &Value, at: &Value, mark: &str, facts: &str) -> String {
        let text = |key: &str| span[key].as_str().unwrap_or_default();
        let depth = self.depth(text("span_id"), span["parent_id"].as_str());
        let at = Timestamp::from_unix_nanos(at.as_u64().unwrap_or_default().saturating_mul(1000));
        let ink = match (text("state"), text("kind")) {
            ("error", _) => Ink::Error,
            (_, "generation") => Ink::Generation,
            (_, "chain" | "agent") => Ink::Chain,
            _ => Ink::Span,
        };
        let trace: String = text("trace_id").chars().take(6).collect();
        let name = format!("{}{mark} {}", "  ".repeat(depth.min(DEEPEST)), safe(text("name")));
        let clock = self.paint.paint(Ink::Faint, &format!("{} {trace}", paint::clock(at)));
        format!("{clock}  {}  {facts}", self.paint.paint(ink, &format!("{name:<44}")))
            .trim_end()
            .to_owned()
    }

    fn depth(&mut self, span: &str, parent: Option<&str>) -> usize {
        if let Some(depth) = self.depths.get(span) {
            return *depth;
        }
        // A parent that was not seen began before we looked, or ends after its children.
        let above = parent.map(|parent| self.depths.get(parent).copied().unwrap_or_default());
        let depth = above.map_or(0, |above| above + 1);
        if self.seen.len() >= MOST
            && let Some(oldest) = self.seen.pop_front()
        {
            self.depths.remove(&oldest);
        }
        self.seen.push_back(span.to_owned());
        self.depths.insert(span.to_owned(), depth);
        depth
    }
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
        let lines = [tree.began(&root), tree.began(&call), {
            call["state"] = "error".into();
            call["end_us"] = (us + 812_000).into();
            call["duration_us"] = 812_000.into();
            call["tokens"] = json!({"input": 10, "output": 2, "reasoning": 0, "total": 12});
            call["error"] = json!({"type": "429", "message": "slow\ndown"});
            tree.ended(&call)
        }];
        assert_eq!(
            lines,
            [
                "00:00:00.000 0af765  > Shop.forward                                ...",
                "00:00:00.000 0af765    > chat [2J                                  ...",
                "00:00:00.812 0af765    x chat [2J                                  812ms  10 -> 2 tok  failed: 429 slow down",
            ]
        );
    }
}
