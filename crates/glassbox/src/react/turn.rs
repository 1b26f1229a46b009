//! A turn of an agent: one generation, the tools that it calls, and what the model is told of them.

use crate::adapter;
use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::lm::{Finish, Response};
use crate::react::conversation::Turn;
use crate::react::plan::FINISH;
use crate::react::protocol::Step;
use crate::react::session::{Next, Session};
use crate::tool::ToolOutcome;
use glassbox_events::context::Context;
use glassbox_events::event::{AdapterParseError, EventData, ReactCall, ReactIteration};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::scope::parallel;
use glassbox_trace::message::{Message, ToolCall};
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::{Detail, Status};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::sync::Arc;

/// What a turn came to, as its span shows it.
struct Record {
    iteration: ReactIteration,
    outputs: Option<Value>,
}

impl Session<'_> {
    /// Takes a turn, as one span; its event is told whatever came of it.
    pub(super) async fn turn<O: Field>(&mut self, number: u32) -> Result<Next<O>, Error> {
        let name = format!("turn {number}").into();
        let span = OpenSpan::begin_here(Family::Module, &name, Detail::Span, None);
        let result = span.context().scope(self.step::<O>(number)).await;
        match result {
            Ok((next, record)) => {
                let told = EventData::ReactIterationComplete(record.iteration.clone());
                span.context().emit(told);
                span.end(Status::Ok, Some(Payload::shared(Arc::new(record))));
                Ok(next)
            }
            Err(error) => {
                span.end(Status::error(error.error_type(), error.to_string()), None);
                Err(error)
            }
        }
    }

    async fn step<O: Field>(&mut self, number: u32) -> Result<(Next<O>, Record), Error> {
        let response = self.generate().await?;
        let step = self.protocol.read(self.plan, &response);
        self.check(&response, &step)?;
        let signature = self.plan.signature;
        let iteration = |thought, calls: Vec<ReactCall>, finished| ReactIteration {
            signature: signature.into(),
            number,
            thought,
            calls: calls.into(),
            finished,
        };
        if step.calls.is_empty() {
            let next = self.without_calls::<O>(&step);
            let finished = !matches!(next, Next::Turn);
            let iteration = iteration(step.thought.clone(), Vec::new(), finished);
            let outputs = match &next {
                Next::Finished(output) => Some(output.to_json()),
                _ => None,
            };
            self.write_down(&response.message, &step, &next);
            return Ok((next, Record { iteration, outputs }));
        }

        let (finishing, working): (Vec<_>, Vec<_>) =
            step.calls.iter().partition(|call| call.name.as_ref() == FINISH);
        let mut worked = self.work(&working).await?.into_iter();
        let is_well = worked.as_slice().iter().all(|call| !call.failed);
        let finished = finishing.first().map(|call| finish::<O>(call, is_well));
        if let Some(Ok(output)) = finished {
            let outputs = Some(output.to_json());
            let iteration = iteration(step.thought, worked.collect(), true);
            return Ok((Next::Finished(output), Record { iteration, outputs }));
        }

        // The observations stand in the order of the calls, the refused `finish` among them.
        let refusal = finished.and_then(Result::err);
        let call = |call: &ToolCall| match &refusal {
            Some(refusal) if call.name.as_ref() == FINISH => Some(react_call(call, refusal, true)),
            _ => worked.next(),
        };
        let calls: Vec<ReactCall> = step.calls.iter().filter_map(call).collect();
        let ids: Vec<_> = step.calls.iter().map(|call| Arc::clone(&call.id)).collect();
        let log = log(step.thought.as_deref(), &calls);
        let messages = self.protocol.answer(self.plan, response.message, &ids, &calls);
        self.conversation.push(Turn { messages, log });
        let iteration = iteration(step.thought, calls, false);
        Ok((Next::Turn, Record { iteration, outputs: None }))
    }

    /// Refuses what is no turn at all.
    fn check(&self, response: &Response, step: &Step) -> Result<(), Error> {
        let (kind, message) = match response.finish {
            Finish::Filter => {
                let reason = response.finish_reason.as_deref().unwrap_or("refusal");
                (
                    ErrorKind::Filtered,
                    format!("the model declined to go on ({reason}); change the input"),
                )
            }
            Finish::Length if step.calls.is_empty() => (
                ErrorKind::Length,
                "the answer was cut at the limit of output tokens: raise it with `.max_tokens(..)`"
                    .to_owned(),
            ),
            _ => return Ok(()),
        };
        let context = Context::current();
        Err(Error::new(kind, message).with(|facts| {
            facts.model = Some(self.lm.name().into());
            facts.trace_id = context.span().map(|span| span.trace_id);
            facts.partial = step.thought.clone();
        }))
    }

    /// Runs the tools of a turn at the same time, within the limit.
    async fn work(&self, calls: &[&ToolCall]) -> Result<Vec<ReactCall>, Error> {
        let work = calls.iter().map(|call| async {
            let id = Some(call.id.as_ref()).filter(|id| !id.is_empty());
            let ToolOutcome { text, failed, .. } =
                self.tools.call(&call.name, call.arguments.clone(), id).await?;
            Ok(react_call(call, &text, failed))
        });
        parallel(self.max_parallel, work).await.into_iter().collect()
    }

    /// Decides what a turn without calls means: the outputs, an answer in other words, or nothing that can be used.
    fn without_calls<O: Field>(&self, step: &Step) -> Next<O> {
        let Some(text) = step.thought.as_deref() else { return Next::Turn };
        let written = adapter::object_within(text).map(Value::Object);
        if let Some(output) = written.and_then(|fields| O::from_json(&fields).ok()) {
            return Next::Finished(output);
        }
        // A model that has to name tools by text and does not has misunderstood; it is told so.
        if step.unreadable.is_some() {
            return Next::Turn;
        }
        let only = self
            .plan
            .only_text
            .map(|name| Value::Object(Map::from_iter([(name.to_owned(), text.into())])));
        match only.and_then(|fields| O::from_json(&fields).ok()) {
            Some(output) => Next::Finished(output),
            None => Next::Extract,
        }
    }

    /// Remembers a turn without calls, and tells the model what was wrong with it if it is to go on.
    fn write_down<O>(&mut self, said: &Message, step: &Step, next: &Next<O>) {
        let text = step.thought.as_deref().unwrap_or_default();
        // Providers refuse messages without content.
        let said = (!text.is_empty()).then(|| said.clone());
        let told = match (next, &step.unreadable) {
            (Next::Turn, Some(unreadable)) => {
                let message: Arc<str> = unreadable.as_str().into();
                let excerpt = text.chars().take(200).collect::<String>().into();
                let data =
                    AdapterParseError { message: Arc::clone(&message), excerpt, asks_again: true };
                Context::current().note(EventData::AdapterParseError(data), message);
                Some(format!("Your answer could not be read: {unreadable}."))
            }
            (Next::Turn, None) => {
                Some(format!("You said nothing and called no tool. Call one, or `{FINISH}`."))
            }
            _ => None,
        };
        let told = told.map(|text| self.protocol.tell(self.plan, &text));
        let messages = said.into_iter().chain(told).collect();
        self.conversation.push(Turn { messages, log: log(Some(text), &[]) });
    }
}

