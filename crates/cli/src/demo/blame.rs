//! What the customers' time went to, in words: what the server's insight says of each trace, added up.

use crate::paint;
use glassbox_server::insight::{self, Headline};
use glassbox_server::view::SpanSummary;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What can be on a critical path, by the server's word for it, and in words.
const PARTS: [(&str, &str); 8] = [
    ("generation", "generation"),
    ("failed", "failed attempts"),
    ("limiter", "waiting for the limiter"),
    ("backoff", "pauses after failures"),
    ("tool", "tools"),
    ("retriever", "retrieval"),
    ("embedding", "embeddings"),
    ("own", "the program itself"),
];

/// Milliseconds on the critical paths of traces, by what they went to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Blame(BTreeMap<&'static str, f64>);

impl Serialize for Blame {
    /// Writes all parts, `generation_ms` and so on, also those that took no time.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rounded = |ms: f64| (ms * 100.0).round() / 100.0;
        serializer
            .collect_map(PARTS.map(|(part, _)| (format!("{part}_ms"), rounded(self.of(part)))))
    }
}

impl Blame {
    /// Adds what the time of a trace went to.
    pub(super) fn add(&mut self, headline: &Headline) {
        for (part, share) in &headline.blame {
            *self.0.entry(part).or_default() += share * headline.wall_us as f64 / 1e3;
        }
    }

    /// Returns the share of the model; `None` without any time.
    pub(super) fn generation_percent(&self) -> Option<f64> {
        let total = self.total();
        (total > 0.0).then(|| (self.of("generation") / total * 1000.0).round() / 10.0)
    }

    /// Writes what took longest, and what took a hundredth of the time at least: `generation 71 %, tools 18 %`.
    pub(super) fn in_words(&self) -> Option<String> {
        let total = self.total();
        let mut parts = PARTS.map(|(part, words)| (words, self.of(part)));
        parts.sort_by(|(_, left), (_, right)| right.total_cmp(left));
        let shares = parts.iter().map(|(words, ms)| (words, ms / total * 100.0));
        let told = shares.filter(|(_, share)| *share >= 1.0);
        let told: Vec<_> = told.map(|(words, share)| format!("{words} {share:.0} %")).collect();
        (total > 0.0).then(|| told.join(", "))
    }

    fn of(&self, part: &str) -> f64 {
        self.0.get(part).copied().unwrap_or_default()
    }

    fn total(&self) -> f64 {
        self.0.values().sum()
    }
}

/// Says which single span of a trace took longest on its critical path, and where it stands.
pub(super) fn slowest(spans: &[SpanSummary]) -> Option<String> {
    let mut took: HashMap<&str, i64> = HashMap::new();
    let path = insight::critical_path(spans, 0);
    for stretch in &path {
        *took.entry(&stretch.span_id).or_default() += stretch.to_us - stretch.from_us;
    }
    let by_id: HashMap<&str, &SpanSummary> =
        spans.iter().map(|span| (span.span_id.as_str(), span)).collect();
    // Of equals always the same.
    let (longest, us) = took.into_iter().max_by_key(|(id, us)| (*us, std::cmp::Reverse(*id)))?;
    let span = *by_id.get(longest)?;
    let mut names = vec![span.name.as_str()];
    let mut above = span.parent_id.as_deref();
    // A chain of parents is never longer than the trace, unless it is a circle.
    for _ in spans {
        let Some(parent) = above.and_then(|id| by_id.get(id)) else { break };
        names.push(&parent.name);
        above = parent.parent_id.as_deref();
    }
    names.reverse();
    let mut text = format!("{}: {}", names.join(" > "), paint::duration(micros(us)));
    let phases = span.phases.as_ref();
    let waits = [
        ("waiting for the limiter", phases.map_or(0, |phases| phases.limiter_wait_us)),
        ("pausing after failures", phases.map_or(0, |phases| phases.backoff_us)),
    ];
    for (what, wait) in waits.into_iter().filter(|(_, wait)| *wait >= 1000) {
        text.push_str(&format!(", of which {} {what}", paint::duration(micros(wait))));
    }
    Some(text)
}

/// Returns a time in microseconds as a duration; none if it is below zero.
pub(super) fn micros(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headline(wall_us: i64, blame: &[(&'static str, f64)]) -> Headline {
        Headline { wall_us, blame: blame.iter().copied().collect(), ..Headline::default() }
    }

    #[test]
    fn traces_count_by_the_time_that_they_took() {
        let mut blame = Blame::default();
        assert_eq!((blame.in_words(), blame.generation_percent()), (None, None));
        blame.add(&headline(90_000, &[("generation", 0.5), ("limiter", 0.5)]));
        blame.add(&headline(10_000, &[("tool", 0.995), ("own", 0.005)]));
        assert_eq!(
            blame.in_words().unwrap(),
            "generation 45 %, waiting for the limiter 45 %, tools 10 %"
        );
        assert_eq!(blame.generation_percent(), Some(45.0));
        let json = serde_json::to_value(&blame).unwrap();
        assert_eq!((&json["generation_ms"], &json["own_ms"]), (&45.0.into(), &0.05.into()));
        assert_eq!(json["backoff_ms"], 0.0, "all parts are there");
    }
}
