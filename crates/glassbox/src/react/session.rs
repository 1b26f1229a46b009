//! One call of an agent: the conversation with the model, and what it has used.

use crate::adapter;
use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::lm::{Lm, Response};
use crate::react::conversation::Conversation;
use crate::react::plan::{Plan, TRAJECTORY};
use crate::react::protocol::Protocol;
use crate::tool::Toolbox;
use glassbox_events::context::Context;
use glassbox_events::event::{AdapterFallback, ContextTrimmed, EventData};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_trace::cost::Cost;
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Detail, Status};
use glassbox_trace::usage::Usage;
use serde_json::Value;
use std::sync::Arc;

/// A call of an agent under way.
pub(super) struct Session<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tools: &'a Toolbox,
    pub(super) lm: &'a Lm,
    pub(super) max_parallel: usize,
    pub(super) protocol: Protocol,
    pub(super) conversation: Conversation,
    input: Value,
    pub(super) usage: Usage,
    pub(super) cost: Cost,
    pub(super) model: Option<Arc<str>>,
}

/// What comes after a turn.
pub(super) enum Next<O> {
    /// Another one.
    Turn,
    /// Nothing: the outputs are known.
    Finished(O),
    /// The model has its answer, but not as outputs.
    Extract,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        tools: &'a Toolbox,
        lm: &'a Lm,
        max_parallel: usize,
        input: Value,
    ) -> Self {
        let protocol = if lm.tool_calling() { Protocol::Native } else { Protocol::Text };
        Self {
            plan,
            tools,
            lm,
            max_parallel,
            protocol,
            conversation: Conversation::new(protocol.opening(plan, &input)),
            input,
            usage: Usage::UNKNOWN,
            cost: Cost::ZERO,
            model: None,
        }
    }

    /// Asks the model for its next step. A provider without tool calling, and a conversation that has become too long,
    /// are coped with here.
    pub(super) async fn generate(&mut self) -> Result<Response, Error> {
        loop {
            let request = self.protocol.request(self.plan, &self.conversation);
            match self.lm.generate(request).await {
                Ok(response) => {
                    self.usage += response.usage;
                    self.cost += response.cost;
                    self.model.clone_from(&response.model);
                    return Ok(response);
                }
                Err(error) if error.rejects_tools() && self.protocol == Protocol::Native => {
                    self.lm.no_tool_calling();
                    self.protocol = Protocol::Text;
                    self.conversation.reopen(self.protocol.opening(self.plan, &self.input));
                    tell_fallback(&error);
                }
                Err(error) if self.trims(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for the outputs, by what was done so far.
    pub(super) async fn extract<O: Field>(&mut self) -> Result<O, Error> {
        let span = OpenSpan::begin_here(Family::Module, &"extract".into(), Detail::Span, None);
        let result = span.context().scope(self.ask_for_outputs::<O>()).await;
        match &result {
            Ok(output) => span.end(Status::Ok, Some(Payload::from(output.to_json()))),
            Err(error) => span.end(Status::error(error.error_type(), error.to_string()), None),
        };
        result
    }

    async fn ask_for_outputs<O: Field>(&mut self) -> Result<O, Error> {
        loop {
            let mut input = self.input.clone();
            input[TRAJECTORY] = self.conversation.log().into();
            match adapter::ask(&self.plan.extract, self.lm, &[], &input, true, None, O::from_json)
                .await
            {
                Ok(answered) => {
                    self.usage += answered.usage;
                    self.cost += answered.cost;
                    self.model = answered.response.model;
                    return Ok(answered.output);
                }
                Err(error) if self.trims(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Adds to an error what the agent had used before.
    pub(super) fn blame(&self, error: Error) -> Error {
        let (usage, cost) = (self.usage + error.usage(), self.cost + error.cost());
        error.with(|facts| (facts.usage, facts.cost) = (usage, cost))
    }

    /// Forgets the oldest turns if the conversation is too long, and says so. Returns whether to ask again.
    fn trims(&mut self, error: &Error) -> bool {
        if error.kind() != ErrorKind::ContextLength {
            return false;
        }
        let Some(trimmed) = self.conversation.trim() else { return false };
        self.usage += error.usage();
        self.cost += error.cost();
        let (dropped, kept) = (trimmed.dropped, trimmed.kept);
        let done = match dropped {
            0 => "what the tools said last is cut".to_owned(),
            dropped => format!("the oldest turns are dropped ({dropped}), the last {kept} kept"),
        };
        let data = ContextTrimmed { signature: self.plan.signature.into(), dropped, kept };
        let message = format!("the conversation is longer than the model can take: {done}");
        Context::current().note(EventData::ReactContextTrimmed(data), message);
        true
    }
}

fn tell_fallback(error: &Error) {
    let reason: Arc<str> = error.to_string().into();
    let (from, to) = (Protocol::Native.name(), Protocol::Text.name());
    let message = format!("{from} is not to be had, {to} are used: {reason}");
    let data = AdapterFallback { from, to, reason };
    Context::current().note(EventData::AdapterFallback(data), message);
}
