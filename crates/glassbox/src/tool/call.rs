//! The call of a tool: arguments, gates, span, timeout, panic, stop. What went wrong is an observation for the model.

use crate::error::Error;
use crate::tool::error::Kind;
use crate::tool::toolbox::Entry;
use crate::tool::{ToolError, Toolbox};
use futures::FutureExt;
use futures::future::{self, Either};
use glassbox_events::context::Context;
use glassbox_events::event::{AdapterRepair, EventData};
use glassbox_events::gate::{Action, Spent};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::refusal::Refusal;
use glassbox_trace::cost::Cost;
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::{Detail, Status, Tool as ToolDetail};
use glassbox_trace::usage::Usage;
use serde_json::{Map, Value};
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How many of the mistakes in its arguments a model is told, and how much of each.
const MISTAKES: usize = 5;
const MISTAKE_LENGTH: usize = 200;
/// How much of a name that is no tool's a span keeps.
const NAME_LENGTH: usize = 64;

/// What came of a tool's call, as the model is told it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutcome {
    /// The observation: the result as text or JSON, or what went wrong.
    pub text: Arc<str>,
    /// The result; `null` if the call failed.
    pub value: Arc<Value>,
    /// Whether the call failed.
    pub failed: bool,
}

/// Why a call has no result.
enum Ending {
    /// Something that a model may do better.
    Failed(ToolError),
    /// A gate or a stop: nobody may go on.
    Refused(Error),
}

impl Toolbox {
    /// Calls a tool for a model, as one `tool` span with arguments, and the result or the error.
    ///
    /// An unknown name, arguments that do not fit, an error, a panic and a timeout are outcomes that tell the model so.
    /// Without a Tokio runtime there is no timeout. `call_id` is the id of the model's call, if it has one.
    ///
    /// # Errors
    ///
    /// A gate refuses the call or something within it, the run is stopped, or the toolbox has a
    /// [defect](Toolbox::check).
    pub async fn call(
        &self,
        name: &str,
        arguments: impl Into<Arc<Value>>,
        call_id: Option<&str>,
    ) -> Result<ToolOutcome, Error> {
        self.check()?;
        let arguments = arguments.into();
        let entry = self.find(name);
        let payload = Payload::shared(Arc::clone(&arguments) as Arc<dyn Render>);
        let span = begin(name, entry.map(AsRef::as_ref), payload, call_id);
        let result = match entry {
            Some(entry) => {
                let context = span.context();
                context.scope(call(entry, &arguments, context)).await
            }
            None => Err(Ending::Failed(self.unknown(name))),
        };
        let ending = match result {
            Ok(value) => {
                let outcome = ToolOutcome::new(value);
                let payload = Payload::shared(Arc::clone(&outcome.value) as Arc<dyn Render>);
                span.end(Status::Ok, Some(payload));
                return Ok(outcome);
            }
            Err(Ending::Failed(error)) => {
                error.into_refused().map_or_else(Ending::Failed, Ending::Refused)
            }
            Err(refused) => refused,
        };
        match ending {
            Ending::Failed(error) => {
                span.end(Status::error(error.error_type(), error.to_string()), None);
                Ok(ToolOutcome::failed(&error))
            }
            Ending::Refused(error) => {
                span.end(Status::error(error.error_type(), error.to_string()), None);
                Err(error)
            }
        }
    }

    fn unknown(&self, name: &str) -> ToolError {
        let names: Vec<_> = self.names().collect();
        let known = match names.as_slice() {
            [] => "there are no tools".to_owned(),
            names => format!("call one of {}", names.join(", ")),
        };
        ToolError::of(
            Kind::Unknown,
            format!("there is no tool named {:?}: {known}", short(name, NAME_LENGTH)),
        )
    }
}

impl ToolOutcome {
    fn new(value: Value) -> Self {
        let text = match &value {
            Value::String(text) => text.as_str().into(),
            value => value.to_string().into(),
        };
        Self { text, value: Arc::new(value), failed: false }
    }

    fn failed(error: &ToolError) -> Self {
        Self { text: error.to_string().into(), value: Arc::new(Value::Null), failed: true }
    }
}

