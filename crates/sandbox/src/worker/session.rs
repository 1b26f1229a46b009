//! A session: the interpreter with its variables, from run to run.

use super::console::Console;
use super::values;
use super::wire::Wire;
use crate::limits::{Limit, Limits};
use crate::protocol::{Done, Order, Report};
use crate::tools::{Call, Exception};
use monty::{MontyRepl, ReplFunctionCall, ReplProgress, ReplStartError};
use monty_types::{
    CompileOptions, ExcType, MontyException, MontyObject, NameLookupResult, OsFunctionCall,
    PrintWriter, ResourceLimits, ResourceTracker,
};
use std::io;

type Step = Result<ReplProgress, Box<ReplStartError>>;

pub(super) struct Session {
    repl: Option<MontyRepl>,
    limits: Limits,
}

/// A run that goes on.
struct Run<'a> {
    console: Console<'a>,
    tools: &'a [String],
    calls_left: u32,
    refused_call: bool,
}

impl Session {
    pub(super) fn new(limits: Limits) -> Self {
        Self { repl: None, limits }
    }

    /// Runs code with the variables of the runs before.
    ///
    /// # Errors
    ///
    /// The host has gone, or does not keep to the protocol.
    pub(super) fn run(
        &mut self,
        code: &str,
        tools: &[String],
        wire: &mut Wire,
    ) -> io::Result<Done> {
        let mut repl = self.repl.take().unwrap_or_else(|| self.interpreter());
        repl.tracker_mut().set_max_duration(self.limits.time);
        let mut run = Run {
            console: Console::new(wire, self.limits.output),
            tools,
            calls_left: self.limits.tool_calls,
            refused_call: false,
        };

        let mut step = repl.feed_start(code, Vec::new(), PrintWriter::Callback(&mut run.console));
        let (repl, result) = loop {
            match step {
                Ok(ReplProgress::Complete { repl, value }) => break (repl, Ok(value)),
                Ok(progress) => step = run.advance(progress)?,
                Err(ended) => break (ended.repl, Err(ended.error)),
            }
        };
        run.console.flush()?;

        let limit = self.limit_of(&repl, &result, &run);
        self.repl = Some(repl);
        Ok(self.done(result, limit))
    }

    fn interpreter(&self) -> MontyRepl {
        let limits = ResourceLimits::default()
            .max_memory(self.limits.memory)
            .max_duration(self.limits.time)
            .max_recursion_depth(self.limits.recursion);
        MontyRepl::new("main.py", ResourceTracker::new(limits), CompileOptions::default())
    }

    fn limit_of(
        &self,
        repl: &MontyRepl,
        result: &Result<MontyObject, MontyException>,
        run: &Run<'_>,
    ) -> Option<Limit> {
        let error = result.as_ref().err();
        match error.map(MontyException::exc_type) {
            _ if run.refused_call => Some(Limit::ToolCalls),
            _ if run.console.flooded => Some(Limit::Output),
            Some(ExcType::TimeoutError) if repl.tracker().elapsed() > self.limits.time => {
                Some(Limit::Time)
            }
            Some(ExcType::MemoryError) => Some(Limit::Memory),
            Some(ExcType::RecursionError) => Some(Limit::Recursion),
            _ => None,
        }
    }

    fn done(&self, result: Result<MontyObject, MontyException>, limit: Option<Limit>) -> Done {
        let cut = |text| values::cut(text, self.limits.output);
        match result {
            Ok(MontyObject::None) => Done { limit, ..Done::default() },
            Ok(value) => {
                // The size in memory is a few times that of the text.
                let mut budget = self.limits.output.saturating_mul(8);
                let value = values::shrink(value, &mut budget);
                let json = values::to_json(&value);
                let repr = cut(values::repr(&value));
                Done { value: Some(json), repr: Some(repr), error: None, limit }
            }
            Err(error) => {
                let exception = Exception {
                    kind: error.exc_type().to_string(),
                    message: cut(error.message().unwrap_or_default().to_owned()),
                    traceback: cut(error.to_string()),
                };
                Done { error: Some(exception), limit, ..Done::default() }
            }
        }
    }
}

impl Run<'_> {
    /// Answers what the code waits for.
    fn advance(&mut self, progress: ReplProgress) -> io::Result<Step> {
        let refuse = |kind, message: &str| MontyException::new(kind, Some(message.to_owned()));
        match progress {
            ReplProgress::FunctionCall(call) => self.call(call),
            ReplProgress::NameLookup(lookup) => {
                let is_tool = lookup.object_id().is_none() && self.tools.contains(&lookup.name);
                let found = if is_tool {
                    let name = lookup.name.clone();
                    NameLookupResult::Value(MontyObject::Function { name, docstring: None })
                } else {
                    NameLookupResult::Undefined
                };
                Ok(lookup.resume(found, PrintWriter::Callback(&mut self.console)))
            }
            ReplProgress::OsCall(call) => {
                let refusal = match &call.function_call {
                    OsFunctionCall::DateToday | OsFunctionCall::DateTimeNow(_) => "no clock",
                    OsFunctionCall::Getenv(_) | OsFunctionCall::GetEnviron => "no environment",
                    _ => "no files",
                };
                let message = format!("{}: the sandbox has {refusal}", call.function_call.name());
                let refusal = refuse(ExcType::PermissionError, &message);
                Ok(call.resume(refusal, PrintWriter::Callback(&mut self.console)))
            }
            // Tools answer at once, so that nothing is ever waited for.
            ReplProgress::ResolveFutures(futures) => {
                let stuck = refuse(ExcType::RuntimeError, "nothing will resolve what is awaited");
                Ok(futures.abort(stuck, PrintWriter::Callback(&mut self.console)))
            }
            complete @ ReplProgress::Complete { .. } => Ok(Ok(complete)),
        }
    }

    fn call(&mut self, call: ReplFunctionCall) -> io::Result<Step> {
        if call.object_id.is_some() || !self.tools.contains(&call.function_name) {
            let missing = format!("name '{}' is not defined", call.function_name);
            let missing = MontyException::new(ExcType::NameError, Some(missing));
            return Ok(call.resume(missing, PrintWriter::Callback(&mut self.console)));
        }
        let Some(left) = self.calls_left.checked_sub(1) else {
            self.refused_call = true;
            let refusal = "tool call limit exceeded".to_owned();
            let refusal = MontyException::new(ExcType::RuntimeError, Some(refusal));
            return Ok(call.abort(refusal, PrintWriter::Callback(&mut self.console)));
        };
        self.calls_left = left;

        // What was printed before is told before.
        self.console.flush()?;
        self.console.wire.write(&Report::Call(Call {
            name: call.function_name.clone(),
            args: call.args.iter().map(values::to_json).collect(),
            kwargs: values::to_object(&call.kwargs),
        }))?;
        let print = |console| PrintWriter::Callback(console);
        match self.console.wire.read()? {
            Some(Order::Value(value)) => {
                Ok(call.resume(values::from_json(value), print(&mut self.console)))
            }
            Some(Order::Raise(raised)) => {
                let exception = values::exception(&raised.kind, raised.message);
                Ok(call.resume(exception, print(&mut self.console)))
            }
            Some(_) => Err(io::Error::other("a call has to be answered first")),
            None => Err(io::Error::other("the host has gone")),
        }
    }
}