/// Reads the outputs with which a model ends, or says why it cannot.
fn finish<O: Field>(call: &ToolCall, is_well: bool) -> Result<O, String> {
    if !is_well {
        return Err(format!(
            "another call of this turn failed: see what came of it, then call `{FINISH}` alone"
        ));
    }
    // Some providers hand arguments over as text.
    let fields = call.arguments.as_str().and_then(adapter::object_within).map(Value::Object);
    O::from_json(fields.as_ref().unwrap_or(&call.arguments))
        .map_err(|error| format!("the outputs could not be read: {error}"))
}

fn react_call(call: &ToolCall, observation: &str, failed: bool) -> ReactCall {
    ReactCall {
        tool: Arc::clone(&call.name),
        arguments: Arc::new(call.arguments.clone()),
        observation: observation.into(),
        failed,
    }
}

/// Tells a turn in words.
fn log(thought: Option<&str>, calls: &[ReactCall]) -> String {
    let mut text = String::new();
    if let Some(thought) = thought.filter(|thought| !thought.is_empty()) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "Thought: {thought}");
    }
    for call in calls {
        let mark = if call.failed { "failed: " } else { "" };
        let _ = writeln!(
            text,
            "Call: {}({})\nObservation: {mark}{}",
            call.tool, call.arguments, call.observation
        );
    }
    text.truncate(text.trim_end().len());
    text
}

impl Render for Record {
    fn render(&self) -> Value {
        let mut fields = Map::new();
        let ReactIteration { thought, calls, .. } = &self.iteration;
        if let Some(thought) = thought {
            fields.insert("thought".to_owned(), thought.as_ref().into());
        }
        if !calls.is_empty() {
            let call = |call: &ReactCall| {
                json!({
                    "tool": call.tool.as_ref(),
                    "arguments": *call.arguments,
                    "observation": call.observation.as_ref(),
                    "failed": call.failed,
                })
            };
            fields.insert("calls".to_owned(), calls.iter().map(call).collect());
        }
        if let Some(outputs) = &self.outputs {
            fields.insert("outputs".to_owned(), outputs.clone());
        }
        Value::Object(fields)
    }
}
