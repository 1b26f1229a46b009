//! A trace's numbers, added up from its spans: a pure function of which spans there are.
//!
//! So it makes no difference in which order they came. Usage and cost count where a model was called and nowhere above:
//! wrappers that repeat what a call below them used do not count.

use super::row::flags;
use super::schema::PLACE_BITS;
use crate::received::{ReceivedSpan, State, TraceContext, size};
use crate::view::{Dollars, Tokens, TraceSummary};
use glassbox_trace::id::TraceId;
use glassbox_trace::span::Kind;
use glassbox_trace::usage::Usage;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What the writer remembers of a trace.
#[derive(Debug)]
pub(super) struct TraceState {
    pub(super) trace_id: TraceId,
    pub(super) no: i64,
    /// The place of the next span.
    pub(super) next_place: i64,
    pub(super) spans: HashMap<i64, Entry>,
    /// What spans carry of the trace, by the place that it has in the table of contexts.
    pub(super) contexts: Contexts,
    /// The commit that touched it last.
    pub(super) touched: u64,
}

/// The most different contexts in one trace: as many as have ids of their own.
pub(super) const MOST_CONTEXTS: usize = 1 << PLACE_BITS;

/// The most models and tags of a trace, and the most facts of its metadata, that lists and streams carry.
const MOST_ITEMS: usize = 100;

/// The most bytes of the metadata that they carry: as many as of one span.
const MOST_METADATA: usize = 32 << 10;

/// What spans carry of their trace, each once. Every span can say something else, so they are found without comparing.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    all: Vec<Arc<TraceContext>>,
    places: HashMap<Arc<TraceContext>, usize>,
}

impl Contexts {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn place_of(&self, context: &TraceContext) -> Option<usize> {
        self.places.get(context).copied()
    }

    pub(super) fn push(&mut self, context: TraceContext) {
        let context = Arc::new(context);
        self.places.insert(Arc::clone(&context), self.all.len());
        self.all.push(context);
    }
}

/// What the numbers of a trace need of a span.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) rank: Rank,
    pub(super) parent: Option<i64>,
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) flags: i64,
    pub(super) start_us: i64,
    pub(super) end_us: Option<i64>,
    pub(super) usage: Usage,
    pub(super) cost: Option<i64>,
    pub(super) attempts: u32,
    pub(super) model: Option<Arc<str>>,
    pub(super) context: usize,
    pub(super) block: i64,
    /// Of those that may be the root.
    pub(super) root: Option<Box<Root>>,
}

/// What a root gives its trace.
#[derive(Debug, Default)]
pub(super) struct Root {
    pub(super) name: String,
    pub(super) input_preview: Option<String>,
    pub(super) output_preview: Option<String>,
}

/// Which of two messages about the same span is kept: the larger.
///
/// What ended beats what only began, and parts that are put together stand in between. Among equals the one that ends
/// later is kept, and then the one whose bytes say so: any rule will do, if it is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) class: i64,
    pub(super) end_us: i64,
    pub(super) digest: i64,
}

/// The class of spans that have only begun.
pub(super) const BEGUN: i64 = 0;
/// The class of spans that are put together from parts.
pub(super) const PARTS: i64 = 1;
/// The class of spans that ended.
pub(super) const ENDED: i64 = 2;

impl Rank {
    pub(super) fn of(span: &ReceivedSpan, digest: i64, is_parts: bool) -> Self {
        let class = match span.end_us {
            _ if is_parts => PARTS,
            Some(_) => ENDED,
            None => BEGUN,
        };
        Self { class, end_us: span.end_us.unwrap_or(0), digest }
    }
}

impl Entry {
    fn is_record(&self) -> bool {
        self.flags & flags::TRACE_RECORD != 0
    }

    fn is_model_call(&self) -> bool {
        matches!(self.kind, Kind::Generation | Kind::Embedding)
    }
}

