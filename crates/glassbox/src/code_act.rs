//! CodeAct: an agent that acts by writing Python, which runs in a sandbox.

use crate::adapter::{self, Task};
use crate::error::{Error, ErrorKind};
use crate::field::Field;
use crate::lm::Lm;
use crate::module::Module;
use crate::predict::Predictor;
use crate::prediction::Prediction;
use crate::sandbox::{Limits, Sandbox};
use crate::signature::Signature;
use crate::tool::Toolbox;
use glassbox_events::context::Context;
use glassbox_events::event::{CodeActIteration, EventData, MaxIterations};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_trace::cost::Cost;
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Agent, Detail, Status};
use glassbox_trace::usage::Usage;
use prompt::{Conclusion, ConclusionInput, History, Step, StepInput, StepOutput, Turn};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

mod prompt;
mod workbench;
mod execute;

/// How many turns an agent has where nothing else is set.
const DEFAULT_MAX_ITERATIONS: u32 = 8;

/// An agent that acts by writing Python: turn by turn the model thinks and writes code, and is told what the code
/// printed, gave or raised, until it says that it is finished. Then the outputs of the signature are asked for.
///
/// The code runs in a [`Sandbox`], another process without files, network or environment, within limits; its variables
/// live from turn to turn. The tools of the toolbox are functions there. What goes wrong in the code, even its process
/// dying, is told to the model. Needs the feature `sandbox`.
///
/// It is one `agent` span, over a span for each turn, which has the model's call and `execute_code` with the tools'.
///
/// ```no_run
/// use glassbox::{CodeAct, Lm, Module, Signature, Toolbox, tool};
///
/// /// Find out from the sales.
/// #[derive(Signature)]
/// struct Analysis {
///     #[input]
///     question: String,
///     #[output]
///     answer: f64,
/// }
///
/// /// Returns the sales of a month, in dollars.
/// #[tool]
/// fn sales(month: String) -> Vec<f64> {
///     vec![12.5, 8.0]
/// }
///
/// # async fn example(lm: &Lm) -> Result<(), glassbox::Error> {
/// let analyst = CodeAct::<Analysis>::new(lm, Toolbox::new().with(sales));
/// let reply = analyst.call(AnalysisInput { question: "What did we sell in May and June?".into() }).await?;
/// println!("{}", reply.answer);
/// # Ok(())
/// # }
/// ```
pub struct CodeAct<S> {
    steps: Predictor<Step>,
    conclusion: Arc<Task>,
    lm: Lm,
    tools: Toolbox,
    /// Never started: each call makes another of the same settings.
    sandbox: Arc<Sandbox>,
    max_iterations: u32,
    span_name: Arc<str>,
    signature: PhantomData<fn() -> S>,
}

impl<S: Signature> CodeAct<S> {
    /// Makes the agent with the model that it asks and the tools that its code may call.
    #[must_use]
    pub fn new(lm: &Lm, tools: Toolbox) -> Self {
        let conclusion =
            Task::new(S::NAME, Conclusion::INSTRUCTIONS, Conclusion::INPUTS, &[], S::OUTPUTS);
        Self {
            steps: Predictor::new(lm, "CodeAct", &[]),
            conclusion: Arc::new(conclusion),
            lm: lm.clone(),
            tools,
            sandbox: Arc::new(Sandbox::new(Limits::default())),
            max_iterations: DEFAULT_MAX_ITERATIONS,
            span_name: format!("CodeAct({})", S::NAME).into(),
            signature: PhantomData,
        }
    }

    /// Sets how many turns the model has; 8 by default. When they are used up, it concludes from what it has.
    #[must_use]
    pub const fn max_iterations(mut self, turns: u32) -> Self {
        self.max_iterations = turns;
        self
    }

    /// Sets what the code of one call may use.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        let sandbox = self.sandbox.another().with_limits(limits);
        self.with_sandbox(&sandbox)
    }

    /// Runs the code as this sandbox would: with its limits, its workers and its executable. Each call has a worker of
    /// its own all the same.
    #[must_use]
    pub fn with_sandbox(mut self, sandbox: &Sandbox) -> Self {
        self.sandbox = Arc::new(sandbox.another());
        self
    }

    /// Asks another model. For everything within a scope, see [`with_lm`](crate::with_lm).
    #[must_use]
    pub fn with_lm(mut self, lm: &Lm) -> Self {
        self.steps = self.steps.with_lm(lm);
        self.lm = lm.clone();
        self
    }
}

/// What a call has come to so far.
struct Progress {
    objective: String,
    input: serde_json::Value,
    tools: String,
    history: History,
    usage: Usage,
    cost: Cost,
}

impl<S: Signature> Module for CodeAct<S> {
    type Input = S::Input;
    type Output = Prediction<S::Output>;

    async fn forward(&self, input: Arc<S::Input>) -> Result<Self::Output, Error> {
        self.tools.check()?;
        // Before the model is paid for code that cannot be run.
        let mut sandbox = self.sandbox.another();
        sandbox.warm_up().await?;
        let mut progress = Progress {
            objective: prompt::objective::<S>(),
            input: input.to_json(),
            tools: prompt::functions(&self.tools),
            history: History::default(),
            usage: Usage::UNKNOWN,
            cost: Cost::ZERO,
        };
        let result = self.work(&mut sandbox, &mut progress).await;
        let (usage, cost) = (progress.usage, progress.cost);
        result.map_err(|error| {
            error.with(|facts| (facts.usage, facts.cost) = (usage + facts.usage, cost + facts.cost))
        })
    }

