//! The systems that are measured: ours, its peers, and the least that any could do.

use crate::data::Facts;
use std::sync::Arc;
use std::time::Duration;

mod fastrace;
mod glassbox;
mod record;
mod sdk;
mod tracing;

pub(crate) use self::fastrace::Fastrace;
pub(crate) use self::glassbox::{Glassbox, Unobserved, llm_span};
pub(crate) use self::record::Record;
pub(crate) use self::sdk::{Sdk, attributes_of_answer, attributes_of_call};
pub(crate) use self::tracing::Tracing;

/// How input and output come to a system that takes texts alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Texts {
    /// It gets them rendered, as a program must that has values and no texts.
    Rendered,
    /// It is given the texts, and need not even copy them where it can share them.
    Given,
}

impl Texts {
    /// Returns a system's name.
    const fn name(self, rendered: &'static str, given: &'static str) -> &'static str {
        match self {
            Self::Rendered => rendered,
            Self::Given => given,
        }
    }

    fn input(self, facts: &Facts) -> Text {
        match self {
            Self::Rendered => Text::Own(facts.input.to_json()),
            Self::Given => Text::Shared(Arc::clone(&facts.input_text)),
        }
    }

    fn output(self, facts: &Facts) -> Text {
        match self {
            Self::Rendered => Text::Own(facts.output.to_json()),
            Self::Given => Text::Shared(Arc::clone(&facts.output_text)),
        }
    }
}

/// A text, in the form in which the program has it.
pub(crate) enum Text {
    Own(String),
    Shared(Arc<str>),
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Self::Own(text) => text,
            Self::Shared(text) => text,
        }
    }

    fn into_string(self) -> String {
        match self {
            Self::Own(text) => text,
            Self::Shared(text) => text.as_ref().to_owned(),
        }
    }
}

/// Something that takes spans.
pub(crate) trait System: Sync {
    /// How tables call it.
    fn name(&self) -> &'static str;

    /// Begins and ends spans below one parent, on this thread, and returns how long that took. Each span becomes
    /// current once, as it does around the work that it stands for.
    fn spans(&self, facts: &Facts, count: u32) -> Duration;

    /// Waits until all spans so far are done with.
    fn settle(&self);
}