impl TraceState {
    /// Adds up the trace's numbers.
    pub(super) fn summary(&self, seq: i64) -> TraceSummary {
        let spans = || self.spans.iter().filter(|(_, entry)| !entry.is_record());
        let with_calls_below = self.with_calls_below();
        let (mut usage, mut cost) = (Usage::UNKNOWN, None::<i64>);
        let (mut count, mut open, mut abandoned, mut errors) = (0, 0, 0, 0);
        let (mut model_calls, mut retries, mut cache_hits) = (0, 0_i64, 0);
        let mut models = BTreeSet::new();
        let (mut start_us, mut end_us) = (i64::MAX, None);
        for (id, entry) in spans() {
            count += 1;
            open += i64::from(entry.state == State::Running);
            abandoned += i64::from(entry.state == State::Abandoned);
            errors += i64::from(entry.state == State::Error);
            start_us = start_us.min(entry.start_us);
            end_us = end_us.max(entry.end_us);
            if entry.is_model_call() && !with_calls_below.contains(id) {
                usage += entry.usage;
                cost = add(cost, entry.cost);
                model_calls += 1;
                retries += i64::from(entry.attempts.saturating_sub(1));
                cache_hits += i64::from(entry.flags & flags::CACHE_HIT != 0);
            }
            models.extend(entry.model.as_deref());
        }
        let end_us = end_us.filter(|_| open == 0);
        // A trace of which nothing but its record has come began when that was made.
        let of_record = self.spans.values().map(|entry| entry.start_us).min().unwrap_or(0);
        let start_us = if count == 0 { of_record } else { start_us };
        let root = self.root();
        let state = match root.map(|root| root.state) {
            _ if open > 0 => State::Running,
            _ if abandoned > 0 => State::Abandoned,
            Some(State::Error) => State::Error,
            _ => State::Done,
        };
        let contexts = self.contexts_by_trust();
        let text = |read: fn(&TraceContext) -> &Option<String>| {
            contexts.iter().find_map(|context| read(context).clone())
        };
        let record =
            self.spans.values().filter(|entry| entry.is_record()).min_by_key(|entry| entry.rank);
        let of_root = |read: fn(&Root) -> &Option<String>| {
            let mut roots =
                [record, root].into_iter().flatten().filter_map(|entry| entry.root.as_deref());
            roots.find_map(|root| read(root).clone())
        };
        let name_of_root =
            || root.and_then(|entry| entry.root.as_ref()).map(|root| root.name.clone());
        TraceSummary {
            trace_id: self.trace_id.to_string(),
            name: text(|context| &context.name).or_else(name_of_root).unwrap_or_default(),
            state,
            start_us,
            end_us,
            duration_us: end_us.map(|end| end.saturating_sub(start_us)),
            spans: count,
            open_spans: open,
            errors,
            model_calls,
            retries,
            cache_hits,
            tokens: Tokens(usage),
            cost_usd: cost.map(Dollars),
            models: models.into_iter().take(MOST_ITEMS).map(str::to_owned).collect(),
            session_id: text(|context| &context.session_id),
            user_id: text(|context| &context.user_id),
            environment: text(|context| &context.environment),
            release: text(|context| &context.release),
            version: text(|context| &context.version),
            service: text(|context| &context.service),
            tags: tags(&contexts),
            metadata: metadata(&contexts),
            input_preview: of_root(|root| &root.input_preview),
            output_preview: of_root(|root| &root.output_preview),
            updated_seq: seq,
        }
    }

    /// The spans that have a model call somewhere below. Circles end where they come back to.
    fn with_calls_below(&self) -> HashSet<i64> {
        let mut above = HashSet::new();
        for entry in self.spans.values().filter(|entry| entry.is_model_call() && !entry.is_record())
        {
            let mut parent = entry.parent;
            while let Some(id) = parent.filter(|id| above.insert(*id)) {
                parent = self.spans.get(&id).and_then(|entry| entry.parent);
            }
        }
        above
    }

    /// The topmost span that began first; one without a parent before one whose parent has not come.
    fn root(&self) -> Option<&Entry> {
        let has_parent =
            |entry: &Entry| entry.parent.is_some_and(|id| self.spans.contains_key(&id));
        let tops = self.spans.iter().filter(|(_, entry)| !entry.is_record() && !has_parent(entry));
        let top = tops.min_by_key(|(id, entry)| (entry.parent.is_some(), entry.start_us, **id));
        top.map(|(_, entry)| entry)
    }

    /// What spans carry of the trace, the most trusted first: what is said of the trace itself, its roots, the earliest.
    fn contexts_by_trust(&self) -> Vec<&TraceContext> {
        let mut best: Vec<Option<(bool, bool, i64, i64)>> = vec![None; self.contexts.len()];
        for (id, entry) in &self.spans {
            let trust = (!entry.is_record(), entry.parent.is_some(), entry.start_us, *id);
            if let Some(best) = best.get_mut(entry.context) {
                *best = Some(best.map_or(trust, |best| best.min(trust)));
            }
        }
        let mut contexts: Vec<_> = best
            .into_iter()
            .zip(&self.contexts.all)
            .filter_map(|(trust, context)| Some((trust?, context)))
            .collect();
        contexts.sort_by_key(|(trust, _)| *trust);
        contexts.into_iter().map(|(_, context)| context.as_ref()).collect()
    }
}

/// The tags of all contexts, in order; of too many those of the most trusted.
fn tags(contexts: &[&TraceContext]) -> Vec<String> {
    let mut tags = BTreeSet::new();
    for tag in contexts.iter().flat_map(|context| &context.tags) {
        if tags.len() >= MOST_ITEMS {
            break;
        }
        tags.insert(tag);
    }
    tags.into_iter().cloned().collect()
}

/// The facts of all contexts. What the most trusted say goes first, and where there is no more room the others' are left
/// out: they are with their spans.
fn metadata(contexts: &[&TraceContext]) -> Map<String, Value> {
    let mut facts = Map::new();
    let mut left = MOST_METADATA;
    for (key, value) in contexts.iter().flat_map(|context| &context.metadata) {
        if facts.len() >= MOST_ITEMS {
            break;
        }
        let size = key.len() + size(value);
        if size <= left && !facts.contains_key(key) {
            left -= size;
            facts.insert(key.clone(), value.clone());
        }
    }
    facts
}

/// The sum of what is known.
fn add(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    [left, right].into_iter().flatten().reduce(i64::saturating_add)
}
