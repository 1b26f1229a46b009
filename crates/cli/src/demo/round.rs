//! A round: customers served at the same time or one after another, and what came of it.

use super::program::{Program, Served};
use glassbox::trace::id::TraceId;
use glassbox::{Bus, Error, parallel, scope};
use std::time::{Duration, Instant};

/// What came of a round.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) wall: Duration,
    pub(crate) visits: Vec<Visit>,
}

/// One customer's visit.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) customer: u64,
    pub(crate) took: Duration,
    pub(crate) result: Result<Served, Error>,
}

impl Round {
    pub(crate) fn replies(&self) -> impl Iterator<Item = (u64, &Served)> {
        self.visits.iter().filter_map(|visit| Some((visit.customer, visit.result.as_ref().ok()?)))
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = &Error> {
        self.visits.iter().filter_map(|visit| visit.result.as_ref().err())
    }

    pub(crate) fn trace_ids(&self) -> impl Iterator<Item = TraceId> {
        self.visits.iter().filter_map(|visit| match &visit.result {
            Ok(reply) => reply.trace_id,
            Err(error) => error.trace_id(),
        })
    }

    /// Returns the time that the customers were there, all of them together.
    pub(crate) fn work(&self) -> Duration {
        self.visits.iter().map(|visit| visit.took).sum()
    }

    /// Returns how many customers were being served at the same time, on average.
    pub(crate) fn mean_concurrency(&self) -> f64 {
        self.work().as_secs_f64() / self.wall.as_secs_f64().max(1e-9)
    }
}

/// Serves the first `customers`, at most `concurrency` of them at the same time.
pub(crate) async fn serve(
    program: &dyn Program,
    bus: &Bus,
    (service, round): (&'static str, &'static str),
    customers: u64,
    concurrency: usize,
) -> Round {
    let began = Instant::now();
    let visits = (1..=customers).map(|number| visit(program, bus, (service, round), number));
    let visits = parallel(concurrency, visits).await;
    Round { wall: began.elapsed(), visits }
}

/// Serves one customer.
pub(crate) async fn visit(
    program: &dyn Program,
    bus: &Bus,
    (service, round): (&'static str, &'static str),
    number: u64,
) -> Visit {
    let began = Instant::now();
    let scope = scope()
        .bus(bus)
        .session(format!("{service} {round}"))
        .user(format!("customer-{number}"))
        .tag("demo")
        .metadata("round", round);
    let result = scope.run(program.serve(number)).await;
    Visit { customer: number, took: began.elapsed(), result }
}
