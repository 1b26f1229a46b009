//! Masking: what of a text leaves the process. It runs once, where spans are encoded, over every string of them.

use crate::error::{ConfigError, Kind};
use glassbox_trace::otlp::Filter;
use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

mod rewrite;
mod token;
mod name;
mod pair;
mod glance;
mod secrets;
mod email;
mod card;
mod pattern;

use card::CardNumbers;
use email::Emails;
use pattern::Pattern;
use secrets::Secrets;

/// What a text becomes whose redactor panicked.
const FAILED: &str = "[redaction failed]";

/// Hides parts of texts. Runs on the workers' threads. If it panics, the whole text is hidden.
///
/// ```
/// use glassbox_telemetry::mask::{Masking, Redactor};
/// use std::borrow::Cow;
///
/// /// Hides the value of `ssn`, and nothing else.
/// struct SocialSecurity;
///
/// impl Redactor for SocialSecurity {
///     fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
///         text.into()
///     }
///
///     fn redact_value<'t>(&self, key: &str, value: &'t str) -> Cow<'t, str> {
///         if key == "ssn" { "[redacted:ssn]".into() } else { value.into() }
///     }
/// }
///
/// let masking = Masking::secrets().redactor(SocialSecurity);
/// assert_eq!(masking.redact_value("ssn", "078-05-1120"), "[redacted:ssn]");
/// ```
pub trait Redactor: Send + Sync {
    /// Returns the text as it may leave the process. Texts are decoded: of JSON, it sees each string alone.
    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str>;

    /// Returns the value that stands under a key, of an attribute or of JSON, as it may leave the process. Whole numbers
    /// of four digits and more come here too, as texts.
    fn redact_value<'t>(&self, key: &str, value: &'t str) -> Cow<'t, str> {
        let _ = key;
        self.redact(value)
    }

    /// Tells whether it could change a text that stands under a key, if there is one. The text may be JSON: then it speaks
    /// for every string in it. Where none of the redactors could, JSON need not be read. In doubt it says `true`.
    fn may_redact(&self, key: Option<&str>, text: &str) -> bool {
        let _ = (key, text);
        true
    }
}

/// Which redactors run, in order. The default hides keys, tokens and passwords.
///
/// ```
/// use glassbox_telemetry::mask::Masking;
/// let masking = Masking::secrets().emails().pattern("order", r"\bORD-\d+\b")?;
/// let masked = masking.redact("ada@example.com paid ORD-17 with Bearer abcDEF123456");
/// assert_eq!(masked, "[redacted:email] paid [redacted:order] with Bearer [redacted:token]");
/// # Ok::<(), glassbox_telemetry::error::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use = "hand it to `Observe::masking`"]
pub struct Masking {
    redactors: Vec<Arc<dyn Redactor>>,
    failures: Arc<AtomicU64>,
}

impl Default for Masking {
    fn default() -> Self {
        Self::secrets()
    }
}

impl Masking {
    /// Hides nothing.
    pub fn none() -> Self {
        Self { redactors: Vec::new(), failures: Arc::default() }
    }

    /// Hides keys of providers and clouds, bearer tokens, private keys, passwords in URLs, and the values of what is called
    /// `api_key`, `password` and the like.
    pub fn secrets() -> Self {
        Self::none().redactor(Secrets)
    }

    /// Hides e-mail addresses.
    pub fn emails(self) -> Self {
        self.redactor(Emails)
    }

    /// Hides numbers of payment cards: those with a known beginning, a length that goes with it, and a right check digit.
    pub fn card_numbers(self) -> Self {
        self.redactor(CardNumbers)
    }

    /// Hides what a regular expression matches, as `[redacted:NAME]`. Its search takes time linear in the text's length.
    ///
    /// # Errors
    ///
    /// It is no regular expression of the `regex` crate, or matches the empty text.
    pub fn pattern(self, name: &str, pattern: &str) -> Result<Self, ConfigError> {
        self.try_pattern(name, pattern).map_err(|problem| {
            Kind::Pattern { what: format!("the pattern {name:?}"), variable: None, problem }.into()
        })
    }

