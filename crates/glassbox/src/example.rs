//! Examples of a signature: an input with a good output, shown to the model before the question.

use crate::adapter::Shot;
use crate::field::Field;
use crate::signature::{FieldSpec, Signature};
use serde_json::Value;

/// An input with a good output.
#[derive(Clone, Debug)]
pub struct Example<S: Signature> {
    input: S::Input,
    output: S::Output,
    reasoning: Option<String>,
}

impl<S: Signature> Example<S> {
    /// Makes an example.
    #[must_use]
    pub const fn new(input: S::Input, output: S::Output) -> Self {
        Self { input, output, reasoning: None }
    }

    /// Adds the reasoning that leads to the output, for a chain of thought.
    #[must_use]
    pub fn with_reasoning(mut self, reasoning: impl Into<String>) -> Self {
        self.reasoning = Some(reasoning.into());
        self
    }

    /// Renders the example, with the fields first that the module puts first.
    pub(crate) fn shot(self, leading: &[FieldSpec]) -> Shot {
        let mut output = serde_json::Map::new();
        if !leading.is_empty() {
            let reasoning =
                self.reasoning.unwrap_or_else(|| "The answer follows from the input.".to_owned());
            output.insert("reasoning".to_owned(), reasoning.into());
        }
        if let Value::Object(fields) = self.output.to_json() {
            output.extend(fields);
        }
        Shot { input: self.input.to_json(), output: output.into() }
    }
}
