//! Whatever runs how: the tree of spans is the tree of calls, nothing leaks, and nothing is left behind.

use crate::stage::Stage;
use glassbox::trace::payload::Payload;
use glassbox::trace::span::{Detail, Span, Status};
use glassbox::{BoxFuture, Context, Error, Module};
use glassbox_events::open_span::{Family, OpenSpan};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::HashMap;
use std::future::{Future, pending};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::yield_now;

/// A call, with the calls that it makes.
#[derive(Clone, Debug)]
struct Call {
    opens: Opens,
    runs: Runs,
    /// How often it lets others run before, between and after.
    yields: usize,
    below: Vec<Self>,
}

/// What opens the span.
#[derive(Clone, Copy, Debug)]
enum Opens {
    Module,
    /// By hand, and ended on a plain thread.
    EndedElsewhere,
}

/// How the calls below are run.
#[derive(Clone, Copy, Debug)]
enum Runs {
    InTurn,
    /// As `join!` does, which knows nothing of contexts.
    Joined,
    JoinAll,
    Parallel(usize),
    Spawned,
    /// Each on a plain thread that is handed the context.
    OnThreads,
}

fn calls() -> impl Strategy<Value = Call> {
    let opens = prop_oneof![4 => Just(Opens::Module), 1 => Just(Opens::EndedElsewhere)];
    let runs = prop_oneof![
        2 => Just(Runs::InTurn),
        2 => Just(Runs::Joined),
        2 => Just(Runs::JoinAll),
        2 => (0_usize..4).prop_map(Runs::Parallel),
        2 => Just(Runs::Spawned),
        1 => Just(Runs::OnThreads),
    ];
    let call = (opens, runs, 0_usize..3);
    let leaf = call.clone().prop_map(|(opens, runs, yields)| Call {
        opens,
        runs,
        yields,
        below: Vec::new(),
    });
    leaf.prop_recursive(6, 150, 5, move |below| {
        (call.clone(), prop::collection::vec(below, 1..=5))
            .prop_map(|((opens, runs, yields), below)| Call { opens, runs, yields, below })
    })
}

/// A call at its place, such as `request.0.2`, which is the name of its span.
#[derive(Clone)]
struct Placed {
    name: Arc<str>,
    call: Arc<Call>,
}

impl Module for Placed {
    type Input = String;
    type Output = String;

    async fn forward(&self, _: Arc<String>) -> Result<String, Error> {
        self.run_below().await;
        Ok(self.name.to_string())
    }

    fn span_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}

impl Placed {
    fn new(name: &str, call: &Call) -> Self {
        Self { name: name.into(), call: Arc::new(call.clone()) }
    }

    fn below(&self) -> impl Iterator<Item = Self> {
        self.call
            .below
            .iter()
            .zip(0..)
            .map(|(call, at)| Self::new(&format!("{}.{at}", self.name), call))
    }

    fn run(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            match self.call.opens {
                Opens::Module => {
                    assert_eq!(self.call(self.name.to_string()).await.unwrap(), *self.name)
                }
                Opens::EndedElsewhere => {
                    let span = OpenSpan::begin(
                        &Context::current(),
                        Family::Module,
                        &self.name,
                        Detail::Span,
                        None,
                    );
                    span.context().clone().scope(self.run_below()).await;
                    let output = Payload::from(self.name.as_ref());
                    on_thread(move || span.end(Status::Ok, Some(output))).await;
                }
            }
        })
    }

    async fn run_below(&self) {
        yields(self.call.yields).await;
        let place = || Context::current().span().map(|span| span.span_id);
        let before = place();
        let below = self.below().map(Self::run);
        match self.call.runs {
            Runs::InTurn => {
                for call in below {
                    call.await;
                    yields(self.call.yields).await;
                }
            }
            Runs::Joined => drop(futures::future::join_all(below).await),
            Runs::JoinAll => drop(glassbox::join_all(below).await),
            Runs::Parallel(limit) => drop(glassbox::parallel(limit, below).await),
            Runs::Spawned => {
                let tasks: Vec<_> = below.map(glassbox::spawn).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }
            Runs::OnThreads => {
                let threads = below.map(|call| {
                    let (context, runtime) = (Context::current(), Handle::current());
                    on_thread(move || context.enter(|| runtime.block_on(call)))
                });
                futures::future::join_all(threads).await;
            }
        }
        assert_eq!(place(), before, "the calls below {} changed its place", self.name);
    }

    /// The names of all calls with that of the call above.
    fn expected(&self, above: Option<&str>, tree: &mut Vec<(String, Option<String>)>) {
        tree.push((self.name.to_string(), above.map(str::to_owned)));
        for call in self.below() {
            call.expected(Some(&self.name), tree);
        }
    }
}

async fn yields(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// Runs a closure on a plain thread.
fn on_thread<T: Send + 'static>(
    closure: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || sender.send(closure()));
    async move { receiver.await.unwrap() }
}

