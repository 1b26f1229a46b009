//! The host's side: a sandbox runs code, one run after another, and outlives its workers.

use crate::error::{Error, Kind};
use crate::limits::{Limit, Limits};
use crate::locate::{self, Program};
use crate::process::{Death, Worker};
use crate::protocol::{self, Done, MAX_FRAME, MemoryGuard, Order, Report};
use crate::tools::{Call, Exception, Tools};
use crate::workers::Workers;
use serde_json::Value;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::{self, Instant as Deadline};

/// How long a worker may run on after its limit of time, before it is killed: it should have ended the run itself.
const GRACE: Duration = Duration::from_secs(2);

/// A session: runs code in a worker process, with variables that live from run to run.
///
/// The worker has no files, no network, no environment and no clock; what the code may reach are the tools that are handed
/// to [`run`](Sandbox::run). A worker that dies takes its variables with it, and the next run starts another. Dropping
/// the sandbox, or the future of a run, kills the worker.
///
/// ```no_run
/// use glassbox_sandbox::{Limits, NoTools, Sandbox};
///
/// # async fn example() -> Result<(), glassbox_sandbox::Error> {
/// let mut sandbox = Sandbox::start(Limits::default()).await?;
/// sandbox.run("prices = [3, 4, 5]", &NoTools).await?;
/// let execution = sandbox.run("sum(prices) / len(prices)", &NoTools).await?;
/// assert_eq!(execution.value, Some(4.0.into()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sandbox {
    limits: Limits,
    workers: Workers,
    program: Option<Program>,
    worker: Option<Worker>,
    /// Whether variables went with a worker, and nobody was told so far.
    state_lost: bool,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Execution {
    /// What the code printed, up to the limit of output.
    pub stdout: String,
    /// The value of the last line, if that is an expression and not `None`. What JSON has no word for is its `repr`.
    pub value: Option<Value>,
    /// The value as Python shows it, cut to the limit of output.
    pub repr: Option<String>,
    /// What the code raised, or that its worker died: then it is a `SandboxError`.
    pub error: Option<Exception>,
    /// The limit that stopped it.
    pub limit: Option<Limit>,
    /// How many tools it called.
    pub tool_calls: u32,
    /// How long it took, with the time of its tools.
    pub duration: Duration,
    /// Whether this run began without the variables of the runs before, since their worker is gone.
    pub state_lost: bool,
    /// Whether the worker is gone, and the next run begins without variables.
    pub worker_lost: bool,
}

impl Sandbox {
    /// Makes a sandbox whose worker starts with the first run.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            workers: Workers::of_process(),
            program: None,
            worker: None,
            state_lost: false,
        }
    }

    /// Starts a worker, found by `GLASSBOX_SANDBOX`, beside the program, or in the program itself.
    ///
    /// # Errors
    ///
    /// There is no worker, it does not start, or too many are at work.
    pub async fn start(limits: Limits) -> Result<Self, Error> {
        let mut sandbox = Self::new(limits);
        sandbox.warm_up().await?;
        Ok(sandbox)
    }

    /// Makes a sandbox with the same settings, without a worker so far.
    #[must_use]
    pub fn another(&self) -> Self {
        let (workers, program) = (self.workers.clone(), self.program.clone());
        Self { workers, program, ..Self::new(self.limits.clone()) }
    }

    /// Sets the limits of the workers that it starts from now on.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Takes its worker from others than those of the process.
    #[must_use]
    pub fn with_workers(mut self, workers: &Workers) -> Self {
        self.workers = workers.clone();
        self
    }

    /// Runs this executable as the worker.
    #[must_use]
    pub fn with_worker(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into().into());
        self
    }

    /// Starts a worker if there is none.
    ///
    /// # Errors
    ///
    /// As [`start`](Sandbox::start).
    pub async fn warm_up(&mut self) -> Result<(), Error> {
        if self.worker.is_none() {
            self.worker = Some(self.start_worker().await?);
        }
        Ok(())
    }

    /// Returns the limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the process id of the worker, if there is one.
    #[must_use]
    pub fn worker_id(&self) -> Option<u32> {
        self.worker.as_ref().and_then(Worker::id)
    }

    /// Returns what guards the worker's memory, if there is one.
    #[must_use]
    pub fn memory_guard(&self) -> Option<MemoryGuard> {
        self.worker.as_ref().map(|worker| worker.memory)
    }

    /// Runs code. Whatever the code does is told by the [`Execution`]; dropping the future kills the code.
    ///
    /// # Errors
    ///
    /// A worker was needed, and could not be started.
    pub async fn run(&mut self, code: &str, tools: &dyn Tools) -> Result<Execution, Error> {
        // The worker comes back when the run is over. Should this future be dropped, the worker is with it, and dies.
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.start_worker().await?,
        };
        let state_lost = std::mem::replace(&mut self.state_lost, true);
        let begun = Instant::now();
        let mut run = Run::new(&self.limits, &mut worker, tools);
        let ended = run.finish(code).await;
        let mut execution = run.execution;
        execution.duration = begun.elapsed();
        execution.state_lost = state_lost;

        match ended {
            Ok(done) => {
                execution.end(done);
                // What held the memory would be there in the next run still.
                execution.worker_lost = execution.limit == Some(Limit::Memory);
                if !execution.worker_lost {
                    self.worker = Some(worker);
                    self.state_lost = false;
                }
            }
            Err(Ended::Broken(error)) => execution.die(worker.end(&error).await),
            Err(Ended::Killed(death)) => execution.die(death),
        }
        Ok(execution)
    }

    async fn start_worker(&self) -> Result<Worker, Error> {
        if Handle::try_current().is_err() {
            return Err(Kind::NoRuntime.into());
        }
        let program = match &self.program {
            Some(program) => program.clone(),
            None => locate::worker().ok_or(Kind::Missing)?,
        };
        let place = self.workers.place().await?;
        Worker::start(&program, &self.limits, place).await
    }
}

