//! What is watched, and when it is too much: a rule.

use super::error::AlertError;
use super::window::{Sample, Sums};
use crate::event::{Event, EventData, SpanContext};
use crate::pattern::{Pattern, glob};
use glassbox_trace::span::{Detail, Span};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// What a rule measures, over a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// `rate`: events a minute.
    Rate,
    /// `latency_p95`: the milliseconds that so many percent (1 to 99) of what ended did not exceed.
    Latency(u8),
    /// `error_share`: the part of what ended that failed, from 0 to 1.
    ErrorShare,
    /// `retries`: attempts of model calls after the first.
    Retries,
    /// `cost_usd`: US dollars, as far as prices are known.
    CostUsd,
    /// `tokens`: tokens, in and out.
    Tokens,
}

/// A rule: what is watched, and when it is too much.
///
/// ```
/// use glassbox_events::watch::{Alert, alert::Measure};
/// use std::time::Duration;
/// let rule = Alert::above(Measure::Latency(95), 2_500.0)
///     .named("slow answers")
///     .window(Duration::from_secs(300))
///     .hold(Duration::from_secs(60)) // it has to be so for a minute
///     .clear(2_000.0) // and is over when it is well below
///     .min_samples(20)
///     .model("openai/*")
///     .label("team", "shop");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Alert {
    pub(super) name: Arc<str>,
    pub(super) measure: Measure,
    pub(super) side: Side,
    pub(super) threshold: f64,
    pub(super) clear: Option<f64>,
    pub(super) window: Duration,
    pub(super) hold: Duration,
    pub(super) min_samples: u64,
    pub(super) on: Arc<str>,
    pub(super) module: Option<Arc<str>>,
    pub(super) model: Option<Arc<str>>,
    pub(super) labels: Vec<(Arc<str>, Arc<str>)>,
}

/// On which side of the threshold it is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
}

impl Alert {
    /// Makes a rule that fires when the measure is above the threshold: over five minutes, at once, of all model calls.
    pub fn above(measure: Measure, threshold: f64) -> Self {
        Self::new(measure, Side::Above, threshold)
    }

    /// Makes a rule that fires when the measure is below the threshold, such as a rate that should not end.
    pub fn below(measure: Measure, threshold: f64) -> Self {
        Self::new(measure, Side::Below, threshold)
    }

    pub(super) fn new(measure: Measure, side: Side, threshold: f64) -> Self {
        Self {
            name: measure.to_string().into(),
            measure,
            side,
            threshold,
            clear: None,
            window: Duration::from_secs(300),
            hold: Duration::ZERO,
            min_samples: if measure.is_of_samples() { 10 } else { 1 },
            on: if measure == Measure::Rate { "llm.request" } else { "llm.*" }.into(),
            module: None,
            model: None,
            labels: Vec::new(),
        }
    }

    /// Names the rule; by default it has the name of its measure.
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets how far back is looked: five minutes unless said otherwise. It slides by a twentieth of its length.
    pub fn window(self, window: Duration) -> Self {
        Self { window, ..self }
    }

    /// Sets for how long it has to be too much before the rule fires: not at all unless said otherwise.
    pub fn hold(self, hold: Duration) -> Self {
        Self { hold, ..self }
    }

    /// Sets the value at which a fired alert is over. It is the threshold unless said otherwise; a value well on the
    /// good side keeps an alert from coming and going.
    pub fn clear(self, value: f64) -> Self {
        Self { clear: Some(value), ..self }
    }

    /// Sets how many samples there have to be in the window before the rule fires: ten for latencies and shares of errors,
    /// one for the rest, unless said otherwise.
    pub fn min_samples(self, samples: u64) -> Self {
        Self { min_samples: samples, ..self }
    }

    /// Watches the events that match a pattern: `llm.*` unless said otherwise, `llm.request` for a rate. Latencies and
    /// shares of errors are of what ends: `module.*`, `llm.*`, `tool.*`.
    pub fn on(self, pattern: impl Into<Arc<str>>) -> Self {
        Self { on: pattern.into(), ..self }
    }

    /// Watches only what happens in a module. `*` stands for any text: `CoffeeShop*` is compared with the name of each
    /// span around the event and of its own, `Shop.forward > *` with the whole path.
    pub fn module(self, glob: impl Into<Arc<str>>) -> Self {
        Self { module: Some(glob.into()), ..self }
    }

    /// Watches only the calls of models that match: `openai/*`, `gpt-4o*`. `*` stands for any text.
    pub fn model(self, glob: impl Into<Arc<str>>) -> Self {
        Self { model: Some(glob.into()), ..self }
    }

