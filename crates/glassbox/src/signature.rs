//! What a model is asked to do: an instruction, typed inputs and typed outputs.

use std::fmt::Debug;

use serde_json::Value;

use crate::definitions::Definitions;
use crate::field::{self, Field};

pub use crate::field::FieldSpec;

/// Describes a task for a model: the instruction, what goes in and what comes out.
///
/// Derive it on a struct. The doc comment is the instruction, the fields' doc comments describe
/// them, and `CoffeeShopInput` and `CoffeeShopOutput` are generated with the fields marked
/// `#[input]` and `#[output]`. A field may carry `#[field(description = "..")]`,
/// `#[field(rename = "..")]`, `#[field(default)]` and `#[field(default = ..)]`.
///
/// ```
/// use glassbox::{Field, Signature};
///
/// /// Analyze customer request and take appropriate action.
/// #[derive(Signature)]
/// struct CoffeeShop {
///     /// What the customer said.
///     #[input]
///     customer_request: String,
///     #[input]
///     customer_mood: Mood,
///     #[output]
///     friendly_response: String,
/// }
///
/// #[derive(Clone, Debug, Field)]
/// enum Mood {
///     Happy,
///     Neutral,
///     Upset,
/// }
///
/// let input = CoffeeShopInput {
///     customer_request: "Can I get a latte?".to_owned(),
///     customer_mood: Mood::Happy,
/// };
/// assert_eq!(CoffeeShop::INSTRUCTIONS, "Analyze customer request and take appropriate action.");
/// assert_eq!(input.to_json()["customer_mood"], "happy");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a signature",
    note = "write `#[derive(Signature)]` above it, and a doc comment that says what to do"
)]
pub trait Signature: Send + Sync + 'static {
    /// What is handed in: a struct of the fields marked `#[input]`.
    type Input: Field + Clone + Debug;
    /// What comes back: a struct of the fields marked `#[output]`.
    type Output: Field + Clone + Debug;

    /// The name of the signature: that of the struct.
    const NAME: &'static str;
    /// The instruction for the model: the doc comment.
    const INSTRUCTIONS: &'static str;
    /// The fields of [`Input`](Self::Input), in the order they were written.
    const INPUTS: &'static [FieldSpec];
    /// The fields of [`Output`](Self::Output), in the order they were written.
    const OUTPUTS: &'static [FieldSpec];
}

/// Writes the JSON schema of an object made of fields, as a provider's structured output wants it.
///
/// `leading` fields come first (the `reasoning` of a chain of thought); a field of the same name
/// takes the place of a leading one. Fields that are not required admit `null`, because some
/// providers insist that every property is present.
///
/// ```
/// use glassbox::{Signature, object_schema};
///
/// /// Answer the question.
/// #[derive(Signature)]
/// struct Ask {
///     #[input]
///     question: String,
///     /// One sentence.
///     #[output]
///     answer: String,
/// }
///
/// let schema = object_schema(&[], Ask::OUTPUTS);
/// assert_eq!(schema["required"], serde_json::json!(["answer"]));
/// assert_eq!(schema["properties"]["answer"]["description"], "One sentence.");
/// ```
pub fn object_schema(leading: &[FieldSpec], fields: &[FieldSpec]) -> Value {
    let own = |name| fields.iter().find(|field| field.name == name);
    let leading_names: Vec<_> = leading.iter().map(|field| field.name).collect();
    let first = leading.iter().map(|field| own(field.name).unwrap_or(field));
    let rest = fields.iter().filter(|field| !leading_names.contains(&field.name));

    let mut definitions = Definitions::new();
    let mut schema = field::object_of(first.chain(rest), &mut definitions);
    let defs = definitions.into_defs();
    if !defs.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(defs));
    }
    Value::Object(schema)
}
