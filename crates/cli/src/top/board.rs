//! What is known of the spans of a time, summed up by module and model.

use crate::paint;
use crate::tail::safe;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The most spans that are remembered.
const MOST: usize = 200_000;

/// A column: its head, a shorter one, and whether it has numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) short: &'static str,
    pub(super) is_number: bool,
}

/// The columns of a row, in order.
pub(super) const COLUMNS: [Column; 9] = [
    column("NAME", "NAME", false),
    column("KIND", "KIND", false),
    column("CALLS", "CALLS", true),
    column("RUNNING", "RUN", true),
    column("ERRORS", "ERR", true),
    column("P50", "P50", true),
    column("P95", "P95", true),
    column("TOKENS", "TOKENS", true),
    column("COST", "COST", true),
];

const fn column(head: &'static str, short: &'static str, is_number: bool) -> Column {
    Column { head, short, is_number }
}

/// The spans of a time.
#[derive(Debug)]
pub(super) struct Board {
    window: Duration,
    spans: HashMap<(String, String), Seen>,
}

#[derive(Debug)]
struct Seen {
    kind: String,
    name: String,
    start_us: u64,
    is_running: bool,
    /// It ended, and was not only given up.
    is_over: bool,
    has_failed: bool,
    took_us: Option<u64>,
    tokens: u64,
    cost: Option<Decimal>,
}

/// What a module or model did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) calls: u64,
    pub(super) running: u64,
    pub(super) errors: u64,
    pub(super) p50_us: Option<u64>,
    pub(super) p95_us: Option<u64>,
    pub(super) tokens: u64,
    pub(super) cost_usd: Option<Decimal>,
}

