//! Between a signature and a model: writes the prompt, reads the answer, and copes when the answer is not as asked.
//!
//! Where the provider enforces a JSON schema, that is used ([`json`]); elsewhere a chat format with field markers
//! ([`markers`]). An answer that cannot be read is told to the model once, if the caller allows it.

use crate::error::{Error, ErrorKind};
use crate::field::FieldError;
use crate::lm::{Finish, Lm, Request, Response, ResponseSchema};
use crate::rollout;
use crate::signature::{FieldSpec, object_schema};
use crate::stream::Chunks;
use crate::stream::fields::Fields;
use glassbox_events::context::Context;
use glassbox_events::event::{AdapterFallback, AdapterParseError, AdapterRepair, EventData};
use glassbox_trace::cost::Cost;
use glassbox_trace::message::Message;
use glassbox_trace::usage::Usage;
use serde_json::{Map, Value};
use std::sync::{Arc, OnceLock};

mod json;
mod lenient;
mod markers;

/// What a signature asks of a model, whatever its types.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) instructions: Arc<str>,
    pub(crate) inputs: Vec<FieldSpec>,
    /// Output fields that a module puts first, such as the reasoning of a chain of thought.
    pub(crate) leading: &'static [FieldSpec],
    pub(crate) outputs: &'static [FieldSpec],
    schema: Arc<ResponseSchema>,
    /// What the JSON format tells the model, once it has been written.
    json_instructions: OnceLock<Arc<str>>,
}

/// An example for the model, as JSON objects of fields.
#[derive(Clone, Debug)]
pub(crate) struct Shot {
    pub(crate) input: Value,
    pub(crate) output: Value,
}

/// A model's answer as the fields of a signature, with what all calls together used.
#[derive(Debug)]
pub(crate) struct Answered<T> {
    pub(crate) output: T,
    pub(crate) response: Response,
    pub(crate) usage: Usage,
    pub(crate) cost: Cost,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Markers,
}

/// An answer that could not be read.
struct Unreadable {
    kind: ErrorKind,
    message: String,
}

/// Fields as they were read, and what had to be repaired for it.
struct Read {
    fields: Map<String, Value>,
    repair: Option<&'static str>,
}

impl Task {
    pub(crate) fn new(
        name: &'static str,
        instructions: impl Into<Arc<str>>,
        inputs: impl Into<Vec<FieldSpec>>,
        leading: &'static [FieldSpec],
        outputs: &'static [FieldSpec],
    ) -> Self {
        let schema = Arc::new(ResponseSchema {
            name: name.to_owned(),
            schema: object_schema(leading, outputs),
        });
        Self {
            instructions: instructions.into(),
            inputs: inputs.into(),
            leading,
            outputs,
            schema,
            json_instructions: OnceLock::new(),
        }
    }

    /// Returns the fields that the model has to write, in order.
    fn answers(&self) -> impl Iterator<Item = &FieldSpec> {
        self.leading.iter().chain(self.outputs)
    }
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Json => "structured output",
            Self::Markers => "field markers",
        }
    }

    fn messages(self, task: &Task, shots: &[Shot], input: &Value) -> Vec<Message> {
        match self {
            Self::Json => json::messages(task, shots, input),
            Self::Markers => markers::messages(task, shots, input),
        }
    }

    /// Reads the fields of an answer while it is being written.
    fn fields(self, task: &Task) -> Fields {
        let names = task.answers().map(|field| field.name);
        match self {
            Self::Json => Fields::of_json(names),
            Self::Markers => Fields::of_markers(names),
        }
    }

    fn read(self, task: &Task, text: &str) -> Result<Read, String> {
        match self {
            Self::Json => json::read(task, text),
            Self::Markers => markers::read(task, text),
        }
    }
}

/// Writes a prompt with field markers, for a conversation that goes on after the answer.
pub(crate) fn marked_prompt(task: &Task, input: &Value) -> Vec<Message> {
    markers::messages(task, &[], input)
}

/// Reads an answer to such a prompt.
pub(crate) fn read_marked(task: &Task, text: &str) -> Result<Map<String, Value>, String> {
    markers::read(task, text).map(|read| read.fields)
}

/// Asks for the fields once more, at the end of a message within such a conversation.
pub(crate) fn marked_request(task: &Task) -> String {
    markers::request(task)
}

/// Finds the JSON object in a text.
pub(crate) fn object_within(text: &str) -> Option<Map<String, Value>> {
    lenient::object(text).ok().map(|(fields, _)| fields)
}