    fn span_name(&self) -> Arc<str> {
        Arc::clone(&self.span_name)
    }

    fn detail(&self) -> Detail {
        Detail::Agent(Agent { name: "CodeAct".into(), signature: Some(S::NAME.into()) })
    }
}

impl<S: Signature> CodeAct<S> {
    async fn work(
        &self,
        sandbox: &mut Sandbox,
        progress: &mut Progress,
    ) -> Result<Prediction<S::Output>, Error> {
        let mut finished = false;
        for number in 1..=self.max_iterations {
            let span = begin_turn(number);
            let result = span.context().scope(self.turn(number, sandbox, progress)).await;
            finished = end_turn(span, &result);
            result?;
            if finished {
                break;
            }
        }
        if !finished {
            let (signature, limit) = (S::NAME.into(), self.max_iterations);
            let message = format!("the agent used up its {limit} turns and concludes from them");
            let used_up = MaxIterations { signature, limit };
            Context::current().note(EventData::ReactMaxIterations(used_up), message);
        }
        self.conclude(progress).await
    }

    /// Asks the model for a step, and takes it.
    async fn turn(
        &self,
        number: u32,
        sandbox: &mut Sandbox,
        progress: &mut Progress,
    ) -> Result<Arc<Turn>, Error> {
        let step = self.ask(progress).await?;
        let code = prompt::code_of(&step);
        let (observation, failed) = match &code {
            Some(code) => execute::execute(sandbox, Arc::clone(code), &self.tools).await?,
            None if step.finished => (None, false),
            None => (Some("There was no code to run.".into()), false),
        };
        // Who thinks to be finished has not seen yet that the code failed.
        let finished = step.finished && !failed;
        let thought = Some(step.thought).filter(|thought| !thought.trim().is_empty());
        let turn = Turn { number, thought: thought.map(Arc::from), code, observation, finished };
        Context::current().emit(EventData::CodeActIterationComplete(CodeActIteration {
            signature: S::NAME.into(),
            number,
            thought: turn.thought.clone(),
            code: turn.code.clone(),
            observation: turn.observation.clone(),
            finished,
        }));
        let turn = Arc::new(turn);
        progress.history.push(Arc::clone(&turn));
        Ok(turn)
    }

    async fn ask(&self, progress: &mut Progress) -> Result<StepOutput, Error> {
        loop {
            let input = StepInput {
                objective: progress.objective.clone(),
                input: progress.input.clone(),
                functions: progress.tools.clone(),
                history: progress.history.text(),
            };
            match self.steps.ask(&input, None, StepOutput::from_json).await {
                Ok(answered) => {
                    progress.usage += answered.usage;
                    progress.cost += answered.cost;
                    return Ok(answered.output);
                }
                Err(error) if is_too_long(&error) && progress.history.forget() => {
                    progress.usage += error.usage();
                    progress.cost += error.cost();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for the outputs of the signature.
    async fn conclude(&self, progress: &mut Progress) -> Result<Prediction<S::Output>, Error> {
        let scoped = Context::current().carried::<Lm>();
        let lm = scoped.as_deref().unwrap_or(&self.lm);
        loop {
            let input = ConclusionInput {
                objective: progress.objective.clone(),
                input: progress.input.clone(),
                history: progress.history.text(),
            };
            let input = input.to_json();
            let read = S::Output::from_json;
            match adapter::ask(&self.conclusion, lm, &[], &input, true, None, read).await {
                Ok(answered) => {
                    let thought = progress.history.last_thought();
                    return Ok(Prediction::new(
                        answered.output,
                        answered.response.reasoning().cloned().or(thought),
                        progress.usage + answered.usage,
                        progress.cost + answered.cost,
                        answered.response.model,
                    ));
                }
                Err(error) if is_too_long(&error) && progress.history.forget() => {
                    progress.usage += error.usage();
                    progress.cost += error.cost();
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_too_long(error: &Error) -> bool {
    error.kind() == ErrorKind::ContextLength
}

fn begin_turn(number: u32) -> OpenSpan {
    let name = format!("turn {number}").into();
    OpenSpan::begin_here(Family::Module, &name, Detail::Span, None)
}

/// Ends the span of a turn; returns whether it was the last one.
fn end_turn(span: OpenSpan, result: &Result<Arc<Turn>, Error>) -> bool {
    match result {
        Ok(turn) => {
            span.end(Status::Ok, Some(Payload::shared(Arc::clone(turn) as _)));
            turn.finished
        }
        Err(error) => {
            span.end(Status::error(error.error_type(), error.to_string()), None);
            false
        }
    }
}

// Derived, these two would ask for a signature that can be cloned and shown.
impl<S> Clone for CodeAct<S> {
    fn clone(&self) -> Self {
        Self {
            steps: self.steps.clone(),
            conclusion: Arc::clone(&self.conclusion),
            lm: self.lm.clone(),
            tools: self.tools.clone(),
            sandbox: Arc::clone(&self.sandbox),
            max_iterations: self.max_iterations,
            span_name: Arc::clone(&self.span_name),
            signature: PhantomData,
        }
    }
}

impl<S> fmt::Debug for CodeAct<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(&self.span_name)
            .field("lm", &self.lm)
            .field("tools", &self.tools)
            .field("max_iterations", &self.max_iterations)
            .finish_non_exhaustive()
    }
}
