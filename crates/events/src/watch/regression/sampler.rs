//! The ear of regressions: takes the samples of everything that ends, in bounded memory.

use super::samples::{Measure, Samples, Subject};
use crate::bus::{Bus, Subscriber, Subscription};
use crate::event::{Event, EventName, SpanContext};
use crate::pattern::PatternError;
use crate::run::Stop;
use glassbox_trace::id::SpanId;
use glassbox_trace::span::{Detail, Span, Status};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What ends, and is sampled.
const HEARD: [EventName; 6] = [
    EventName::ModuleComplete,
    EventName::ModuleError,
    EventName::LlmGenerate,
    EventName::LlmError,
    EventName::ToolComplete,
    EventName::ToolError,
];

/// So many subjects are told apart; a program has a few dozen.
const MAX_SUBJECTS: usize = 1_000;
/// So many spans may be open whose model calls are added up.
const MAX_OPEN: usize = 1 << 16;
/// Ends that say nothing about what ended: somebody did not want it any more.
const NOT_SAMPLED: [&str; 3] = ["cancelled", "stopped", "budget_exceeded"];

/// Takes samples of the calls of a bus until it is dropped: of each subject the latest, 500 unless said otherwise.
///
/// ```
/// use glassbox_events::bus::Bus;
/// use glassbox_events::watch::regression::Sampler;
/// let sampler = Sampler::start(&Bus::global(), 200)?;
/// // ... the program ...
/// sampler.samples().save(std::env::temp_dir().join("baseline.json"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "sampling ends when this is dropped"]
pub struct Sampler {
    ear: Arc<Ear>,
    _subscriptions: Vec<Subscription>,
}

impl Sampler {
    /// How many samples of each subject and measure are kept unless said otherwise.
    pub const KEPT: usize = 500;

    /// Begins to take samples, of which the latest `kept` of each subject and measure are kept, at least one.
    ///
    /// # Errors
    ///
    /// None in practice: the patterns are those of the closed list.
    pub fn start(bus: &Bus, kept: usize) -> Result<Self, PatternError> {
        let ear = Arc::new(Ear { kept: kept.max(1), ..Ear::default() });
        let subscribe =
            |name: EventName| bus.subscribe(name.as_str(), Arc::clone(&ear) as Arc<dyn Subscriber>);
        let subscriptions = HEARD.into_iter().map(subscribe).collect::<Result<_, _>>()?;
        Ok(Self { ear, _subscriptions: subscriptions })
    }

    /// Returns what was sampled so far.
    #[must_use]
    pub fn samples(&self) -> Samples {
        let state = self.ear.state();
        let subjects = state.subjects.iter().map(|(name, rings)| {
            let mut subject = Subject::default();
            for measure in Measure::ALL {
                *subject.of_mut(measure) = rings[measure as usize].iter().copied().collect();
            }
            (Arc::clone(name), subject)
        });
        Samples { subjects: subjects.collect() }
    }

    /// Forgets what was sampled so far.
    pub fn clear(&self) {
        self.ear.state().subjects.clear();
    }