/// Asks a model for a signature's outputs; `read` makes the typed value of the fields. Where there are `chunks`, what
/// comes of the answer goes there.
pub(crate) async fn ask<T>(
    task: &Task,
    lm: &Lm,
    shots: &[Shot],
    input: &Value,
    asks_again: bool,
    chunks: Option<&Chunks>,
    read: impl Fn(&Value) -> Result<T, FieldError>,
) -> Result<Answered<T>, Error> {
    let context = Context::current();
    let mut format = if lm.structured_output() { Format::Json } else { Format::Markers };
    let advice = rollout::advice();
    let write = |format: Format| advised(format.messages(task, shots, input), advice.as_deref());
    let mut messages = write(format);
    let (mut usage, mut cost) = (Usage::UNKNOWN, Cost::ZERO);
    let mut told: Option<String> = None;
    loop {
        let schema = (format == Format::Json).then(|| Arc::clone(&task.schema));
        let request = Request { messages: messages.clone().into(), schema, ..Request::default() };
        let answer = match chunks {
            None => lm.generate(request).await,
            Some(chunks) => chunks.follow(lm.stream(request), format.fields(task)).await,
        };
        let response = match answer {
            Ok(response) => response,
            Err(error) if error.rejects_schema() && format == Format::Json => {
                lm.no_structured_output();
                format = Format::Markers;
                messages = write(format);
                tell_fallback(&context, &error);
                continue;
            }
            Err(error) => {
                let (usage, cost) = (usage + error.usage(), cost + error.cost());
                return Err(error.with(|facts| (facts.usage, facts.cost) = (usage, cost)));
            }
        };
        usage += response.usage;
        cost += response.cost;

        let text = response.text();
        match understand(format, task, &response, &text, &read) {
            Ok((output, repair)) => {
                let corrected =
                    told.map(|error| format!("the model corrected its answer when told: {error}"));
                if let Some(repair) = corrected.or_else(|| repair.map(str::to_owned)) {
                    let repair: Arc<str> = repair.into();
                    context.note(
                        EventData::AdapterRepair(AdapterRepair { repair: Arc::clone(&repair) }),
                        repair,
                    );
                }
                return Ok(Answered { output, response, usage, cost });
            }
            Err(unreadable) => {
                let hopeless = matches!(unreadable.kind, ErrorKind::Filtered | ErrorKind::Length);
                let asks_again = asks_again && told.is_none() && !hopeless;
                tell_parse_error(&context, &unreadable, &text, asks_again);
                if !asks_again {
                    return Err(unreadable.into_error(lm, &context, text, usage, cost));
                }
                // Providers refuse messages without content.
                if !text.trim().is_empty() {
                    messages.push(Message::assistant(text));
                }
                messages.push(Message::user(format!(
                    "Your answer could not be read: {}. Answer again, completely and in the format that was asked for.",
                    unreadable.message
                )));
                told = Some(unreadable.message);
                if let Some(chunks) = chunks {
                    chunks.restart().await;
                }
            }
        }
    }
}

/// Adds to the question what earlier candidates for its answer have taught.
fn advised(mut messages: Vec<Message>, advice: Option<&str>) -> Vec<Message> {
    if let (Some(advice), Some(question)) = (advice, messages.last_mut()) {
        *question = Message::user(format!(
            "{}\n\nAn earlier answer was not good enough. Advice for this one: {advice}",
            question.to_text()
        ));
    }
    messages
}

/// Reads an answer as fields and then as the typed value.
fn understand<T>(
    format: Format,
    task: &Task,
    response: &Response,
    text: &str,
    read: impl Fn(&Value) -> Result<T, FieldError>,
) -> Result<(T, Option<&'static str>), Unreadable> {
    let unreadable = |kind, message: String| Err(Unreadable { kind, message });
    if response.finish == Finish::Filter {
        let reason =
            response.finish_reason.as_deref().filter(|reason| Finish::of(reason) == Finish::Filter);
        let reason = reason.unwrap_or("refusal");
        return unreadable(
            ErrorKind::Filtered,
            format!("the model declined to answer ({reason}); change the input"),
        );
    }
    let result = match text.trim() {
        "" => Err("the answer is empty".to_owned()),
        _ => format.read(task, text).and_then(|found| {
            let output = read(&Value::Object(found.fields)).map_err(|error| error.to_string())?;
            Ok((output, found.repair))
        }),
    };
    match result {
        Ok((_, Some(_))) | Err(_) if response.finish == Finish::Length => unreadable(
            ErrorKind::Length,
            "the answer was cut at the limit of output tokens: raise it with `.max_tokens(..)`"
                .to_owned(),
        ),
        Ok(understood) => Ok(understood),
        Err(message) if text.trim().is_empty() => unreadable(ErrorKind::Empty, message),
        Err(message) => unreadable(ErrorKind::Parse, message),
    }
}

fn tell_fallback(context: &Context, error: &Error) {
    let reason: Arc<str> = error.to_string().into();
    let fallback = AdapterFallback {
        from: Format::Json.name(),
        to: Format::Markers.name(),
        reason: Arc::clone(&reason),
    };
    let message = format!("{} is not to be had, {} are used: {reason}", fallback.from, fallback.to);
    context.note(EventData::AdapterFallback(fallback), message);
}

fn tell_parse_error(context: &Context, unreadable: &Unreadable, text: &str, asks_again: bool) {
    let message: Arc<str> = unreadable.message.as_str().into();
    let excerpt = text.chars().take(200).collect::<String>().into();
    let parse_error = AdapterParseError { message: Arc::clone(&message), excerpt, asks_again };
    context.note(EventData::AdapterParseError(parse_error), message);
}

impl Unreadable {
    fn into_error(
        self,
        lm: &Lm,
        context: &Context,
        text: String,
        usage: Usage,
        cost: Cost,
    ) -> Error {
        let message = match self.kind {
            ErrorKind::Parse => format!("the model's answer could not be read: {}", self.message),
            _ => self.message,
        };
        Error::new(self.kind, message).with(|facts| {
            facts.model = Some(lm.name().into());
            facts.usage = usage;
            facts.cost = cost;
            facts.trace_id = context.span().map(|span| span.trace_id);
            facts.partial = (!text.is_empty()).then(|| text.into());
        })
    }
}
