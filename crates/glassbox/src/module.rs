//! Modules: the steps that programs are made of. Calling one opens its span; nothing has to be written for it.

use crate::error::Error;
use crate::field::Field;
use crate::prediction::Prediction;
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::{Detail, Status};
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A step of a program. Write [`forward`](Module::forward), call [`call`](Module::call): the call is one span, named
/// after the type, with input, output, error and everything below it.
///
/// ```
/// use glassbox::{Error, Field, Module};
/// use std::sync::Arc;
///
/// #[derive(Field, Clone, Debug)]
/// struct Question { text: String }
///
/// struct Shout;
/// impl Module for Shout {
///     type Input = Question;
///     type Output = String;
///     async fn forward(&self, input: Arc<Question>) -> Result<String, Error> {
///         Ok(input.text.to_uppercase())
///     }
/// }
/// # async fn example() -> Result<(), Error> {
/// let loud = Shout.call(Question { text: "hello".into() }).await?; // a span `Shout.forward`
/// # Ok(())
/// # }
/// ```
pub trait Module: Send + Sync {
    /// What goes in; a signature's input, or any type with `#[derive(Field)]`.
    type Input: Field;
    /// What comes out: a [`Prediction`], or any `Field` that can be cloned.
    type Output: Record + Send;

    /// Does the work. The input is shared with the span, so that nothing is copied for the trace.
    fn forward(
        &self,
        input: Arc<Self::Input>,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;

    /// Names the span: by default the type's name and `.forward`.
    fn span_name(&self) -> Arc<str> {
        format!("{}.forward", short_name(std::any::type_name::<Self>())).into()
    }

    /// Says what kind of span it is: by default a plain one.
    fn detail(&self) -> Detail {
        Detail::Span
    }

    /// Calls the module: opens its span, does the work within, and closes it with the output or the error.
    ///
    /// # Errors
    ///
    /// What [`forward`](Module::forward) returns.
    fn call(
        &self,
        input: impl Into<Arc<Self::Input>> + Send,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send {
        let input = input.into();
        async move {
            let span = begin(self, &input);
            let result = span.context().scope(self.forward(input)).await;
            end(span, &result);
            result
        }
    }
}

/// Begins the span of a module's call.
pub(crate) fn begin<M: Module + ?Sized>(module: &M, input: &Arc<M::Input>) -> OpenSpan {
    let payload = Payload::shared(Arc::new(Rendered(Arc::clone(input))));
    OpenSpan::begin_here(Family::Module, &module.span_name(), module.detail(), Some(payload))
}

/// Ends it with what came of the call.
pub(crate) fn end<O: Record>(span: OpenSpan, result: &Result<O, Error>) {
    match result {
        Ok(output) => span.end(Status::Ok, Some(output.record())),
        Err(error) => {
            let partial = error.partial_output().map(Payload::from);
            span.end(Status::error(error.error_type(), error.to_string()), partial)
        }
    };
}

/// A [`Module`] behind a pointer: for lists of modules of different types with the same input and output.
///
/// ```
/// use glassbox::{DynModule, Module};
/// fn both<I: glassbox::Field, O: glassbox::Record + Send>(
///     modules: &[Box<dyn DynModule<Input = I, Output = O>>],
/// ) -> usize {
///     modules.len()
/// }
/// ```
pub trait DynModule: Send + Sync {
    /// What goes in.
    type Input;
    /// What comes out.
    type Output;

    /// Calls the module, as [`Module::call`] does.
    fn call_dyn(&self, input: Arc<Self::Input>) -> BoxFuture<'_, Result<Self::Output, Error>>;
}

/// A future behind a pointer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<M: Module> DynModule for M {
    type Input = M::Input;
    type Output = M::Output;

    fn call_dyn(&self, input: Arc<M::Input>) -> BoxFuture<'_, Result<M::Output, Error>> {
        Box::pin(self.call(input))
    }
}

/// An output that a span can keep.
pub trait Record {
    /// Shares the value with a span; it is rendered later, if at all.
    fn record(&self) -> Payload;

    /// Writes the value for a model that asked for it: what a [tool](crate::module_tool) answers.
    fn answer(&self) -> Value {
        self.record().render()
    }
}

impl<T: Field + Clone> Record for T {
    fn record(&self) -> Payload {
        Payload::shared(Arc::new(Rendered(Arc::new(self.clone()))))
    }
}

impl<O: Field> Record for Prediction<O> {
    fn record(&self) -> Payload {
        let reasoning = self.reasoning().map(Arc::from);
        Payload::shared(Arc::new(RenderedPrediction { reasoning, output: self.shared_output() }))
    }

    /// Leaves the reasoning out, which is nobody's business but the model's that reasoned.
    fn answer(&self) -> Value {
        self.output().to_json()
    }
}

/// A shared value that shows itself as JSON when a span is exported.
struct Rendered<T>(Arc<T>);

impl<T: Field> Render for Rendered<T> {
    fn render(&self) -> Value {
        self.0.to_json()
    }
}

/// A prediction as JSON: the reasoning before the answer, as it was made.
struct RenderedPrediction<O> {
    reasoning: Option<Arc<str>>,
    output: Arc<O>,
}

impl<O: Field> Render for RenderedPrediction<O> {
    fn render(&self) -> Value {
        let (reasoning, output) = (self.reasoning.as_deref(), self.output.to_json());
        match (reasoning, output) {
            (Some(reasoning), Value::Object(output)) => {
                let first = std::iter::once(("reasoning".to_owned(), Value::from(reasoning)));
                Value::Object(
                    first
                        .chain(output.into_iter().filter(|(name, _)| name != "reasoning"))
                        .collect(),
                )
            }
            (_, output) => output,
        }
    }
}

/// Drops the paths of a type's name: `shop::Agent<shop::Kind>` becomes `Agent<Kind>`.
fn short_name(full: &str) -> String {
    let mut short = String::new();
    let mut rest = full;
    while let Some(end) = rest.find(['<', '>', ',', ' ', '(', ')', '&', '[', ']', ';']) {
        let (segment, tail) = rest.split_at(end);
        short.push_str(segment.rsplit("::").next().unwrap_or(segment));
        // The separators above are one byte each.
        short.push_str(&tail[..1]);
        rest = &tail[1..];
    }
    short.push_str(rest.rsplit("::").next().unwrap_or(rest));
    short
}

#[cfg(test)]
mod tests {
    use super::short_name;

    #[test]
    fn names_lose_their_paths() {
        assert_eq!(short_name("shop::CoffeeShopAgent"), "CoffeeShopAgent");
        assert_eq!(
            short_name("a::Retry<a::b::Agent, alloc::vec::Vec<u8>>"),
            "Retry<Agent, Vec<u8>>"
        );
    }
}