    pub(crate) fn try_pattern(self, name: &str, pattern: &str) -> Result<Self, String> {
        Ok(self.redactor(Pattern::new(name, pattern)?))
    }

    /// Adds a redactor of one's own.
    pub fn redactor(mut self, redactor: impl Redactor + 'static) -> Self {
        self.redactors.push(Arc::new(redactor));
        self
    }

    /// Adds a function that returns a text as it may leave the process.
    ///
    /// ```
    /// use glassbox_telemetry::mask::Masking;
    /// let masking = Masking::default().function(|text| text.replace("ACME", "[customer]").into());
    /// assert_eq!(masking.redact("an order of ACME"), "an order of [customer]");
    /// ```
    pub fn function<F>(self, function: F) -> Self
    where
        F: for<'t> Fn(&'t str) -> Cow<'t, str> + Send + Sync + 'static,
    {
        self.redactor(Function(function))
    }

    /// Returns a text as it would leave the process.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.run(text, |redactor, text| redactor.redact(text))
    }

    /// Returns the value of a key as it would leave the process.
    #[must_use]
    pub fn redact_value<'t>(&self, key: &str, value: &'t str) -> Cow<'t, str> {
        self.run(value, |redactor, value| redactor.redact_value(key, value))
    }

    /// Returns how many texts were hidden because a redactor panicked. Clones count together.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Tells whether nothing is hidden.
    pub(crate) const fn is_none(&self) -> bool {
        self.redactors.is_empty()
    }

    fn run<'t>(
        &self,
        text: &'t str,
        redact: impl for<'r> Fn(&dyn Redactor, &'r str) -> Cow<'r, str>,
    ) -> Cow<'t, str> {
        let all = || {
            self.redactors.iter().fold(Cow::Borrowed(text), |text, redactor| match text {
                Cow::Borrowed(text) => redact(redactor.as_ref(), text),
                Cow::Owned(text) => Cow::Owned(redact(redactor.as_ref(), &text).into_owned()),
            })
        };
        // Whatever state a redactor leaves behind is its own.
        catch_unwind(AssertUnwindSafe(all)).unwrap_or_else(|_| {
            if self.failures.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::error!(
                    "a redactor panicked: its text is hidden, further ones are only counted"
                );
            }
            Cow::Borrowed(FAILED)
        })
    }
}

impl Filter for Masking {
    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.redact(text)
    }

    fn entry<'t>(&self, key: &str, text: &'t str) -> Cow<'t, str> {
        self.redact_value(key, text)
    }

    fn may_change(&self, key: Option<&str>, text: &str) -> bool {
        let any = || self.redactors.iter().any(|redactor| redactor.may_redact(key, text));
        // One that panics here is asked for the text, and hides it if it panics again.
        catch_unwind(AssertUnwindSafe(any)).unwrap_or(true)
    }
}

impl fmt::Debug for Masking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masking").field("redactors", &self.redactors.len()).finish_non_exhaustive()
    }
}

/// A redactor that is a function.
struct Function<F>(F);

impl<F> Redactor for Function<F>
where
    F: for<'t> Fn(&'t str) -> Cow<'t, str> + Send + Sync,
{
    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redactor_that_panics_hides_its_text_alone() {
        let masking = Masking::none().function(|text| {
            assert!(!text.contains("boom"), "tested");
            text.into()
        });
        assert_eq!(masking.redact("quiet"), "quiet");
        assert_eq!(masking.redact("boom, sk-secret"), FAILED);
        assert_eq!(masking.clone().failures(), 1);
    }

    #[test]
    fn redactors_run_in_their_order() {
        let masking = Masking::none()
            .function(|text| text.replace('a', "b").into())
            .function(|text| text.replace('b', "c").into());
        assert_eq!(masking.redact("aba"), "ccc");
    }
}
