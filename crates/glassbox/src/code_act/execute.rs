//! A run of a model's code: gate, span, event, and what the model is told of it.

use super::workbench::Workbench;
use crate::error::{Error, ErrorKind};
use crate::sandbox::{Error as SandboxError, Execution, Sandbox};
use crate::tool::Toolbox;
use glassbox_events::context::Context;
use glassbox_events::event::{CodeExecution, EventData};
use glassbox_events::gate::{Action, Spent};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::refusal::Refusal;
use glassbox_trace::cost::Cost;
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::{Detail, Status, Tool};
use glassbox_trace::usage::Usage;
use serde_json::{Value, json};
use std::future::pending;
use std::sync::Arc;

const SPAN_NAME: &str = "execute_code";

/// How much of a run a model is told, in bytes; what is longer loses its middle.
const OBSERVATION: usize = 10_000;

/// Runs code as a span; returns what the model is told, and whether the code failed.
///
/// # Errors
///
/// A gate refuses the run or a tool within it, the run is stopped, or there is no worker.
pub(super) async fn execute(
    sandbox: &mut Sandbox,
    code: Arc<str>,
    tools: &Toolbox,
) -> Result<(Option<Arc<str>>, bool), Error> {
    let detail = Detail::Tool(Tool { name: SPAN_NAME.into(), ..Tool::default() });
    let input = Payload::Text(Arc::clone(&code));
    let span = OpenSpan::begin_here(Family::Tool, &SPAN_NAME.into(), detail, Some(input));
    let context = span.context();
    let execution = match context.scope(run(sandbox, &code, tools, context)).await {
        Ok(execution) => execution,
        Err(error) => {
            span.end(Status::error(error.error_type(), error.to_string()), None);
            return Err(error);
        }
    };
    let observation = observation(&execution);
    let status = status(&execution);
    let failed = status.is_error();
    let event = Arc::new(CodeExecution {
        code,
        stdout: execution.stdout.into(),
        value: execution.value.map(Arc::new),
        error: execution.error.map(|error| error.to_string().into()),
        limit: execution.limit.map(|limit| limit.name().into()),
        duration: execution.duration,
    });
    context.emit(EventData::CodeActExecution(Arc::clone(&event)));
    span.end(status, Some(Payload::shared(Arc::new(Shown(event)))));
    Ok((Some(observation), failed))
}

async fn run(
    sandbox: &mut Sandbox,
    code: &str,
    tools: &Toolbox,
    context: &Context,
) -> Result<Execution, Error> {
    let permit = context.ask(&Action::CodeRun, &[])?;
    let workbench = Workbench::new(tools);
    let stopped = async {
        match context.run() {
            Some(run) => run.until_stopped().await.clone(),
            None => pending().await,
        }
    };
    // The code dies with the future of its run.
    let execution = tokio::select! {
        execution = sandbox.run(code, &workbench) => execution?,
        stop = stopped => return Err(Refusal::Stopped(stop).into()),
        error = workbench.refused() => return Err(error),
    };
    permit.settle(Spent::Known { usage: Usage::ZERO, cost: Cost::ZERO });
    Ok(execution)
}

fn status(execution: &Execution) -> Status {
    match (&execution.error, execution.limit) {
        (_, Some(limit)) => {
            let message = format!("the code was stopped at its limit of {limit}");
            Status::error(format!("{limit}_limit"), message)
        }
        (Some(error), None) => Status::error(&*error.kind, &*error.message),
        (None, None) => Status::Ok,
    }
}

/// Writes what the model is told of a run.
fn observation(execution: &Execution) -> Arc<str> {
    let mut parts = Vec::new();
    if !execution.stdout.is_empty() {
        parts.push(format!("Printed:\n{}", shortened(execution.stdout.trim_end())));
    }
    if let Some(repr) = &execution.repr {
        parts.push(format!("Value: {}", shortened(repr)));
    }
    if let Some(error) = &execution.error {
        parts.push(format!("Error:\n{}", shortened(&error.to_string())));
    }
    if let Some(limit) = execution.limit {
        parts.push(format!(
            "The code was stopped at its limit of {limit}: write code that needs less."
        ));
    }
    if execution.worker_lost {
        parts.push(
            "The interpreter was restarted, its variables are lost: define again what you need."
                .to_owned(),
        );
    }
    if parts.is_empty() {
        parts.push("The code ran without output: print what you want to see.".to_owned());
    }
    parts.join("\n").into()
}

/// Cuts the middle out of a text that is too long: what a program prints last tells as much as what it prints first.
fn shortened(text: &str) -> String {
    if text.len() <= OBSERVATION {
        return text.to_owned();
    }
    let half = OBSERVATION / 2;
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=half).rev().find(is_boundary).unwrap_or(0);
    let tail = (text.len() - half..=text.len()).find(is_boundary).unwrap_or(text.len());
    format!("{}\n... ({} bytes are left out) ...\n{}", &text[..head], tail - head, &text[tail..])
}

/// A run as its span shows it.
struct Shown(Arc<CodeExecution>);

impl Render for Shown {
    fn render(&self) -> Value {
        let execution = &self.0;
        json!({
            "stdout": &*execution.stdout,
            "value": execution.value.as_deref(),
            "error": execution.error.as_deref(),
            "limit": execution.limit.as_deref(),
            "duration_ms": execution.duration.as_secs_f64() * 1e3,
        })
    }
}

impl From<SandboxError> for Error {
    fn from(error: SandboxError) -> Self {
        Self::new(ErrorKind::Config, error.to_string()).because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_lose_their_middle() {
        let text = format!("begin{}end", "é".repeat(OBSERVATION));
        let short = shortened(&text);
        assert!(short.starts_with("begin") && short.ends_with("end"));
        assert!(short.contains("bytes are left out") && short.len() < OBSERVATION + 100);
        assert_eq!(shortened("short"), "short");
    }
}
