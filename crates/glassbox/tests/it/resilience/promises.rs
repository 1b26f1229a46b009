//! Whatever goes wrong at whatever time: a hard limit is never passed, nothing begins after a stop, and all that began has
//! an end.

use crate::provider::{Wire, fast_retries};
use crate::stage::{Stage, generation};
use glassbox::trace::span::Kind;
use glassbox::watch::Budget;
use glassbox::{
    CircuitBreaker, Event, EventData, Hedge, Limits, Lm, Message, Request, RetryPolicy, Stop, gate,
};
use glassbox_sim::{Fault, FaultPlan, Latency, Sim};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Builder;

/// Calls at the same time, with all that a model can be told to do about trouble.
#[derive(Clone, Debug)]
struct Storm {
    wire: Wire,
    stream: bool,
    calls: usize,
    /// Milliseconds to the first token, in the middle.
    latency: u64,
    /// The shares of attempts that are refused, overloaded, broken, reset, cut off, and never answered.
    faults: [f64; 6],
    limits: (Option<u32>, Option<u32>),
    hedge: bool,
    breaker: bool,
    falls_back: bool,
    /// Limits of tokens, of thousandths of a cent, and of calls.
    budget: (Option<u64>, Option<i64>, Option<u64>),
    /// After how many attempts the run is stopped.
    stop: Option<u64>,
    seed: u64,
}

fn storms() -> impl Strategy<Value = Storm> {
    let way = (prop::sample::select(Wire::ALL.to_vec()), any::<bool>(), 1_usize..=64, 0_u64..8);
    let limits = (prop::option::of(1_u32..32), prop::option::of(3_000_u32..60_000));
    let means = (any::<bool>(), any::<bool>(), any::<bool>());
    let budget = (
        prop::option::of(5_000_u64..100_000),
        prop::option::of(50_i64..5_000),
        prop::option::of(1_u64..100),
    );
    let faults = prop::array::uniform6(0.0..0.12);
    let rest = (faults, prop::option::of(1_u64..60), any::<u64>());
    (way, limits, means, budget, rest).prop_map(
        |(
            (wire, stream, calls, latency),
            limits,
            (hedge, breaker, falls_back),
            budget,
            (faults, stop, seed),
        )| {
            Storm {
                wire,
                stream,
                calls,
                latency,
                faults,
                limits,
                hedge,
                breaker,
                falls_back,
                budget,
                stop,
                seed,
            }
        },
    )
}

impl Storm {
    fn sim(&self) -> Sim {
        let latency = Latency {
            first_token: Duration::from_millis(self.latency),
            first_token_sigma: 0.8,
            ..Latency::none()
        };
        let [limited, overloaded, broken, reset, cut, stalled] = self.faults;
        let faults = FaultPlan::none()
            .rate(limited, Fault::RateLimited { retry_after: Duration::from_millis(3) })
            .rate(overloaded, Fault::Overloaded)
            .rate(broken, Fault::ServerError(500))
            .rate(reset, Fault::Reset)
            .rate(cut, Fault::Truncated)
            .rate(stalled / 4.0, Fault::Stall);
        Sim::builder().seed(self.seed).latency(latency).faults(faults).start().unwrap()
    }

    fn lm(&self, sim: &Sim) -> Lm {
        let (concurrency, requests_per_minute) = self.limits;
        let limits = Limits { concurrency, requests_per_minute, ..Limits::default() };
        let model = |wire: Wire| {
            let mut lm = wire.lm(sim).stream(self.stream).limits(limits).max_tokens(300);
            lm = lm.timeout(Duration::from_millis(150));
            lm = lm.retry(RetryPolicy { attempts: 3, ..fast_retries() });
            if self.hedge {
                lm = lm.hedge(Hedge::after(Duration::from_millis(5)));
            }
            if self.breaker {
                let open_for = Duration::from_millis(10);
                let failures = 4;
                lm =
                    lm.circuit_breaker(CircuitBreaker { failures, open_for, ..Default::default() });
            }
            lm.build().unwrap()
        };
        match self.falls_back {
            true => Lm::any(Wire::ALL.map(model)).unwrap(),
            false => model(self.wire),
        }
    }

    fn budget(&self) -> Budget {
        let (tokens, usd, calls) = self.budget;
        let mut budget = Budget::calls(calls.unwrap_or(1_000_000));
        budget = tokens.into_iter().fold(budget, Budget::and_tokens);
        usd.into_iter().fold(budget, |budget, usd| budget.and_usd(Decimal::new(usd, 5)))
    }

