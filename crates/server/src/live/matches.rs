//! Filters of streams: the same language as for lists, applied to changes as they come.

use crate::filter::{Condition, Filter, Has, NumberKey, Phrase, Status, Term, TextKey};
use crate::received::{ReceivedSpan, State, events_of};
use crate::store::{Change, Store};
use crate::view::TraceSummary;

/// Returns those changes that a filter asks for.
///
/// Words are looked for in all that can be searched of a span, which the store is asked for if everything else fits. Of a
/// trace they are looked for in its name and the beginnings of what went in and came out. Scores are not known here:
/// `has:score` lets nothing pass.
#[must_use]
pub fn select(
    store: &dyn Store,
    filter: &Filter,
    changes: Vec<(u64, Change)>,
) -> Vec<(u64, Change)> {
    let mut fits: Vec<bool> =
        changes.iter().map(|(_, change)| fits_without_words(filter, change)).collect();
    let worded: Vec<_> = filter.terms.iter().filter(|term| has_words(&term.condition)).collect();
    if !worded.is_empty() {
        let (mut places, mut spans) = (Vec::new(), Vec::new());
        for (at, (_, change)) in changes.iter().enumerate() {
            if !fits[at] {
                continue;
            }
            match change {
                Change::Span(span) => {
                    places.push((at, span));
                    spans.push((span.trace_id, span.span_id));
                    // Until its payload says better; where that cannot be read it remains at that.
                    fits[at] = worded.iter().all(|term| span_has(term, span, &texts_of_span(span)));
                }
                Change::Trace(trace) => {
                    fits[at] = worded.iter().all(|term| trace_has(term, trace));
                }
            }
        }
        let _ = store.texts(&spans, &mut |at, text| {
            let (place, span) = places[at];
            fits[place] = worded.iter().all(|term| span_has(term, span, &[Some(text)]));
        });
    }
    let mut fits = fits.into_iter();
    changes.into_iter().filter(|_| fits.next() == Some(true)).collect()
}

fn fits_without_words(filter: &Filter, change: &Change) -> bool {
    let terms = filter.terms.iter().filter(|term| !has_words(&term.condition));
    match change {
        Change::Span(span) => terms.into_iter().all(|term| span_has(term, span, &[])),
        Change::Trace(trace) => terms.into_iter().all(|term| trace_has(term, trace)),
    }
}

fn has_words(condition: &Condition) -> bool {
    match condition {
        Condition::Words(_) | Condition::Phrase(_) => true,
        Condition::Any(terms) => terms.iter().any(|term| has_words(&term.condition)),
        _ => false,
    }
}

fn span_has(term: &Term, span: &ReceivedSpan, texts: &[Option<&str>]) -> bool {
    span_fits(&term.condition, span, texts) != term.negated
}

fn trace_has(term: &Term, trace: &TraceSummary) -> bool {
    trace_fits(&term.condition, trace) != term.negated
}

fn span_fits(condition: &Condition, span: &ReceivedSpan, texts: &[Option<&str>]) -> bool {
    let context = &span.context;
    match condition {
        Condition::Words(words) => holds_words(words, texts),
        Condition::Phrase(words) => holds_phrase(words, texts),
        Condition::Any(terms) => terms.iter().any(|term| span_has(term, span, texts)),
        Condition::Text(key, pattern) => {
            let fits = |text: Option<&str>| text.is_some_and(|text| pattern.matches(text));
            match key {
                TextKey::Name => fits(Some(&span.name)),
                TextKey::Model => fits(span.model.as_deref()),
                TextKey::Provider => fits(span.provider.as_deref()),
                TextKey::Kind => fits(Some(span.kind.as_str())),
                TextKey::Error => span.error.as_ref().is_some_and(|error| {
                    pattern.matches(&error.kind) || pattern.matches(&error.message)
                }),
                TextKey::Session => fits(context.session_id.as_deref()),
                TextKey::User => fits(context.user_id.as_deref()),
                TextKey::Tag => context.tags.iter().any(|tag| pattern.matches(tag)),
                TextKey::Environment => fits(context.environment.as_deref()),
                TextKey::Release => fits(context.release.as_deref()),
                TextKey::Version => fits(context.version.as_deref()),
                TextKey::Service => fits(context.service.as_deref()),
                TextKey::Trace => fits(Some(&span.trace_id.to_string())),
                TextKey::Span => fits(Some(&span.span_id.to_string())),
                TextKey::Parent => {
                    span.parent_id.is_some_and(|id| pattern.matches(&id.to_string()))
                }
                TextKey::Tool => fits(span.tool.as_deref()),
                TextKey::Event => {
                    events_of(span.kind, span.state).iter().any(|event| pattern.matches(event))
                }
            }
        }
        Condition::Number(key, range) => {
            let tokens = (!span.usage.is_unknown())
                .then(|| i64::try_from(span.usage.total()).unwrap_or(i64::MAX));
            let number = match key {
                NumberKey::Cost => span.cost_pico,
                NumberKey::Tokens => tokens,
                NumberKey::Duration => span.duration_us(),
                NumberKey::Retries => {
                    span.phases.as_ref().map(|phases| i64::from(phases.attempts.saturating_sub(1)))
                }
                NumberKey::Errors => Some(i64::from(span.error.is_some())),
                NumberKey::Spans => None,
                NumberKey::Start => Some(span.start_us),
            };
            number.is_some_and(|number| range.contains(number))
        }
        Condition::Status(status) => state(*status) == span.state,
        Condition::Has(Has::Error) => span.error.is_some(),
        Condition::Has(Has::CacheHit) => {
            span.phases.as_ref().is_some_and(|phases| phases.cache_hit)
        }
        Condition::Has(Has::Parent) => span.parent_id.is_some(),
        Condition::Has(Has::Score) => false,
        Condition::Metadata(key, pattern) | Condition::OwnMetadata(key, pattern) => {
            context.metadata.get(key).is_some_and(|value| {
                value.as_str().map_or_else(
                    || pattern.matches(&value.to_string()),
                    |text| pattern.matches(text),
                )
            })
        }
    }
}