    /// Adds a label, for whoever is told.
    pub fn label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }

    /// Tells what makes no sense.
    pub(super) fn check(&self) -> Result<Pattern, AlertError> {
        let wrong = |problem: String| Err(AlertError::of_rule(&self.name, problem));
        let pattern = self.on.parse().map_err(|error: crate::pattern::PatternError| {
            AlertError::of_rule(&self.name, error.to_string())
        })?;
        if let Measure::Latency(0 | 100..) = self.measure {
            return wrong("a percentile is from 1 to 99: write latency_p95".to_owned());
        }
        if self.window.is_zero() {
            return wrong("the window is empty: write one such as \"5m\"".to_owned());
        }
        if !self.threshold.is_finite() || self.clear.is_some_and(|clear| !clear.is_finite()) {
            return wrong("a threshold has to be a finite number".to_owned());
        }
        match (self.side, self.clear) {
            (Side::Above, Some(clear)) if clear > self.threshold => wrong(format!(
                "it fires above {} and would clear at {clear}: clear at less than that",
                self.threshold
            )),
            (Side::Below, Some(clear)) if clear < self.threshold => wrong(format!(
                "it fires below {} and would clear at {clear}: clear at more than that",
                self.threshold
            )),
            _ => Ok(pattern),
        }
    }

    /// Returns what an event is to the rule; `None` if it is nothing.
    pub(super) fn sample(&self, event: &Event) -> Option<Sample> {
        let span = ended(event);
        let sample = match self.measure {
            Measure::Rate => Sample::default(),
            Measure::Latency(_) => Sample { latency: Some(span?.duration()?), ..Sample::default() },
            Measure::ErrorShare => Sample { failed: span?.status.is_error(), ..Sample::default() },
            Measure::Retries | Measure::CostUsd | Measure::Tokens => {
                Sample { amount: self.measure.amount(span?)?, ..Sample::default() }
            }
        };
        let named = self.model.as_ref().is_none_or(|glob| is_of_model(glob, event));
        let inside = self.module.as_ref().is_none_or(|glob| is_inside(glob, &event.span));
        (named && inside).then_some(sample)
    }

    pub(super) fn is_beyond(&self, value: f64) -> bool {
        match self.side {
            Side::Above => value > self.threshold,
            Side::Below => value < self.threshold,
        }
    }

    pub(super) fn is_clear(&self, value: f64) -> bool {
        let clear = self.clear.unwrap_or(self.threshold);
        match self.side {
            Side::Above => value <= clear,
            Side::Below => value >= clear,
        }
    }
}

impl Measure {
    /// Tells whether the value is one of samples, and not a sum: where nothing happened there is none.
    const fn is_of_samples(self) -> bool {
        matches!(self, Self::Latency(_) | Self::ErrorShare)
    }

    /// Returns the value of a window.
    pub(super) fn value(
        self,
        sums: &Sums,
        window: Duration,
        percentile: impl FnOnce(u8) -> Option<Duration>,
    ) -> Option<f64> {
        match self {
            Self::Rate => Some(sums.count as f64 * 60.0 / window.as_secs_f64()),
            Self::Latency(percent) => Some(percentile(percent)?.as_secs_f64() * 1_000.0),
            Self::ErrorShare => (sums.count > 0).then(|| sums.failed as f64 / sums.count as f64),
            Self::Retries | Self::CostUsd | Self::Tokens => Some(sums.amount),
        }
    }

    fn amount(self, span: &Span) -> Option<f64> {
        let (usage, cost, attempts) = match &span.detail {
            Detail::Generation(call) => (&call.usage, &call.cost, call.attempts),
            Detail::Embedding(call) => (&call.usage, &call.cost, 1),
            _ => return None,
        };
        Some(match self {
            Self::Retries => f64::from(attempts.saturating_sub(1)),
            Self::CostUsd => f64::try_from(cost.total().unwrap_or_default()).unwrap_or_default(),
            _ => usage.total() as f64,
        })
    }

    /// Writes a value with its unit.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Rate => format!("{value:.1} a minute"),
            Self::Latency(_) if value >= 1_000.0 => format!("{:.2} s", value / 1_000.0),
            Self::Latency(_) => format!("{value:.0} ms"),
            Self::ErrorShare => format!("{:.1} percent", value * 100.0),
            Self::Retries | Self::Tokens => format!("{value:.0}"),
            Self::CostUsd => format!("${value:.4}"),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate => f.write_str("rate"),
            Self::Latency(percent) => write!(f, "latency_p{percent}"),
            Self::ErrorShare => f.write_str("error_share"),
            Self::Retries => f.write_str("retries"),
            Self::CostUsd => f.write_str("cost_usd"),
            Self::Tokens => f.write_str("tokens"),
        }
    }
}

impl FromStr for Measure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "rate" => Self::Rate,
            "error_share" => Self::ErrorShare,
            "retries" => Self::Retries,
            "cost_usd" => Self::CostUsd,
            "tokens" => Self::Tokens,
            _ => {
                let percent = text.strip_prefix("latency_p").and_then(|text| text.parse().ok());
                Self::Latency(percent.filter(|percent| (1..100).contains(percent)).ok_or_else(|| {
                    format!("{text:?} is no measure: write rate, latency_p95 (1 to 99), error_share, retries, cost_usd or tokens")
                })?)
            }
        })
    }
}

/// Returns the span that has ended with the event.
fn ended(event: &Event) -> Option<&Span> {
    match &event.data {
        EventData::LlmAttempt(_) => None,
        data => data.span().map(AsRef::as_ref).filter(|span| span.end.is_some()),
    }
}

fn is_of_model(glob_text: &str, event: &Event) -> bool {
    let Some(span) = event.data.span() else { return false };
    let (provider, model) = match &span.detail {
        Detail::Generation(call) => (&call.provider, &call.request_model),
        Detail::Embedding(call) => (&call.provider, &call.request_model),
        _ => return false,
    };
    let glob_text = glob_text.as_bytes();
    glob(glob_text, model.as_bytes()) || glob(glob_text, format!("{provider}/{model}").as_bytes())
}

fn is_inside(glob_text: &str, span: &Arc<SpanContext>) -> bool {
    if glob_text.contains(" > ") {
        return glob(glob_text.as_bytes(), span.path().as_bytes());
    }
    let mut place = Some(span);
    while let Some(span) = place {
        if glob(glob_text.as_bytes(), span.name.as_bytes()) {
            return true;
        }
        place = span.parent.as_ref();
    }
    false
}