impl Execution {
    fn end(&mut self, done: Done) {
        self.value = done.value;
        self.repr = done.repr;
        self.error = done.error;
        self.limit = done.limit;
    }

    fn die(&mut self, death: Death) {
        self.error = Some(Exception::new("SandboxError", death.message));
        self.limit = death.limit;
        self.worker_lost = true;
    }
}

/// A run that goes on.
struct Run<'a> {
    limits: &'a Limits,
    worker: &'a mut Worker,
    tools: &'a dyn Tools,
    execution: Execution,
}

/// Why there is no result.
enum Ended {
    /// The worker's pipes broke, or brought garbage.
    Broken(io::Error),
    /// It did what it may not.
    Killed(Death),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl<'a> Run<'a> {
    fn new(limits: &'a Limits, worker: &'a mut Worker, tools: &'a dyn Tools) -> Self {
        Self { limits, worker, tools, execution: Execution::default() }
    }

    async fn finish(&mut self, code: &str) -> Result<Done, Ended> {
        let mut left = self.limits.time + GRACE;
        let mut order = Order::Run { code: code.to_owned(), tools: self.tools.names() };
        loop {
            let call = match self.until_call(&order, &mut left).await? {
                Report::Call(call) => call,
                Report::Done(done) => return Ok(done),
                Report::Ready { .. } | Report::Output(_) => {
                    return Err(misbehaved("it is out of step"));
                }
            };
            if self.execution.tool_calls >= self.limits.tool_calls {
                return Err(misbehaved("it calls more tools than it may"));
            }
            self.execution.tool_calls += 1;
            order = self.answer(call).await;
        }
    }

    /// Sends an order, and collects output until something else is told. The time for that is what is left.
    async fn until_call(&mut self, order: &Order, left: &mut Duration) -> Result<Report, Ended> {
        let begun = Deadline::now();
        let exchange = async {
            match self.worker.send(order).await {
                // Code longer than a frame never reaches the worker.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Ok(Report::Done(refused(&error)));
                }
                sent => sent?,
            }
            loop {
                match self.worker.receive().await? {
                    Report::Output(text) => {
                        let printed = self.execution.stdout.len() + text.len();
                        if printed > self.limits.output {
                            return Err(misbehaved("it prints more than it may"));
                        }
                        self.execution.stdout.push_str(&text);
                    }
                    report => return Ok(report),
                }
            }
        };
        let report = time::timeout_at(begun + *left, exchange).await.map_err(|_elapsed| {
            let message = "the worker was killed: time limit exceeded".to_owned();
            Ended::Killed(Death::because(message, Some(Limit::Time)))
        })?;
        *left = left.saturating_sub(begun.elapsed());
        report
    }

    async fn answer(&self, call: Call) -> Order {
        match self.tools.call(call).await {
            Ok(value) if protocol::too_deep(&value) => {
                Order::Raise(Exception::new("ValueError", "the tool's result nests too deep"))
            }
            Ok(value) => fitting(Order::Value(value)),
            Err(raised) => fitting(Order::Raise(raised)),
        }
    }
}

/// Puts an error in place of an answer that is longer than a frame.
fn fitting(order: Order) -> Order {
    let longest = MAX_FRAME / 2;
    let length = match &order {
        Order::Value(value) => serde_json::to_string(value).map_or(usize::MAX, |text| text.len()),
        Order::Raise(raised) => raised.message.len(),
        Order::Start { .. } | Order::Run { .. } => 0,
    };
    if length <= longest {
        return order;
    }
    Order::Raise(Exception::new("ValueError", "the tool's result is too long"))
}

fn refused(error: &io::Error) -> Done {
    let exception = Exception::new("SandboxError", format!("the code is too long: {error}"));
    Done { error: Some(exception), ..Done::default() }
}

fn misbehaved(how: &str) -> Ended {
    Ended::Killed(Death::because(format!("the worker was killed: {how}"), None))
}
