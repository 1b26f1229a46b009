//! The headline of known traces, and what holds for any.

use super::*;
use crate::received::{Origin, Phases, ReceivedSpan, State};
use crate::wire::WireSpan;
use proptest::prelude::*;

fn span(id: &str, parent: &str, kind: &'static str, from: i64, to: i64) -> SpanSummary {
    let read = ReceivedSpan::read(&WireSpan::default(), &Origin::default());
    SpanSummary {
        span_id: id.to_owned(),
        parent_id: (!parent.is_empty()).then(|| parent.to_owned()),
        kind,
        state: State::Done,
        start_us: from,
        end_us: Some(to),
        duration_us: Some(to - from),
        ..SpanSummary::of(&read)
    }
}

fn waited(mut span: SpanSummary, limiter_wait_us: i64, backoff_us: i64) -> SpanSummary {
    span.phases = Some(Phases { limiter_wait_us, backoff_us, attempts: 1, ..Phases::default() });
    span
}

fn blamed(headline: &Headline) -> Vec<(&'static str, i64)> {
    headline.blame.iter().map(|(what, share)| (*what, (share * 100.0).round() as i64)).collect()
}

#[test]
fn the_path_goes_through_the_child_that_ended_last() {
    let spans = [
        span("root", "", "agent", 0, 100),
        span("quick", "root", "generation", 0, 30),
        waited(span("slow", "root", "generation", 10, 70), 15, 15),
        span("tool", "root", "tool", 70, 90),
    ];
    let found = headline(&spans, 0);
    assert_eq!(found.critical_path, ["quick", "slow", "tool", "root"]);
    assert_eq!(
        blamed(&found),
        [("backoff", 15), ("generation", 40), ("limiter", 15), ("own", 10), ("tool", 20)]
    );
    assert_eq!((found.wall_us, found.work_us, found.active_us), (100, 60, 60));
    assert_eq!(found.mean_concurrency, Some(1.0));
}

#[test]
fn calls_at_once_work_more_than_time_passes() {
    let calls = ["a", "b", "c"].map(|id| span(id, "root", "generation", 0, 100));
    let spans: Vec<_> = std::iter::once(span("root", "", "span", 0, 100)).chain(calls).collect();
    let found = headline(&spans, 0);
    assert_eq!((found.work_us, found.active_us, found.mean_concurrency), (300, 100, Some(3.0)));
    assert_eq!(blamed(&found), [("generation", 100)]);
}

#[test]
fn spans_beyond_their_parent_s_time_are_cut() {
    let spans = [
        span("root", "", "span", 100, 200),
        span("before", "root", "tool", 50, 120),
        span("beyond", "root", "tool", 180, 400),
        span("after", "root", "tool", 300, 400),
    ];
    assert_eq!(blamed(&headline(&spans, 0)), [("own", 60), ("tool", 40)]);
    let path: Vec<_> = critical_path(&spans, 0)
        .into_iter()
        .map(|stretch| (stretch.span_id, stretch.from_us, stretch.to_us))
        .collect();
    let expected = [("before", 100, 120), ("root", 120, 180), ("beyond", 180, 200)];
    assert_eq!(path, expected.map(|(id, from, to)| (id.to_owned(), from, to)));
    assert!(critical_path(&[], 0).is_empty());
}

#[test]
fn attempts_that_failed_are_blamed_as_such() {
    let mut failed = span("attempt 1", "call", "span", 0, 40);
    failed.state = State::Error;
    let spans = [waited(span("call", "", "generation", 0, 100), 0, 20), failed];
    assert_eq!(blamed(&headline(&spans, 0)), [("backoff", 20), ("failed", 40), ("generation", 40)]);
}

#[test]
fn wrappers_and_cached_answers_are_no_work() {
    let mut cached = waited(span("cached", "root", "generation", 60, 70), 0, 0);
    cached.phases.iter_mut().for_each(|phases| phases.cache_hit = true);
    let spans = [
        span("root", "", "span", 0, 100),
        span("wrapper", "root", "generation", 0, 50),
        span("call", "wrapper", "generation", 10, 40),
        cached,
    ];
    assert_eq!(headline(&spans, 0).work_us, 30);
}

#[test]
fn what_runs_goes_on_until_now_and_circles_lead_nowhere() {
    let mut root = span("root", "", "span", 0, 0);
    (root.state, root.end_us) = (State::Running, None);
    let spans = [root, span("one", "two", "span", 0, 9), span("two", "one", "span", 0, 9)];
    let found = headline(&spans, 50);
    assert_eq!((found.wall_us, found.critical_path.len()), (50, 1));
    assert_eq!(headline(&spans[1..], 50), Headline::default());
    assert_eq!(headline(&[], 50), Headline::default());
}

fn any_spans() -> impl Strategy<Value = Vec<SpanSummary>> {
    let kinds = ["generation", "tool", "span", "agent", "embedding"];
    let one = (0..40_usize, 0..5_usize, 0..1000_i64, 0..1000_i64, 0..300_i64, 0..300_i64);
    prop::collection::vec(one, 0..40).prop_map(move |rows| {
        let rows = rows.into_iter().enumerate();
        // Parents may be missing, stand later in the list, or be below their children.
        rows.map(|(at, (parent, kind, from, length, wait, pause))| {
            let parent = if at == 0 { String::new() } else { parent.to_string() };
            waited(span(&at.to_string(), &parent, kinds[kind], from, from + length), wait, pause)
        })
        .collect()
    })
}

proptest! {
    #[test]
    fn the_path_is_the_root_from_beginning_to_end(spans in any_spans()) {
        let tree = Tree::new(&spans, 0);
        let Some(root) = tree.root() else { return Ok(()) };
        let path = path::critical_path(&tree, root);
        let mut at = tree.nodes[root].from;
        for stretch in &path {
            prop_assert_eq!(stretch.from, at);
            let node = &tree.nodes[stretch.node];
            prop_assert!(node.from <= stretch.from && stretch.from < stretch.to && stretch.to <= node.to);
            at = stretch.to;
        }
        prop_assert_eq!(at, tree.nodes[root].to);
    }

    #[test]
    fn shares_are_parts_of_one(spans in any_spans()) {
        let found = headline(&spans, 0);
        let sum: f64 = found.blame.values().sum();
        prop_assert!(found.wall_us == 0 || (sum - 1.0).abs() < 1e-6, "{} of {:?}", sum, found);
        prop_assert!(found.blame.values().all(|share| *share > 0.0));
    }

    #[test]
    fn nobody_is_active_for_longer_than_work_or_wall(spans in any_spans()) {
        let found = headline(&spans, 0);
        prop_assert!(0 <= found.active_us && found.active_us <= found.work_us.min(found.wall_us));
        prop_assert!(found.mean_concurrency.is_none_or(|mean| mean >= 1.0));
        prop_assert!(found.critical_path.len() <= spans.len());
    }

    #[test]
    fn the_order_of_spans_makes_no_difference_to_the_path(spans in any_spans()) {
        let mut reversed = spans.clone();
        reversed.reverse();
        let (one, other) = (headline(&spans, 0), headline(&reversed, 0));
        prop_assert_eq!((one.work_us, one.active_us), (other.work_us, other.active_us));
    }

    #[test]
    fn absurd_times_do_no_harm(mut spans in any_spans(), at in any::<i64>()) {
        for (place, span) in spans.iter_mut().enumerate() {
            if place % 3 == 0 {
                (span.start_us, span.end_us) = (0, Some(at.max(0)));
            }
        }
        prop_assert!(headline(&spans, at).wall_us >= 0);
    }
}
