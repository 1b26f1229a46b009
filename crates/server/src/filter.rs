//! The filter language of lists and streams: `status:error model:gpt-4* cost:>0.01 -tag:test "cold brew"`.
//!
//! Terms stand side by side and all have to hold; `-` before a term turns it around. Reading is pure: the time that
//! relative ones such as `start:>-1h` refer to is handed in.

mod pattern;
mod phrase;
mod range;

pub use pattern::Pattern;
pub use phrase::Phrase;
pub use range::Range;

use std::fmt;

/// The most bytes of a filter.
const MOST_BYTES: usize = 4096;

/// What spans or traces have to be like. An empty one lets all pass.
///
/// ```
/// use glassbox_server::filter::{Condition, Filter, TextKey};
///
/// let filter = Filter::parse("name:Coffee* -status:done", 0)?;
/// assert_eq!(filter.terms.len(), 2);
/// assert!(matches!(&filter.terms[0].condition, Condition::Text(TextKey::Name, name) if name.matches("CoffeeShop")));
/// assert!(filter.terms[1].negated);
/// # Ok::<(), glassbox_server::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// What has to hold, all of it.
    pub terms: Vec<Term>,
}

/// One condition of a filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Whether the condition must not hold.
    pub negated: bool,
    /// The condition.
    pub condition: Condition,
}

/// What can be asked of a span or trace.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Words that stand in a name or payload, in any order.
    Words(String),
    /// Words that stand in a name or payload side by side, as they were quoted.
    Phrase(String),
    /// A text under a key.
    Text(TextKey, Pattern),
    /// A number under a key, in that key's unit.
    Number(NumberKey, Range),
    /// How far it has come.
    Status(Status),
    /// That there is something.
    Has(Has),
    /// A fact in the trace's metadata.
    Metadata(String, Pattern),
    /// A fact in the span's own metadata, else in the trace's. It cannot be typed: Langfuse's API asks like that.
    OwnMetadata(String, Pattern),
    /// That one of these holds. It cannot be typed: Langfuse's API asks like that.
    Any(Vec<Term>),
}

