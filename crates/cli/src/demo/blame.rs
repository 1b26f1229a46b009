//! What the time of a trace went to: its critical path, from the end of the root back to its beginning.
//!
//! At each moment the path is in the span that the others waited for: of several that ran at the same time, in the one
//! that ended last. What no child covers is the span's own.

use crate::paint;
use glassbox::trace::id::SpanId;
use glassbox::trace::span::{Detail, Span};
use glassbox::trace::time::Timestamp;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A stretch of the critical path, which nothing below the span covers.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) span: Arc<Span>,
    pub(super) took: Duration,
}

/// What time went to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Blame {
    /// The model, from the request to the end of the answer.
    generation_ms: f64,
    /// Our own limit of calls.
    limiter_ms: f64,
    /// Pauses after attempts that failed, and those attempts.
    retry_ms: f64,
    tool_ms: f64,
    code_ms: f64,
    /// The program itself.
    own_ms: f64,
}

/// Returns the critical path of a trace, latest first; of several roots, that of the one that ended last.
pub(super) fn critical_path(spans: &[Arc<Span>]) -> Vec<Stretch> {
    let mut children: HashMap<SpanId, Vec<&Arc<Span>>> = HashMap::new();
    for span in spans {
        // What failed within a generation is the generation's.
        if let (
            Some(parent),
            Detail::Span
            | Detail::Generation(_)
            | Detail::Agent(_)
            | Detail::Tool(_)
            | Detail::Chain(_),
        ) = (span.parent_id, &span.detail)
        {
            children.entry(parent).or_default().push(span);
        }
    }
    let roots = spans.iter().filter(|span| span.parent_id.is_none());
    let mut path = Vec::new();
    if let Some(root) = roots.max_by_key(|span| span.end)
        && let Some(end) = root.end
    {
        walk(root, root.start, end, &children, &mut path);
    }
    path
}

/// Goes back through a span from `end` to `start`. Children that reach beyond are cut, and each step leads further
/// back, so that spans of any times come to an end.
fn walk(
    span: &Arc<Span>,
    start: Timestamp,
    end: Timestamp,
    children: &HashMap<SpanId, Vec<&Arc<Span>>>,
    path: &mut Vec<Stretch>,
) {
    let mut own = Duration::ZERO;
    let mut cursor = end;
    let below = children.get(&span.span_id).map(Vec::as_slice).unwrap_or_default();
    while cursor > start {
        let before = below.iter().filter(|child| child.start < cursor && child.end > Some(start));
        let Some(last) = before.max_by_key(|child| child.end.min(Some(cursor))) else { break };
        let last_end = last.end.unwrap_or(cursor).min(cursor);
        own += cursor.since(last_end);
        let last_start = last.start.max(start);
        walk(last, last_start, last_end, children, path);
        cursor = last_start;
    }
    own += cursor.since(start);
    path.push(Stretch { span: Arc::clone(span), took: own });
}

impl FromIterator<Stretch> for Blame {
    fn from_iter<I: IntoIterator<Item = Stretch>>(stretches: I) -> Self {
        let mut blame = Self::default();
        for Stretch { span, took } in stretches {
            let took = millis(took);
            match &span.detail {
                Detail::Generation(call) => {
                    // Of a call that is only partly on the path, the waits are so in the same measure.
                    let share = took / millis(span.duration().unwrap_or_default()).max(1e-6);
                    let limiter = (millis(call.limiter_wait) * share).min(took);
                    let retry = (millis(call.backoff_wait) * share).min(took - limiter);
                    blame.limiter_ms += limiter;
                    blame.retry_ms += retry;
                    blame.generation_ms += took - limiter - retry;
                }
                Detail::Tool(tool) if &*tool.name == "execute_code" => blame.code_ms += took,
                Detail::Tool(_) => blame.tool_ms += took,
                _ => blame.own_ms += took,
            }
        }
        blame.rounded()
    }
}

impl Blame {
    /// Returns the share of the model; `None` without any time.
    pub(super) fn generation_percent(&self) -> Option<f64> {
        let total = self.total();
        (total > 0.0).then(|| (self.generation_ms / total * 1000.0).round() / 10.0)
    }

    /// Writes what took longest, and what took a hundredth of the time at least: `generation 71 %, the limiter 18 %`.
    pub(super) fn in_words(&self) -> Option<String> {
        let mut parts = self.parts();
        parts.sort_by(|(_, left), (_, right)| right.total_cmp(left));
        let total = self.total();
        let shares = parts.iter().map(|(name, part)| (name, part / total * 100.0));
        let told = shares.filter(|(_, share)| *share >= 1.0);
        let told: Vec<_> = told.map(|(name, share)| format!("{name} {share:.0} %")).collect();
        (total > 0.0).then(|| told.join(", "))
    }