    /// Tells which limit is passed, if one is. What is spent is read first: between the two readings a reservation may
    /// become something spent, but never the other way round.
    fn excess(&self, budget: &Budget) -> Option<String> {
        let (spent, reserved) = (budget.spent(), budget.reserved());
        let (tokens, usd, calls) = self.budget;
        let passed = tokens.is_some_and(|limit| spent.tokens + reserved.tokens > limit)
            || usd.is_some_and(|limit| spent.usd + reserved.usd > Decimal::new(limit, 5))
            || calls.is_some_and(|limit| spent.calls + reserved.calls > limit);
        passed.then(|| format!("{spent:?} spent and {reserved:?} reserved of {:?}", self.budget))
    }
}

/// Lets everything begin, and remembers whether something did after the run was stopped.
#[derive(Clone, Debug, Default)]
struct Doorkeeper {
    stopped: Arc<AtomicBool>,
    began_after: Arc<AtomicU64>,
}

impl gate::Gate for Doorkeeper {
    fn ask(
        &self,
        _: &gate::Request<'_>,
    ) -> Result<Option<Box<dyn gate::Reservation>>, glassbox::Refusal> {
        if self.stopped.load(Ordering::SeqCst) {
            self.began_after.fetch_add(1, Ordering::SeqCst);
        }
        Ok(None)
    }
}

fn check(storm: &Storm) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (sim, stage, budget) = (storm.sim(), Stage::new(), storm.budget());
    let (lm, door) = (storm.lm(&sim), Doorkeeper::default());

    let found = Arc::new(Mutex::new(None));
    let (watched, excess) = ((storm.clone(), budget.clone()), Arc::clone(&found));
    let _watching = stage.bus.on("*", move |_| {
        if let Some(seen) = watched.0.excess(&watched.1) {
            excess.lock().unwrap().get_or_insert(seen);
        }
    });
    let scope = stage.scope().gate(door.clone()).gate(budget.clone());
    let (run, ended, stops, keeper) =
        (scope.context().run().unwrap().clone(), AtomicU64::new(0), storm.stop, door.clone());
    let _stopping = stage.bus.on("llm.attempt", move |_| {
        if stops.is_some_and(|stop| ended.fetch_add(1, Ordering::SeqCst) + 1 >= stop) {
            run.stop(Stop::new("enough"));
            keeper.stopped.store(true, Ordering::SeqCst);
        }
    });
    let call = |number: usize| {
        let lm = lm.clone();
        let question = Message::user(format!("Question {number}: what should I drink?"));
        async move { glassbox::spawn(async move { lm.generate(Request::new([question])).await }).await }
    };
    let calls = glassbox::join_all((0..storm.calls).map(call));
    let results = runtime.block_on(scope.run(calls));

    assert_eq!(*found.lock().unwrap(), None, "{storm:?}");
    assert_eq!(door.began_after.load(Ordering::SeqCst), 0, "{storm:?}");
    assert_eq!(budget.reserved(), Default::default(), "{storm:?}");
    assert_eq!(results.len(), storm.calls);
    // Whoever was stopped says so, or had its end already.
    if storm.stop.is_none() {
        let stopped = |error: &glassbox::Error| error.is_stopped();
        assert!(!results.iter().flatten().any(|result| result.as_ref().is_err_and(stopped)));
    }
    check_spans(storm, &stage, &sim, &budget);
    assert_eq!((lm.limiter().in_flight(), lm.limiter().waiting()), (0, 0), "{storm:?}");
}

/// All that began has an end, and the sums agree.
fn check_spans(storm: &Storm, stage: &Stage, sim: &Sim, budget: &Budget) {
    let began: HashSet<_> = stage.events().iter().filter_map(began).collect();
    let spans = stage.spans();
    let ended: HashSet<_> =
        spans.iter().filter(|span| span.end.is_some()).map(|span| span.span_id).collect();
    assert!(began.is_subset(&ended), "{storm:?}\n{}", stage.tree());
    let attempts: u32 = stage.generations().iter().map(|span| generation(span).attempts).sum();
    assert_eq!(u64::from(attempts), budget.spent().calls, "{storm:?}");
    // An attempt that was cancelled may not have reached the provider.
    assert!(sim.counters().calls <= u64::from(attempts), "{storm:?}");
    for span in spans.iter().filter(|span| span.kind() == Kind::Generation) {
        let call = generation(span);
        assert!(
            call.limiter_wait + call.backoff_wait
                <= span.duration().unwrap() + Duration::from_millis(1)
        );
    }
}

fn began(event: &Event) -> Option<glassbox::trace::id::SpanId> {
    match &event.data {
        EventData::LlmRequest(span) | EventData::ModuleStart(span) => Some(span.span_id),
        _ => None,
    }
}

#[test]
fn limits_stops_and_ends_hold_in_every_storm() {
    let config =
        ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&storms(), |storm| {
            check(&storm);
            Ok(())
        })
        .unwrap();
}
