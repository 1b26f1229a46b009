//! A worker process as the host holds it: started, spoken to, killed.

use crate::error::{Error, Kind};
use crate::limits::{Limit, Limits};
use crate::locate::Program;
use crate::protocol::{self, MemoryGuard, Order, Report, VERSION};
use crate::workers::Place;
use std::io::{self, Read};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time;

/// How long a worker may take to say that it is there.
const STARTUP: Duration = Duration::from_secs(20);
/// How long a worker that has closed its pipe may take to end.
const ENDING: Duration = Duration::from_secs(1);
/// The exit code of a worker whose allocator came to its limit.
const OUT_OF_MEMORY: i32 = 65;
/// How much of a dead worker's last words is told.
const LAST_WORDS: usize = 400;

/// A worker that is alive, or was when last heard of. It is killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Process,
    orders: ChildStdin,
    reports: ChildStdout,
    last_words: Option<ChildStderr>,
    pub(crate) memory: MemoryGuard,
    _place: Place,
}

/// How a worker ended.
#[derive(Debug)]
pub(crate) struct Death {
    pub(crate) message: String,
    pub(crate) limit: Option<Limit>,
}

/// A child that is never left behind.
#[derive(Debug)]
struct Process(Option<Child>);

impl Worker {
    pub(crate) async fn start(
        program: &Program,
        limits: &Limits,
        place: Place,
    ) -> Result<Self, Error> {
        let failed = |error| Error::from(Kind::Start(program.path.clone(), error));
        let (process, orders, reports, last_words) = spawn(program).map_err(failed)?;
        let mut worker = Self {
            process,
            orders,
            reports,
            last_words: Some(last_words),
            memory: MemoryGuard::AddressSpace,
            _place: place,
        };
        let start = Order::Start { version: VERSION, limits: limits.clone() };
        let answer = time::timeout(STARTUP, async {
            worker.send(&start).await?;
            worker.receive().await
        });
        match answer.await {
            Ok(Ok(Report::Ready { version: VERSION, memory })) => {
                worker.memory = memory;
                Ok(worker)
            }
            Ok(Ok(Report::Ready { version: found, .. })) => {
                Err(Kind::Version { path: program.path.clone(), found, wanted: VERSION }.into())
            }
            Ok(Ok(_)) => Err(failed(io::Error::other("it does not begin with being ready"))),
            Ok(Err(error)) => {
                let death = worker.end(&error).await;
                Err(failed(io::Error::other(death.message)))
            }
            Err(_elapsed) => Err(failed(io::ErrorKind::TimedOut.into())),
        }
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.process.0.as_ref().map(Child::id)
    }

    pub(crate) async fn send(&mut self, order: &Order) -> io::Result<()> {
        let frame = protocol::encode(order)?;
        self.orders.write_all(&frame).await?;
        self.orders.flush().await
    }

    pub(crate) async fn receive(&mut self) -> io::Result<Report> {
        let mut head = [0; 4];
        self.reports.read_exact(&mut head).await?;
        let mut message = Vec::new();
        let length = protocol::length(head)?;
        // Grows with what arrives: a length alone takes no memory.
        (&mut self.reports).take(length as u64).read_to_end(&mut message).await?;
        if message.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        protocol::decode(&message)
    }

    /// Ends the worker after an error on its pipes, and finds out what happened to it.
    pub(crate) async fn end(mut self, error: &io::Error) -> Death {
        if error.kind() == io::ErrorKind::InvalidData {
            return Death::because(format!("the worker was killed: {error}"), None);
        }
        let Some(status) = self.process.ended().await else {
            return Death::because("the worker was killed: it closed its pipes".into(), None);
        };
        let words = self.last_words.take().map_or_else(String::new, read_last_words);
        explain(status, &words)
    }
}

impl Death {
    pub(crate) const fn because(message: String, limit: Option<Limit>) -> Self {
        Self { message, limit }
    }
}

fn spawn(program: &Program) -> io::Result<(Process, ChildStdin, ChildStdout, ChildStderr)> {
    let mut command = Command::new(&program.path);
    command.args(program.argument).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    command.current_dir("/");
    let mut child = command.spawn()?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let process = Process(Some(child));
    let (Some(orders), Some(reports), Some(last_words)) = pipes else {
        return Err(io::Error::other("it has no pipes"));
    };
    Ok((process, ChildStdin::from_std(orders)?, ChildStdout::from_std(reports)?, last_words))
}

impl Process {
    /// Waits a little for the process to end by itself.
    async fn ended(&mut self) -> Option<ExitStatus> {
        let ended = async {
            loop {
                match self.0.as_mut()?.try_wait() {
                    Ok(None) => time::sleep(Duration::from_millis(1)).await,
                    Ok(status) => return status,
                    Err(_gone) => return None,
                }
            }
        };
        time::timeout(ENDING, ended).await.ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else { return };
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        // It fails only for a process that has ended.
        let _ = child.kill();
        // A killed process takes a moment to end, which the program should not wait for, nor leave to be a zombie.
        let reaper = std::thread::Builder::new().name("glassbox-reaper".into());
        let reaped = reaper.spawn(move || drop(child.wait()));
        // Without a thread the zombie stays until the program ends; it holds no memory.
        drop(reaped);
    }
}

/// Reads what a worker wrote before it ended. The pipe is closed at the worker's end, so that this does not wait.
fn read_last_words(pipe: ChildStderr) -> String {
    let mut words = Vec::new();
    // What cannot be read is not told.
    let _ = pipe.take(64 << 10).read_to_end(&mut words);
    let words = String::from_utf8_lossy(&words);
    let line = words.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.chars().take(LAST_WORDS).collect()
}

fn explain(status: ExitStatus, words: &str) -> Death {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    // The Rust runtime's own words, of an allocation that the kernel refused, and of a stack that ran out.
    let out_of_memory =
        status.code() == Some(OUT_OF_MEMORY) || words.contains("memory allocation of");
    let out_of_stack = words.contains("overflowed its stack");
    const SIGXCPU: i32 = 24;
    match (status.code(), signal) {
        _ if out_of_memory => {
            Death::because("the worker died: memory limit exceeded".into(), Some(Limit::Memory))
        }
        _ if out_of_stack => {
            Death::because("the worker died: its stack overflowed".into(), Some(Limit::Recursion))
        }
        (_, Some(SIGXCPU)) => Death::because(
            "the worker was killed: it used too much CPU time".into(),
            Some(Limit::Time),
        ),
        (_, Some(signal)) => {
            Death::because(format!("the worker was killed by signal {signal}"), None)
        }
        (code, None) => {
            let code = code.unwrap_or_default();
            let words = if words.is_empty() { String::new() } else { format!(": {words}") };
            Death::because(format!("the worker ended with code {code}{words}"), None)
        }
    }
}