impl Board {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, spans: HashMap::new() }
    }

    /// How far back it looks.
    pub(super) const fn window(&self) -> Duration {
        self.window
    }

    /// Takes note of a span, as it is now. What is known to have ended does not run again.
    pub(super) fn take(&mut self, span: &Value) {
        let text = |key: &str| span[key].as_str().unwrap_or_default();
        let id = (text("trace_id").to_owned(), text("span_id").to_owned());
        let is_running = text("state") == "running";
        if is_running && self.spans.get(&id).is_some_and(|seen| seen.is_over) {
            return;
        }
        if self.spans.len() >= MOST && !self.spans.contains_key(&id) {
            return;
        }
        let name = span["model"].as_str().filter(|_| text("kind") == "generation");
        let seen = Seen {
            kind: text("kind").to_owned(),
            name: safe(name.unwrap_or_else(|| text("name"))),
            start_us: span["start_us"].as_u64().unwrap_or_default(),
            is_running,
            is_over: matches!(text("state"), "done" | "error"),
            has_failed: text("state") == "error",
            took_us: span["duration_us"].as_u64(),
            tokens: span["tokens"]["total"].as_u64().unwrap_or_default(),
            cost: span["cost_usd"].as_str().and_then(|cost| cost.parse().ok()),
        };
        self.spans.insert(id, seen);
    }

    /// Forgets what ended before the time that is looked at.
    pub(super) fn forget(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let from = u64::try_from(now.saturating_sub(self.window).as_micros()).unwrap_or(u64::MAX);
        self.spans.retain(|_, span| span.is_running || span.start_us >= from);
    }

    /// Sums up, the one that took most time first.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut groups: BTreeMap<(&str, &str), Vec<&Seen>> = BTreeMap::new();
        for span in self.spans.values() {
            groups.entry((&span.kind, &span.name)).or_default().push(span);
        }
        let mut rows: Vec<_> = groups
            .into_iter()
            .map(|((kind, name), spans)| {
                let mut took: Vec<u64> = spans.iter().filter_map(|span| span.took_us).collect();
                took.sort_unstable();
                let cost = spans.iter().filter_map(|span| span.cost);
                let row = Row {
                    name: name.to_owned(),
                    kind: kind.to_owned(),
                    calls: spans.len() as u64,
                    running: spans.iter().filter(|span| span.is_running).count() as u64,
                    errors: spans.iter().filter(|span| span.has_failed).count() as u64,
                    p50_us: quantile(&took, 50),
                    p95_us: quantile(&took, 95),
                    tokens: spans.iter().map(|span| span.tokens).sum(),
                    cost_usd: cost.reduce(|sum, cost| sum.saturating_add(cost)),
                };
                // Clocks can be so wrong that spans take centuries.
                (took.iter().fold(0_u64, |sum, took| sum.saturating_add(*took)), row)
            })
            .collect();
        rows.sort_by(|(took, row), (other_took, other)| {
            other_took.cmp(took).then_with(|| row.name.cmp(&other.name))
        });
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// The table for a pipe.
    pub(super) fn to_text(&self) -> String {
        let rows: Vec<_> = self.rows().iter().map(Row::cells).collect();
        let width = |at: usize| {
            let cells = rows.iter().map(|row| row[at].chars().count());
            cells.chain([COLUMNS[at].head.len()]).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..COLUMNS.len()).map(width).collect();
        let heads = COLUMNS.map(|column| column.head.to_owned());
        let mut text = String::new();
        for row in std::iter::once(&heads).chain(&rows) {
            let cells = row.iter().enumerate().map(|(at, cell)| match COLUMNS[at].is_number {
                true => format!("{cell:>width$}", width = widths[at]),
                false => format!("{cell:<width$}", width = widths[at]),
            });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

impl Row {
    /// The row as it is shown.
    pub(super) fn cells(&self) -> [String; 9] {
        let time = |us: Option<u64>| {
            us.map_or_else(|| "-".to_owned(), |us| paint::duration(Duration::from_micros(us)))
        };
        let none_if_zero =
            |count: u64| if count == 0 { "-".to_owned() } else { paint::count(count) };
        [
            self.name.clone(),
            self.kind.clone(),
            paint::count(self.calls),
            none_if_zero(self.running),
            none_if_zero(self.errors),
            time(self.p50_us),
            time(self.p95_us),
            none_if_zero(self.tokens),
            self.cost_usd.map_or_else(|| "-".to_owned(), paint::dollars),
        ]
    }
}

/// The smallest value that so many percent of all do not exceed.
fn quantile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spans_are_summed_up_by_module_and_model() {
        let mut board = Board::new(Duration::from_secs(60));
        let call = |board: &mut Board, id: u32, state: &str, took: Option<u64>| {
            board.take(&json!({"trace_id": "t", "span_id": id.to_string(), "name": "chat gpt-4o-mini",
                "kind": "generation", "model": "gpt-4o-mini", "state": state, "start_us": 1, "duration_us": took,
                "tokens": {"total": 100}, "cost_usd": "0.001"}));
        };
        (1..=20).for_each(|id| call(&mut board, id, "running", None));
        (1..=19).for_each(|id| call(&mut board, id, "done", Some(u64::from(id) * 1_000_000)));
        call(&mut board, 19, "error", Some(19_000_000));
        // Late, and known to be over.
        call(&mut board, 1, "running", None);
        assert_eq!(
            board.to_text(),
            "\
NAME         KIND        CALLS  RUNNING  ERRORS    P50    P95  TOKENS   COST
gpt-4o-mini  generation     20        1       1  10.0s  19.0s   2,000  $0.02
"
        );
        // One that was given up may run after all.
        call(&mut board, 20, "abandoned", None);
        assert_eq!(board.rows()[0].running, 0);
        call(&mut board, 20, "running", None);
        assert_eq!(board.rows()[0].running, 1);
        call(&mut board, 18, "done", Some(u64::MAX));
        board.forget();
        assert_eq!(board.rows()[0].calls, 1);
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        assert_eq!(quantile(&[], 50), None);
        assert_eq!(quantile(&[7], 95), Some(7));
        assert_eq!((quantile(&[1, 2, 3, 4], 50), quantile(&[1, 2, 3, 4], 95)), (Some(2), Some(4)));
    }
}
