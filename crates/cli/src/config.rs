//! The environment variables of the command, besides those of the libraries.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `NO_COLOR` | no colours, whatever its value, unless it is empty |
//! | `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY` | the demo asks this provider instead of the simulated one |

#![allow(clippy::disallowed_methods, reason = "this is the file that reads the environment")]

use std::io::IsTerminal;

/// The models that the demo asks when the provider's key is there.
const MODELS: [(&str, &str); 3] = [
    ("OPENAI_API_KEY", "openai/gpt-4o-mini"),
    ("ANTHROPIC_API_KEY", "anthropic/claude-haiku-4-5"),
    ("GEMINI_API_KEY", "gemini/gemini-2.5-flash"),
];

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Tells whether text on stdout may have colours.
pub(crate) fn colour() -> bool {
    std::io::stdout().is_terminal() && !is_set("NO_COLOR")
}

/// Returns the variable with a key that is set, and the model to ask with it.
pub(crate) fn keyed_model() -> Option<(&'static str, &'static str)> {
    MODELS.into_iter().find(|(variable, _)| is_set(variable))
}