fn begin(name: &str, entry: Option<&Entry>, input: Payload, call_id: Option<&str>) -> OpenSpan {
    let (span_name, name, description) = match entry {
        Some(Entry { span_name, definition, .. }) => {
            let description = Some(&definition.description).filter(|text| !text.is_empty());
            (Arc::clone(span_name), Arc::clone(&definition.name), description.cloned())
        }
        None => {
            let name = short(name, NAME_LENGTH);
            (format!("execute_tool {name}").into(), name.into(), None)
        }
    };
    let detail = Detail::Tool(ToolDetail { name, call_id: call_id.map(Arc::from), description });
    let mut span = OpenSpan::begin_here(Family::Tool, &span_name, detail, Some(input));
    let attributes = entry.map(|entry| entry.tool.attributes()).unwrap_or_default();
    if !attributes.is_empty() {
        span.edit(|span| span.attributes.extend(attributes));
    }
    span
}

async fn call(entry: &Entry, arguments: &Value, context: &Context) -> Result<Value, Ending> {
    let arguments = fitting(entry, arguments, context).map_err(Ending::Failed)?;
    let action = Action::ToolCall { tool: Arc::clone(&entry.definition.name) };
    let refused = |refusal: Refusal| Ending::Refused(refusal.into());
    let permit = context.ask(&action, &[]).map_err(refused)?;

    let stopped = async {
        match context.run() {
            Some(run) => run.until_stopped().await.clone(),
            None => future::pending().await,
        }
    };
    let result = match future::select(pin!(work(entry, arguments)), pin!(stopped)).await {
        Either::Left((result, _)) => result,
        // What was reserved counts as spent: dropping the permit says so.
        Either::Right((stop, _)) => return Err(refused(Refusal::Stopped(stop))),
    };
    permit.settle(Spent::Known { usage: Usage::ZERO, cost: Cost::ZERO });
    result.map_err(Ending::Failed)
}

/// Does the work, within its time; a panic is an error like any other.
async fn work(entry: &Entry, arguments: Value) -> Result<Value, ToolError> {
    // Called within the future, so that what panics before it returns one is caught too.
    let work = AssertUnwindSafe(async { entry.tool.call(arguments).await }).catch_unwind();
    let caught = match entry.timeout {
        Some(limit) if Handle::try_current().is_ok() => {
            timeout(limit, work).await.map_err(|_| {
                ToolError::of(
                    Kind::Timeout,
                    format!("the tool had no result within {limit:?} and was given up"),
                )
            })?
        }
        _ => work.await,
    };
    caught.unwrap_or_else(|panic| Err(ToolError::of(Kind::Panic, panic_words(panic.as_ref()))))
}

/// Returns arguments that fit the tool's schema, as they are or read leniently.
fn fitting(entry: &Entry, arguments: &Value, context: &Context) -> Result<Value, ToolError> {
    let arguments = object(arguments);
    let mistakes: Vec<_> = entry
        .validator
        .iter_errors(&arguments)
        .take(MISTAKES)
        .map(|error| match error.instance_path().as_str() {
            "" => short(&error.to_string(), MISTAKE_LENGTH),
            path => format!(
                "{}: {}",
                short(path, MISTAKE_LENGTH),
                short(&error.to_string(), MISTAKE_LENGTH)
            ),
        })
        .collect();
    if mistakes.is_empty() {
        return Ok(arguments);
    }
    let mistakes = mistakes.join("; ");
    match entry.tool.coerce(&arguments) {
        Some(coerced) if entry.validator.is_valid(&coerced) => {
            let repair: Arc<str> =
                format!("read arguments that do not fit the schema: {mistakes}").into();
            context.note(
                EventData::AdapterRepair(AdapterRepair { repair: Arc::clone(&repair) }),
                repair,
            );
            Ok(coerced)
        }
        _ => {
            let message = format!(
                "the arguments do not fit the schema of {}: {mistakes}",
                entry.definition.name
            );
            Err(ToolError::of(Kind::Arguments, message))
        }
    }
}

/// Takes nothing for no arguments, and JSON within a string for what it says: providers hand both over.
fn object(arguments: &Value) -> Value {
    match arguments {
        Value::Null => Value::Object(Map::new()),
        Value::String(text) if text.trim().is_empty() => Value::Object(Map::new()),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Value::Object(object),
            _ => arguments.clone(),
        },
        other => other.clone(),
    }
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the tool panicked: {}", text.unwrap_or("it did not say why"))
}

fn short(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