fn trace_fits(condition: &Condition, trace: &TraceSummary) -> bool {
    match condition {
        Condition::Words(words) => holds_words(words, &texts_of_trace(trace)),
        Condition::Phrase(words) => holds_phrase(words, &texts_of_trace(trace)),
        Condition::Any(terms) => terms.iter().any(|term| trace_has(term, trace)),
        Condition::Text(key, pattern) => {
            let fits = |text: Option<&str>| text.is_some_and(|text| pattern.matches(text));
            match key {
                TextKey::Name => fits(Some(&trace.name)),
                TextKey::Model => trace.models.iter().any(|model| pattern.matches(model)),
                TextKey::Session => fits(trace.session_id.as_deref()),
                TextKey::User => fits(trace.user_id.as_deref()),
                TextKey::Tag => trace.tags.iter().any(|tag| pattern.matches(tag)),
                TextKey::Environment => fits(trace.environment.as_deref()),
                TextKey::Release => fits(trace.release.as_deref()),
                TextKey::Version => fits(trace.version.as_deref()),
                TextKey::Service => fits(trace.service.as_deref()),
                TextKey::Trace => fits(Some(&trace.trace_id)),
                TextKey::Event => fits(Some("trace")),
                // Facts of single spans, which the trace's summary does not have.
                TextKey::Provider
                | TextKey::Kind
                | TextKey::Error
                | TextKey::Span
                | TextKey::Parent
                | TextKey::Tool => false,
            }
        }
        Condition::Number(key, range) => {
            let number = match key {
                NumberKey::Cost => trace.cost_usd.map(|dollars| dollars.0),
                NumberKey::Tokens => {
                    Some(i64::try_from(trace.tokens.0.total()).unwrap_or(i64::MAX))
                }
                NumberKey::Duration => trace.duration_us,
                NumberKey::Retries => Some(trace.retries),
                NumberKey::Errors => Some(trace.errors),
                NumberKey::Spans => Some(trace.spans),
                NumberKey::Start => Some(trace.start_us),
            };
            number.is_some_and(|number| range.contains(number))
        }
        Condition::Status(status) => state(*status) == trace.state,
        Condition::Has(Has::Error) => trace.errors > 0,
        Condition::Has(Has::CacheHit) => trace.cache_hits > 0,
        Condition::Has(Has::Score | Has::Parent) => false,
        Condition::Metadata(key, pattern) | Condition::OwnMetadata(key, pattern) => {
            trace.metadata.get(key).is_some_and(|value| {
                value.as_str().map_or_else(
                    || pattern.matches(&value.to_string()),
                    |text| pattern.matches(text),
                )
            })
        }
    }
}

const fn state(status: Status) -> State {
    match status {
        Status::Running => State::Running,
        Status::Done => State::Done,
        Status::Error => State::Error,
        Status::Abandoned => State::Abandoned,
    }
}

/// What there is to search of a span without its payload.
fn texts_of_span(span: &ReceivedSpan) -> [Option<&str>; 3] {
    [Some(&span.name), span.input_preview.as_deref(), span.output_preview.as_deref()]
}

/// What there is to search of a trace here.
fn texts_of_trace(trace: &TraceSummary) -> [Option<&str>; 3] {
    [Some(&trace.name), trace.input_preview.as_deref(), trace.output_preview.as_deref()]
}

/// Tells whether all words stand in one or another of the texts, as the index of the store would find them.
fn holds_words(words: &str, texts: &[Option<&str>]) -> bool {
    let mut words = words.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '*');
    words.all(|word| holds_phrase(word, texts))
}

/// Tells whether the words stand side by side in one of the texts.
fn holds_phrase(words: &str, texts: &[Option<&str>]) -> bool {
    let phrase = Phrase::new(words);
    phrase.is_empty() || texts.iter().flatten().any(|text| phrase.stands_in(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_anywhere_and_phrases_side_by_side() {
        let texts = [Some("Iced latte"), None, Some("with oat milk")];
        assert!(holds_words("milk LATTE", &texts) && !holds_words("milk tea", &texts));
        assert!(holds_words("latt*", &texts) && !holds_words("latt", &texts));
        assert!(holds_words("milk-latte", &texts) && holds_words(" - ", &[]));
        assert!(holds_phrase("oat milk", &texts) && holds_phrase("ICED", &texts));
        assert!(!holds_phrase("milk oat", &texts) && !holds_phrase("latte with", &texts));
    }
}
