//! ReAct: an agent that thinks, calls tools, sees what came of it, and ends with a signature's outputs.

use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::lm::Lm;
use crate::module::Module;
use crate::prediction::Prediction;
use crate::signature::Signature;
use crate::tool::Toolbox;
use glassbox_events::context::Context;
use glassbox_events::event::{EventData, MaxIterations};
use glassbox_trace::span::{Agent, Detail};
use plan::{FINISH, Plan};
use session::{Next, Session};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

mod plan;
mod conversation;
mod protocol;
mod session;
mod turn;

/// The most turns of a [`ReAct`] agent where nothing else is set.
pub const DEFAULT_MAX_ITERATIONS: u32 = 10;

/// The most tool calls that a [`ReAct`] agent has in flight where nothing else is set.
pub const DEFAULT_MAX_PARALLEL: usize = 8;

/// An agent that calls tools until it knows the outputs of a signature: one `agent` span, below it a span for each
/// turn with the generation and the tools of that turn.
///
/// ```
/// use glassbox::{Lm, Module, ReAct, Reply, Signature, Toolbox, tool};
/// use serde_json::json;
///
/// /// Adds two numbers.
/// #[tool]
/// fn add(a: f64, b: f64) -> f64 {
///     a + b
/// }
///
/// /// Solve the task with the tools.
/// #[derive(Signature)]
/// struct Calculate {
///     #[input]
///     task: String,
///     #[output]
///     result: f64,
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), glassbox::Error> {
/// let lm = Lm::scripted([
///     Reply::call("add", json!({ "a": 19, "b": 23 })),
///     Reply::call("finish", json!({ "result": 42 })),
/// ]);
/// let agent = ReAct::<Calculate>::new(&lm, Toolbox::new().with(add));
/// let reply = agent.call(CalculateInput { task: "19 + 23".into() }).await?;
/// assert_eq!(reply.result, 42.0);
/// # Ok(())
/// # }
/// ```
///
/// Where the provider has tool calling, that is used. Elsewhere, and with
/// [`tool_calling(false)`](crate::LmBuilder::tool_calling), the model names tools in field markers, one a turn.
///
/// The agent ends when the model calls `finish`, a tool whose arguments are the outputs, so that the last turn costs no
/// call more. A model that answers without it is read leniently, or asked for the outputs once more. When the turns are
/// used up, the outputs are taken from what is known by then, and `react.max_iterations` is told.
///
/// What goes wrong in a tool is told to the model. A gate that refuses, a stop, and a failed model call end the agent
/// with an [`Error`]. When the conversation is longer than the model can take, its oldest turns are dropped, noted on
/// the span of the turn, and told as `react.context_trimmed`.
pub struct ReAct<S> {
    plan: Arc<Plan>,
    tools: Toolbox,
    lm: Lm,
    max_iterations: u32,
    max_parallel: usize,
    signature: PhantomData<fn() -> S>,
}

impl<S: Signature> ReAct<S> {
    /// Makes the agent with the model that it asks and the tools that the model may call.
    #[must_use]
    pub fn new(lm: &Lm, tools: Toolbox) -> Self {
        Self {
            plan: Arc::new(Plan::of::<S>(&tools)),
            tools,
            lm: lm.clone(),
            max_iterations: DEFAULT_MAX_ITERATIONS,
            max_parallel: DEFAULT_MAX_PARALLEL,
            signature: PhantomData,
        }
    }

    /// Sets the most turns, at least one; by default [`DEFAULT_MAX_ITERATIONS`].
    #[must_use]
    pub fn max_iterations(mut self, turns: u32) -> Self {
        self.max_iterations = turns.max(1);
        self
    }

    /// Sets how many tool calls of one turn run at the same time, at least one; by default [`DEFAULT_MAX_PARALLEL`].
    #[must_use]
    pub fn max_parallel(mut self, calls: usize) -> Self {
        self.max_parallel = calls.max(1);
        self
    }

    /// Asks another model. For everything within a scope, see [`with_lm`](crate::with_lm).
    #[must_use]
    pub fn with_lm(mut self, lm: &Lm) -> Self {
        self.lm = lm.clone();
        self
    }

    /// Goes on until the outputs are known or the turns are used up.
    async fn outputs(&self, session: &mut Session<'_>) -> Result<S::Output, Error> {
        for number in 1..=self.max_iterations {
            match session.turn(number).await? {
                Next::Turn => {}
                Next::Finished(output) => return Ok(output),
                Next::Extract => return session.extract().await,
            }
        }
        let limit = self.max_iterations;
        let data = MaxIterations { signature: S::NAME.into(), limit };
        let message =
            format!("no answer within {limit} turns: the outputs are taken from what is known");
        Context::current().note(EventData::ReactMaxIterations(data), message);
        session.extract().await
    }
}

impl<S: Signature> Module for ReAct<S> {
    type Input = S::Input;
    type Output = Prediction<S::Output>;

    async fn forward(&self, input: Arc<S::Input>) -> Result<Self::Output, Error> {
        self.tools.check()?;
        if self.tools.names().any(|name| name == FINISH) {
            let message = format!(
                "a tool of ReAct is named {FINISH:?}, by which the agent ends: give it another name"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let scoped = Context::current().carried::<Lm>();
        let lm = scoped.as_deref().unwrap_or(&self.lm);
        let mut session =
            Session::new(&self.plan, &self.tools, lm, self.max_parallel, input.to_json());
        match self.outputs(&mut session).await {
            Ok(output) => {
                let Session { usage, cost, model, .. } = session;
                Ok(Prediction::new(output, None, usage, cost, model))
            }
            Err(error) => Err(session.blame(error)),
        }
    }

    fn span_name(&self) -> Arc<str> {
        Arc::clone(&self.plan.span_name)
    }

    fn detail(&self) -> Detail {
        Detail::Agent(Agent { name: S::NAME.into(), signature: Some(S::NAME.into()) })
    }
}

// Derived, these two would ask for a signature that can be cloned and shown.
impl<S> Clone for ReAct<S> {
    fn clone(&self) -> Self {
        Self {
            plan: Arc::clone(&self.plan),
            tools: self.tools.clone(),
            lm: self.lm.clone(),
            signature: PhantomData,
            ..*self
        }
    }
}

impl<S> fmt::Debug for ReAct<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(&self.plan.span_name)
            .field("lm", &self.lm)
            .field("tools", &self.tools)
            .field("max_iterations", &self.max_iterations)
            .finish_non_exhaustive()
    }
}