/// Defines a closed set of names with the words that they are typed as.
macro_rules! names {
    ($(#[$meta:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $first:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$doc])* $variant),+ }

        impl $type {
            /// The words that are typed for them.
            pub const WORDS: &[&str] = &[$($first),+];

            fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($first $(| $alias)* => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

names! {
    /// A key with a text.
    TextKey {
        /// The name of the trace or span.
        Name = "name",
        /// A model that was called.
        Model = "model",
        /// Who serves the model.
        Provider = "provider",
        /// The kind of span.
        Kind = "kind",
        /// The class or message of an error.
        Error = "error",
        /// The conversation.
        Session = "session",
        /// The end user.
        User = "user",
        /// A label.
        Tag = "tag",
        /// Where the program runs.
        Environment = "environment" | "env",
        /// The release of the program.
        Release = "release",
        /// The version of the program.
        Version = "version",
        /// The service that sent it.
        Service = "service",
        /// The id of the trace.
        Trace = "trace",
        /// The id of the span.
        Span = "span",
        /// The id of the span above.
        Parent = "parent",
        /// The name of a tool that was called.
        Tool = "tool",
        /// What happens: `span_start`, `span_end`, or the framework's own word such as `llm.error`.
        Event = "event",
    }
}

names! {
    /// A key with a number.
    NumberKey {
        /// Millionths of a millionth of a US dollar.
        Cost = "cost",
        /// Tokens, in and out.
        Tokens = "tokens",
        /// Microseconds.
        Duration = "duration",
        /// Attempts beyond the first.
        Retries = "retries",
        /// Failed spans.
        Errors = "errors",
        /// Spans.
        Spans = "spans",
        /// Microseconds since the Unix epoch.
        Start = "start",
    }
}

names! {
    /// How far a span or trace has come.
    Status {
        /// It is running.
        Running = "running",
        /// It ended well.
        Done = "done",
        /// It failed.
        Error = "error",
        /// Its process went away before it ended.
        Abandoned = "abandoned",
    }
}

names! {
    /// What there can be.
    Has {
        /// An error.
        Error = "error",
        /// A score.
        Score = "score",
        /// An answer from the program's own cache.
        CacheHit = "cache_hit",
        /// A span above.
        Parent = "parent",
    }
}

/// Why a filter could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// What is wrong, and what to type instead.
    pub message: String,
    /// Where in the filter, in bytes.
    pub at: usize,
}

impl Filter {
    /// Reads a filter. Times such as `-1h` are relative to `now_us`, microseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// If a key is unknown, a value does not fit its key, or a quotation mark is missing.
    pub fn parse(text: &str, now_us: i64) -> Result<Self, FilterError> {
        if text.len() > MOST_BYTES {
            let message = format!("the filter is longer than {MOST_BYTES} bytes; shorten it");
            return Err(FilterError { message, at: MOST_BYTES });
        }
        let mut terms = Vec::new();
        for word in words(text)? {
            terms.push(term(&word, now_us)?);
        }
        Ok(Self { terms })
    }

    /// Tells whether the filter lets all pass.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Returns the words to search payloads for that must be there.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter_map(|term| match &term.condition {
            Condition::Words(words) | Condition::Phrase(words) if !term.negated => {
                Some(words.as_str())
            }
            _ => None,
        })
    }
}

/// A piece of the filter between spaces.
struct Word {
    at: usize,
    negated: bool,
    /// What stands before the first colon that is in no quotes.
    key: Option<String>,
    value: String,
    /// Where the value begins.
    value_at: usize,
    quoted: bool,
}

/// Takes the filter apart at spaces that are in no quotes.
fn words(text: &str) -> Result<Vec<Word>, FilterError> {
    let mut words = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next_if(|_| true) {
        if c.is_whitespace() {
            continue;
        }
        let negated = c == '-' && chars.peek().is_some_and(|(_, next)| !next.is_whitespace());
        let mut word =
            Word { at, negated, key: None, value: String::new(), value_at: at, quoted: false };
        let mut next = if negated { chars.next() } else { Some((at, c)) };
        while let Some((at, c)) = next {
            match c {
                '"' => {
                    word.quoted = true;
                    quoted(&mut chars, &mut word.value, at)?;
                }
                ':' if word.key.is_none() && !word.quoted => {
                    word.key = Some(std::mem::take(&mut word.value));
                    word.value_at = at + 1;
                }
                c => word.value.push(c),
            }
            next = chars.next_if(|(_, c)| !c.is_whitespace());
        }
        words.push(word);
    }
    Ok(words)
}

/// Takes what stands between quotation marks; a backslash keeps the next character from meaning anything.
fn quoted(
    chars: &mut impl Iterator<Item = (usize, char)>,
    value: &mut String,
    at: usize,
) -> Result<(), FilterError> {
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => return Ok(()),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    Err(FilterError { message: "a quotation mark has no partner; type another \"".to_owned(), at })
}

fn term(word: &Word, now_us: i64) -> Result<Term, FilterError> {
    let condition = match &word.key {
        None if word.quoted => Condition::Phrase(word.value.clone()),
        None => Condition::Words(word.value.clone()),
        Some(key) => condition(key, word, now_us)?,
    };
    Ok(Term { negated: word.negated, condition })
}

fn condition(key: &str, word: &Word, now_us: i64) -> Result<Condition, FilterError> {
    let value = word.value.as_str();
    let wrong = |message: String| FilterError { message, at: word.value_at };
    let one_of = |words: &[&str]| {
        wrong(format!("{key} cannot be {value:?}; type one of {}", words.join(", ")))
    };
    if value.is_empty() && !word.quoted {
        return Err(wrong(format!(
            "{key}: needs a value; type it right behind the colon, or put the words in quotes"
        )));
    }
    if let Some(name) = key.strip_prefix("metadata.").filter(|name| !name.is_empty()) {
        return Ok(Condition::Metadata(name.to_owned(), Pattern::new(value)));
    }
    let lower = key.to_ascii_lowercase();
    if let Some(key) = TextKey::from_word(&lower) {
        return Ok(Condition::Text(key, Pattern::new(value)));
    }
    if let Some(key) = NumberKey::from_word(&lower) {
        return range::read(key, value, now_us)
            .map(|range| Condition::Number(key, range))
            .map_err(wrong);
    }
    match lower.as_str() {
        "status" | "state" => {
            Status::from_word(value).map(Condition::Status).ok_or_else(|| one_of(Status::WORDS))
        }
        "has" => Has::from_word(value).map(Condition::Has).ok_or_else(|| one_of(Has::WORDS)),
        _ => {
            let message = format!(
                "there is no key {key:?}; type one of {}, or put the words in quotes",
                keys().join(", ")
            );
            Err(FilterError { message, at: word.at })
        }
    }
}

/// Returns all keys that can be typed.
#[must_use]
pub fn keys() -> Vec<&'static str> {
    [TextKey::WORDS, NumberKey::WORDS, &["status", "has", "metadata.KEY"]].concat()
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WORDS[*self as usize])
    }
}

#[cfg(test)]
mod tests;