    /// Returns how many ends were not sampled because there are more than 1,000 subjects.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.ear.missed.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
struct Ear {
    kept: usize,
    /// A std mutex: it is held for a few additions.
    state: Mutex<State>,
    missed: AtomicU64,
}

#[derive(Default)]
struct State {
    subjects: HashMap<Arc<str>, [VecDeque<f64>; Measure::ALL.len()]>,
    /// What the model calls in an open span have used so far.
    open: HashMap<SpanId, Used>,
}

/// What model calls have used.
#[derive(Clone, Copy, Default)]
struct Used {
    tokens: f64,
    cost_usd: f64,
    retries: f64,
}

impl Subscriber for Ear {
    fn on_event(&self, event: &Event) -> Result<(), Stop> {
        let Some(span) = event.subject().filter(|span| span.end.is_some()) else { return Ok(()) };
        let own = used(span);
        let mut state = self.state();
        let inside = state.open.remove(&span.span_id).unwrap_or_default();
        if let Some(own) = own {
            state.add_to_those_around(&event.span, own);
        }
        drop(state);
        if let Status::Error(error) = &span.status
            && NOT_SAMPLED.contains(&&*error.kind)
        {
            return Ok(());
        }

        let subject = subject(&event.span, span);
        let failed = span.status.is_error();
        let used = own.unwrap_or(inside);
        let mut state = self.state();
        if state.subjects.len() >= MAX_SUBJECTS && !state.subjects.contains_key(&*subject) {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let rings = state.subjects.entry(subject.into()).or_default();
        let mut add = |measure: Measure, value: f64| {
            let ring = &mut rings[measure as usize];
            if ring.len() >= self.kept {
                ring.pop_front();
            }
            ring.push_back(value);
        };
        add(Measure::ErrorShare, f64::from(u8::from(failed)));
        add(Measure::Retries, used.retries);
        if !failed {
            add(Measure::LatencyMs, span.duration().unwrap_or_default().as_secs_f64() * 1_000.0);
            add(Measure::Tokens, used.tokens);
            add(Measure::CostUsd, used.cost_usd);
        }
        Ok(())
    }
}

impl Ear {
    fn state(&self) -> MutexGuard<'_, State> {
        // Samples stay what they are whatever happens.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds what a model call has used to the open spans around it.
    fn add_to_those_around(&mut self, span: &SpanContext, own: Used) {
        let mut around = span.parent.as_ref();
        while let Some(span) = around {
            // Calls that end after the module around them leave something behind here. It is not worth more than this.
            if self.open.len() >= MAX_OPEN {
                self.open.clear();
            }
            let sum = self.open.entry(span.span_id).or_default();
            sum.tokens += own.tokens;
            sum.cost_usd += own.cost_usd;
            sum.retries += own.retries;
            around = span.parent.as_ref();
        }
    }
}

/// Returns what a model call has used; `None` of everything else.
fn used(span: &Span) -> Option<Used> {
    let (usage, cost, attempts) = match &span.detail {
        Detail::Generation(call) => (&call.usage, &call.cost, call.attempts),
        Detail::Embedding(call) => (&call.usage, &call.cost, 1),
        _ => return None,
    };
    let cost_usd = cost.total().and_then(|cost| f64::try_from(cost).ok()).unwrap_or_default();
    let retries = f64::from(attempts.saturating_sub(1));
    Some(Used { tokens: usage.total() as f64, cost_usd, retries })
}

/// Names what ended: the path of names, where a model is told with its provider.
fn subject(place: &SpanContext, span: &Span) -> String {
    let (provider, model) = match &span.detail {
        Detail::Generation(call) => (&call.provider, &call.request_model),
        Detail::Embedding(call) => (&call.provider, &call.request_model),
        _ => return path(place),
    };
    let what = place.name.split(' ').next().unwrap_or_default();
    let own = format!("{what} {provider}/{model}");
    match &place.parent {
        Some(parent) => format!("{} > {own}", path(parent)),
        None => own,
    }
}

fn path(place: &SpanContext) -> String {
    let own = without_number(&place.name);
    match &place.parent {
        Some(parent) => format!("{} > {own}", path(parent)),
        None => own.to_owned(),
    }
}

/// Drops the number of a step that is done several times: `turn 2` is `turn`. What has a capital letter is a name.
fn without_number(name: &str) -> &str {
    match name.split_once(' ') {
        Some((step, number))
            if step.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            step
        }
        _ => name,
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("subjects", &self.ear.state().subjects.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::without_number;

    #[test]
    fn steps_lose_their_numbers_and_names_do_not() {
        let check = |name, expected| assert_eq!(without_number(name), expected);
        check("turn 12", "turn");
        check("candidate 3", "candidate");
        check("Step 2", "Step 2");
        check("chat gpt-4o", "chat gpt-4o");
        check("turn", "turn");
        check("turn ", "turn ");
    }
}