/// Runs two requests at the same time and compares their spans with their calls.
fn check(runtime: &Runtime, requests: &[Call; 2]) {
    let stage = Stage::new();
    let placed = [Placed::new("one", &requests[0]), Placed::new("two", &requests[1])];
    let run = |request: &Placed| {
        stage.scope().session(Arc::clone(&request.name)).run(request.clone().run())
    };
    let [one, two] = placed.each_ref().map(run);
    runtime.block_on(async { tokio::join!(one, two) });

    let spans = stage.spans();
    let names: HashMap<_, _> = spans.iter().map(|span| (span.span_id, &*span.name)).collect();
    let mut seen = Vec::new();
    for span in &spans {
        let above = span
            .parent_id
            .map(|id| names.get(&id).unwrap_or_else(|| panic!("{} is an orphan", span.name)));
        seen.push((span.name.to_string(), above.map(ToString::to_string)));
        assert_eq!(span.status, Status::Ok);
        assert_eq!(span.output.as_ref().unwrap().to_text(), *span.name);
    }
    let mut expected = Vec::new();
    placed.iter().for_each(|request| request.expected(None, &mut expected));
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);

    // Each request is one trace, with its own session and no other's.
    for request in &placed {
        let own = |span: &&Arc<Span>| span.name.starts_with(&*request.name);
        let root = spans.iter().find(|span| span.name == request.name).unwrap();
        assert!(spans.iter().filter(own).all(|span| span.trace_id == root.trace_id));
        assert!(
            spans
                .iter()
                .filter(own)
                .all(|span| span.trace.session_id.as_ref() == Some(&request.name))
        );
        assert!(
            spans.iter().filter(own).all(|span| span.trace.name.as_ref() == Some(&request.name))
        );
    }
    let traces: Vec<_> = placed.iter().map(|request| stage.span(&request.name).trace_id).collect();
    assert_ne!(traces[0], traces[1]);
    assert!(Context::current().span().is_none(), "a context was left behind");
}

fn check_many(runtime: &Runtime) {
    let config =
        ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let requests = [calls(), calls()];
    TestRunner::new(config)
        .run(&requests, |requests| {
            check(runtime, &requests);
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_tree_of_spans_is_the_tree_of_calls_on_one_thread() {
    check_many(&Builder::new_current_thread().enable_all().build().unwrap());
}

#[test]
fn the_tree_of_spans_is_the_tree_of_calls_on_two_workers() {
    check_many(&Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
}

/// A call that never ends, and says so when it has begun.
struct Endless(tokio::sync::Notify);

impl Module for Endless {
    type Input = String;
    type Output = String;

    async fn forward(&self, _: Arc<String>) -> Result<String, Error> {
        self.0.notify_one();
        pending().await
    }
}

/// A call that calls one that never ends.
struct Patient(Endless);

impl Module for Patient {
    type Input = String;
    type Output = String;

    async fn forward(&self, input: Arc<String>) -> Result<String, Error> {
        self.0.call(input).await
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_as_cancelled() {
    let stage = Stage::new();
    let patient = Patient(Endless(tokio::sync::Notify::new()));
    let call = stage.scope().run(patient.call("x".to_owned()));
    let result = tokio::time::timeout(Duration::from_millis(20), call).await;
    assert!(result.is_err());
    insta::assert_snapshot!(stage.tree(), @r"
    Patient.forward [span] error: cancelled
      Endless.forward [span] error: cancelled
    ");
    assert!(Context::current().span().is_none());
}

#[tokio::test]
async fn a_task_that_is_aborted_ends_as_cancelled() {
    let stage = Stage::new();
    let endless = Arc::new(Endless(tokio::sync::Notify::new()));
    let own = Arc::clone(&endless);
    let task = stage
        .scope()
        .enter(|| glassbox::spawn(async move { own.call("x".to_owned()).await.is_ok() }));
    endless.0.notified().await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    insta::assert_snapshot!(stage.tree(), @"Endless.forward [span] error: cancelled");
}

/// A module with a mistake.
struct Panics;

impl Module for Panics {
    type Input = String;
    type Output = String;

    async fn forward(&self, _: Arc<String>) -> Result<String, Error> {
        yield_now().await;
        panic!("a mistake in a module");
    }
}

#[test]
fn a_panic_ends_its_span_and_leaves_the_context_clean() {
    let stage = Stage::new();
    // One thread, so that what comes after runs where the panic was.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let task =
            stage.scope().enter(|| glassbox::spawn(async { Panics.call("x".to_owned()).await }));
        assert!(task.await.unwrap_err().is_panic());
        assert!(Context::current().span().is_none());
        let leaf = Call { opens: Opens::Module, runs: Runs::InTurn, yields: 1, below: Vec::new() };
        stage.scope().run(Placed::new("after", &leaf).run()).await;
    });
    insta::assert_snapshot!(stage.tree(), @r"
    Panics.forward [span] error: panic
    after [span]
    ");
}

#[test]
fn a_panic_in_a_closure_leaves_the_context_clean() {
    let stage = Stage::new();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        stage.scope().session("s-1").enter(|| panic!("a mistake in a closure"));
    }));
    assert!(result.is_err());
    assert_eq!(Context::current().trace().session_id, None);
}
