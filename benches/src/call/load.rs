//! Makes calls, so many at once, and measures what they cost this process.

use crate::stats::cpu_time;
use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

/// A tenth of the calls makes everything warm, but no fewer than these.
const WARM_UP: usize = 100;

/// Something that can call a model.
pub(super) trait Caller: Send + Sync + 'static {
    /// Makes a call, reads the answer, and returns the tokens of prompt and answer.
    fn call(&self) -> impl Future<Output = Result<u64>> + Send;

    /// Waits until everything is exported.
    fn settle(&self) -> Result<()> {
        Ok(())
    }
}

/// How many calls are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) calls: usize,
    pub(super) concurrency: usize,
}

/// What a process tells of its calls.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// CPU time for each call, of the program and the system, in microseconds.
    pub(super) cpu_us: f64,
    pub(super) calls_per_s: f64,
    /// All calls, with those that are not measured.
    pub(super) calls_with_warm_up: u64,
}

impl Load {
    /// Makes the calls on a runtime as `#[tokio::main]` makes it, on two threads.
    pub(super) fn run<C: Caller>(self, start: impl FnOnce() -> Result<C>) -> Result<Told> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let caller = {
            let _entered = runtime.enter();
            Arc::new(start()?)
        };
        let warm_up = (self.calls / 10).max(WARM_UP);
        runtime.block_on(self.make(&caller, warm_up))?;
        caller.settle()?;

        let (began, cpu_before) = (Instant::now(), cpu_time());
        let made = runtime.block_on(self.make(&caller, self.calls))?;
        let wall = began.elapsed();
        caller.settle()?;
        let cpu = cpu_time().saturating_sub(cpu_before);
        Ok(Told {
            cpu_us: cpu.as_secs_f64() * 1e6 / made as f64,
            calls_per_s: made as f64 / wall.as_secs_f64(),
            calls_with_warm_up: (self.rounded(warm_up) + made) as u64,
        })
    }

    /// Makes calls in as many tasks as there are calls at once, and returns how many.
    async fn make<C: Caller>(self, caller: &Arc<C>, calls: usize) -> Result<usize> {
        let each = calls.div_ceil(self.concurrency);
        let tasks = (0..self.concurrency).map(|_| {
            let caller = Arc::clone(caller);
            tokio::spawn(async move {
                for _ in 0..each {
                    ensure!(caller.call().await? > 0, "an answer without usage");
                }
                Ok(())
            })
        });
        for task in try_join_all(tasks).await? {
            task?;
        }
        Ok(self.rounded(calls))
    }

    /// Every task makes as many calls.
    const fn rounded(self, calls: usize) -> usize {
        calls.div_ceil(self.concurrency) * self.concurrency
    }
}