    const fn parts(&self) -> [(&'static str, f64); 6] {
        [
            ("generation", self.generation_ms),
            ("waiting for the limiter", self.limiter_ms),
            ("pauses after failures", self.retry_ms),
            ("tools", self.tool_ms),
            ("code", self.code_ms),
            ("the program itself", self.own_ms),
        ]
    }

    fn total(&self) -> f64 {
        self.parts().iter().map(|(_, part)| part).sum()
    }

    fn rounded(self) -> Self {
        let round = |ms: f64| (ms * 100.0).round() / 100.0;
        Self {
            generation_ms: round(self.generation_ms),
            limiter_ms: round(self.limiter_ms),
            retry_ms: round(self.retry_ms),
            tool_ms: round(self.tool_ms),
            code_ms: round(self.code_ms),
            own_ms: round(self.own_ms),
        }
    }
}

/// Says which single span of a trace took longest on its critical path, and where it stands.
pub(super) fn slowest(spans: &[Arc<Span>]) -> Option<String> {
    let path = critical_path(spans);
    let longest = path.iter().max_by_key(|stretch| stretch.took)?;
    let by_id: HashMap<_, _> = spans.iter().map(|span| (span.span_id, span)).collect();
    let mut names = vec![longest.span.name.to_string()];
    let mut above = longest.span.parent_id;
    // A chain of parents is never longer than the trace, unless it is a circle.
    for _ in spans {
        let Some(span) = above.and_then(|id| by_id.get(&id)) else { break };
        names.push(span.name.to_string());
        above = span.parent_id;
    }
    names.reverse();
    let mut text = format!("{}: {}", names.join(" > "), paint::duration(longest.took));
    if let Detail::Generation(call) = &longest.span.detail {
        let waits = [
            ("waiting for the limiter", call.limiter_wait),
            ("pausing after failures", call.backoff_wait),
        ];
        for (what, wait) in waits.into_iter().filter(|(_, wait)| wait.as_millis() > 0) {
            text.push_str(&format!(", of which {} {what}", paint::duration(wait)));
        }
    }
    Some(text)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use glassbox::trace::id::TraceId;
    use glassbox::trace::span::{Generation, Status, Tool};

    /// A span from one millisecond to another.
    fn span(id: u64, parent: u64, detail: Detail, from: u64, to: u64) -> Arc<Span> {
        let at = |ms: u64| Timestamp::from_unix_nanos(ms * 1_000_000);
        Arc::new(Span {
            trace_id: TraceId::from_bytes([1; 16]),
            span_id: SpanId::from_bytes(id.to_be_bytes()),
            parent_id: (parent > 0).then(|| SpanId::from_bytes(parent.to_be_bytes())),
            name: format!("s{id}").into(),
            start: at(from),
            end: Some(at(to)),
            status: Status::Ok,
            trace: Arc::default(),
            input: None,
            output: None,
            notes: Vec::new(),
            detail,
            attributes: Vec::new(),
        })
    }

    fn generation(limiter: u64, backoff: u64) -> Detail {
        Detail::Generation(Box::new(Generation {
            limiter_wait: Duration::from_millis(limiter),
            backoff_wait: Duration::from_millis(backoff),
            ..Generation::default()
        }))
    }

    fn tool(name: &str) -> Detail {
        Detail::Tool(Tool { name: name.into(), ..Tool::default() })
    }

    #[test]
    fn of_two_at_once_the_one_that_ended_last_is_to_blame() {
        let spans = [
            span(1, 0, Detail::Span, 0, 100),
            span(2, 1, generation(10, 5), 10, 50),
            span(3, 1, tool("a"), 50, 70),
            span(4, 1, tool("execute_code"), 55, 90),
        ];
        let blame: Blame = critical_path(&spans).into_iter().collect();
        let expected = Blame {
            generation_ms: 25.0,
            limiter_ms: 10.0,
            retry_ms: 5.0,
            tool_ms: 5.0,
            code_ms: 35.0,
            own_ms: 20.0,
        };
        assert_eq!(blame, expected);
        assert_eq!(blame.total(), 100.0);
        assert_eq!(
            blame.in_words().unwrap(),
            "code 35 %, generation 25 %, the program itself 20 %, waiting for the limiter 10 %, pauses after failures 5 %, tools 5 %"
        );
        assert_eq!(
            slowest(&spans).unwrap(),
            "s1 > s2: 40ms, of which 10ms waiting for the limiter, of which 5ms pausing after failures"
        );
    }

    #[test]
    fn spans_out_of_their_parent_s_time_are_cut() {
        let spans = [
            span(1, 0, Detail::Span, 100, 200),
            span(2, 1, tool("a"), 50, 120),
            span(3, 1, tool("b"), 180, 400),
            span(4, 1, tool("c"), 300, 400),
        ];
        let blame: Blame = critical_path(&spans).into_iter().collect();
        assert_eq!((blame.tool_ms, blame.own_ms), (40.0, 60.0));
        assert!(critical_path(&[]).is_empty());
        assert_eq!(Blame::default().in_words(), None);
    }
}
