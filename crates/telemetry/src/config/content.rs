//! What of the content leaves the process: how much is captured, and what is masked.

use super::read::{Environment, truth};
use crate::error::{ConfigError, Kind};
use crate::mask::Masking;
use glassbox_trace::otlp::Content;

/// Reads how much of the content is exported.
pub(super) fn content(env: &Environment<'_>) -> Result<Content, ConfigError> {
    let expected = "write true, false or length";
    let own = env.parse("GLASSBOX_CAPTURE_CONTENT", expected, |value| match value {
        "length" | "lengths" => Some(Content::Lengths),
        value => truth(value).map(Content::from),
    })?;
    let shared = env.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT");
    let is_off = shared.is_some_and(|value| {
        ["no_content", "false"].contains(&value.to_ascii_lowercase().as_str())
    });
    Ok(own.unwrap_or_else(|| Content::from(!is_off)))
}

/// Reads what is masked. Secrets are, unless it is said that nothing is.
pub(super) fn masking(env: &Environment<'_>) -> Result<Masking, ConfigError> {
    const PATTERN: &str = "GLASSBOX_MASK_PATTERN";
    let expected = "write none, or some of secrets, email and card, separated by commas";
    let named = env.parse("GLASSBOX_MASK", expected, named)?;
    let masking = named.unwrap_or_default();
    match env.get(PATTERN) {
        None => Ok(masking),
        Some(pattern) => masking.try_pattern("pattern", &pattern).map_err(|problem| {
            Kind::Pattern { what: PATTERN.to_owned(), variable: Some(PATTERN), problem }.into()
        }),
    }
}

fn named(list: &str) -> Option<Masking> {
    let words: Vec<_> = list.split(',').map(|word| word.trim().to_ascii_lowercase()).collect();
    if words == ["none"] {
        return Some(Masking::none());
    }
    let (mut emails, mut cards) = (false, false);
    for word in words {
        match word.as_str() {
            "secrets" => (),
            "email" | "emails" => emails = true,
            "card" | "cards" => cards = true,
            _ => return None,
        }
    }
    let masking = Masking::secrets();
    let masking = if emails { masking.emails() } else { masking };
    Some(if cards { masking.card_numbers() } else { masking })
}
