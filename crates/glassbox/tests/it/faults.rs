//! What a caller gets and what the spans record for each thing that can go wrong at a provider.

use crate::coffee_shop::{CoffeeShop, CoffeeShopOutput, latte};
use crate::provider::{Wire, failing, fast_retries, sim};
use crate::stage::{Stage, generation};
use glassbox::event::WaitReason;
use glassbox::trace::span::{Detail, Span, Status};
use glassbox::watch::Budget;
use glassbox::{
    ChainOfThought, Error, ErrorKind, Event, EventData, EventName, Lm, Module, Prediction,
    RetryPolicy, Usage,
};
use glassbox_sim::{Fault, FaultPlan, Latency, Script, Sim};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;

/// One call, and what became of it.
struct Played {
    stage: Stage,
    result: Result<Prediction<CoffeeShopOutput>, Error>,
}

async fn play(lm: &Lm) -> Played {
    let stage = Stage::new();
    let barista = ChainOfThought::<CoffeeShop>::new(lm);
    let result = stage.scope().run(barista.call(latte())).await;
    Played { stage, result }
}

/// What was seen of a call, in words that are the same whatever the provider.
#[derive(PartialEq)]
struct Row {
    /// What the caller gets.
    caller: String,
    /// The model calls, with their failed attempts.
    calls: String,
    /// Whether their tokens and cost are known.
    used: String,
    /// Whether a failed call kept what had come.
    partial: &'static str,
    /// What was waited for.
    waits: String,
    /// What is noted on the module's span.
    notes: String,
}

impl Played {
    fn row(&self) -> Row {
        let spans = self.stage.spans();
        let calls = self.stage.generations();
        let module = self.stage.span("ChainOfThought(CoffeeShop)");
        self.check_error(&module, &calls);
        Row {
            caller: match &self.result {
                Ok(_) => "the answer".to_owned(),
                Err(error) => format!("{:?}", error.kind()),
            },
            calls: joined(calls.iter().map(|call| describe(call, &spans))),
            used: joined(calls.iter().map(|call| used(call))),
            partial: if module.status.is_error() && module.output.is_some() { "kept" } else { "" },
            waits: joined(self.stage.events().iter().filter_map(wait)),
            notes: joined(module.notes.iter().map(|note| note.name.to_string())),
        }
    }

    /// The error that the caller gets is the one that the spans have.
    fn check_error(&self, module: &Span, calls: &[Arc<Span>]) {
        let Err(error) = &self.result else {
            assert_eq!(module.status, Status::Ok);
            return;
        };
        assert_eq!(module.status, Status::error(error.error_type(), error.to_string()));
        assert_eq!(error.trace_id(), Some(module.trace_id));
        assert_eq!(error.usage(), calls.iter().map(|call| generation(call).usage).sum());
        let last = calls.last().unwrap();
        assert_eq!(error.attempts() > 0, last.status.is_error());
        assert_eq!(error.partial_output().is_some(), module.output.is_some());
        assert!(error.to_string().starts_with(error.model().unwrap()), "{error}");
    }
}

/// A model call with its failed attempts: `chat (attempt 1 (429))`.
fn describe(call: &Span, spans: &[Arc<Span>]) -> String {
    let attempts: Vec<_> =
        spans.iter().filter(|span| span.parent_id == Some(call.span_id)).collect();
    let known = generation(call);
    let succeeded = u32::from(!call.status.is_error());
    assert_eq!(attempts.len() as u32 + succeeded, known.attempts);
    for (attempt, number) in attempts.iter().zip(1..) {
        let Detail::Attempt(detail) = &attempt.detail else {
            panic!("{} is no attempt", attempt.name)
        };
        let Status::Error(error) = &attempt.status else { panic!("{} did not fail", attempt.name) };
        assert_eq!(
            (detail.number, &*attempt.name),
            (number, &*format!("attempt {number} ({})", error.kind))
        );
        assert!(call.start <= attempt.start && attempt.end <= call.end);
    }
    let mut text = "chat".to_owned();
    if let Status::Error(error) = &call.status {
        let _ = write!(text, " error {}", error.kind);
    }
    if !attempts.is_empty() {
        let _ =
            write!(text, " [{}]", joined(attempts.iter().map(|attempt| attempt.name.to_string())));
    }
    text
}

fn used(call: &Span) -> String {
    let known = generation(call);
    let tokens = match known.usage {
        Usage::UNKNOWN => "unknown tokens",
        Usage::ZERO => "0 tokens",
        _ => "tokens",
    };
    let cost = match known.cost.total() {
        None => "unknown cost",
        Some(cost) if cost.is_zero() => "$0",
        Some(_) => "cost",
    };
    format!("{tokens}, {cost}")
}

fn wait(event: &Event) -> Option<String> {
    let EventData::LlmWait(wait) = &event.data else { return None };
    Some(match wait.reason {
        WaitReason::RetryAfter => "as asked".to_owned(),
        reason => format!("{reason:?}").to_lowercase(),
    })
}

fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join("; ")
}

/// Every wire format, whole and streamed.
fn all_ways(sim: &Sim) -> Vec<(String, Lm)> {
    let ways = Wire::ALL.into_iter().flat_map(|wire| [(wire, false), (wire, true)]);
    let lm = |(wire, stream): (Wire, bool)| {
        let retry = RetryPolicy { attempts: 2, ..fast_retries() };
        let lm = wire.lm(sim).stream(stream).retry(retry).build().unwrap();
        (format!("{wire:?}{}", if stream { " streamed" } else { "" }), lm)
    };
    ways.map(lm).collect()
}

#[tokio::test]
async fn what_is_recorded_for_each_fault() {
    let sim = sim();
    let ways = all_ways(&sim);
    let mut table = String::new();
    let faults = [
        Fault::RateLimited { retry_after: Duration::ZERO },
        Fault::ServerError(500),
        Fault::Overloaded,
        Fault::Reset,
        Fault::Truncated,
        Fault::MalformedJson,
        Fault::Prose,
        Fault::TruncatedJson,
        Fault::WrongTypes,
        Fault::Empty,
        Fault::ContentFilter,
        Fault::Length,
        Fault::NoUsage,
    ];
    for fault in faults {
        let once = ("once", FaultPlan::none().on_request(1, fault.clone()));
        let always = ("always", FaultPlan::none().always(fault.clone()));
        for (when, plan) in [once, always] {
            sim.set_faults(plan);
            // Ways that show the same share a block.
            let mut rows: Vec<(Vec<&str>, Row)> = Vec::new();
            for (way, lm) in &ways {
                sim.clear();
                let row = play(lm).await.row();
                match rows.iter_mut().find(|(_, known)| *known == row) {
                    Some((ways, _)) => ways.push(way),
                    None => rows.push((vec![way], row)),
                }
            }
            for (same, row) in rows {
                let same =
                    if same.len() == ways.len() { "all".to_owned() } else { same.join(", ") };
                let name = format!("{fault:?}");
                let name = name.split([' ', '{']).next().unwrap_or_default();
                write_row(&mut table, &format!("{name} {when} ({same})"), &row);
            }
        }
    }
    insta::assert_snapshot!(table);
}

fn write_row(table: &mut String, title: &str, row: &Row) {
    let _ = writeln!(table, "{title}");
    let columns = [
        ("caller", row.caller.as_str()),
        ("calls", &row.calls),
        ("used", &row.used),
        ("partial", row.partial),
        ("waits", &row.waits),
        ("notes", &row.notes),
    ];
    for (name, value) in columns.into_iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(table, "  {name:<8}{value}");
    }
}

/// A fault that stays: what the caller reads, and what the error says by its predicates.
async fn check(fault: Fault, kind: ErrorKind, is_retryable: bool, expected: &str) {
    let sim = failing(FaultPlan::none().always(fault.clone()));
    for stream in [false, true] {
        let retry = RetryPolicy { attempts: 2, ..fast_retries() };
        let lm = Wire::OpenAi.lm(&sim).stream(stream).retry(retry).build().unwrap();
        let error = play(&lm).await.result.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (kind, is_retryable),
            "{fault:?}: {error}"
        );
        assert!(!error.is_budget() && !error.is_stopped());
        assert!(error.to_string().contains(expected), "{fault:?}: {error}");
        if matches!(kind, ErrorKind::RateLimited | ErrorKind::Server) {
            assert!(
                error.status().is_some() && error.request_id().unwrap().starts_with("req_"),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn messages_say_what_happened_and_what_to_type() {
    let limited = Fault::RateLimited { retry_after: Duration::from_millis(10) };
    check(
        limited,
        ErrorKind::RateLimited,
        true,
        "lower the concurrency or wait (after 2 attempts)",
    )
    .await;
    check(
        Fault::ServerError(500),
        ErrorKind::Server,
        true,
        "the provider failed (500): The server had an error",
    )
    .await;
    check(
        Fault::Overloaded,
        ErrorKind::Server,
        true,
        "the provider failed (503): The engine is currently overloaded",
    )
    .await;
    check(Fault::Reset, ErrorKind::Network, true, "broke: Connection reset by peer").await;
    check(Fault::Truncated, ErrorKind::Network, true, "/v1/ broke: ").await;
    check(
        Fault::MalformedJson,
        ErrorKind::Malformed,
        true,
        "is no valid JSON: EOF while parsing a string",
    )
    .await;
    check(
        Fault::Prose,
        ErrorKind::Parse,
        false,
        "could not be read: expected a JSON object, found \"",
    )
    .await;
    check(
        Fault::TruncatedJson,
        ErrorKind::Parse,
        false,
        "expected a JSON object: EOF while parsing",
    )
    .await;
    check(
        Fault::WrongTypes,
        ErrorKind::Parse,
        false,
        "action: expected an object with one of the keys MakeDrink, ",
    )
    .await;
    check(Fault::Empty, ErrorKind::Empty, false, "the answer is empty").await;
    check(
        Fault::ContentFilter,
        ErrorKind::Filtered,
        false,
        "declined to answer (content_filter); change the input",
    )
    .await;
    check(Fault::Length, ErrorKind::Length, false, "raise it with `.max_tokens(..)`").await;
}

#[tokio::test]
async fn a_servers_wish_to_wait_is_granted_and_told() {
    let wish = Duration::from_millis(60);
    let sim = failing(FaultPlan::none().first_of_each(2, Fault::RateLimited { retry_after: wish }));
    for stream in [false, true] {
        sim.clear();
        let lm = Wire::OpenAi.lm(&sim).stream(stream).build().unwrap();
        let began = Instant::now();
        let played = play(&lm).await;
        assert!(played.result.is_ok() && began.elapsed() >= 2 * wish);

        let call = played.stage.generations().remove(0);
        let call = generation(&call);
        assert_eq!(
            (call.attempts, call.retry_after_wait, call.backoff_wait),
            (3, 2 * wish, 2 * wish)
        );
        let events = played.stage.events();
        let waits = events.iter().filter_map(|event| match &event.data {
            EventData::LlmWait(wait) => Some((wait.reason, wait.duration, wait.next_attempt)),
            _ => None,
        });
        let waits: Vec<_> = waits.collect();
        assert_eq!(waits, [(WaitReason::RetryAfter, wish, 2), (WaitReason::RetryAfter, wish, 3)]);
        let attempts = events.iter().filter_map(|event| match &event.data {
            EventData::LlmAttempt(attempt) => Some((attempt.http_status, attempt.retry_after)),
            _ => None,
        });
        let attempts: Vec<_> = attempts.collect();
        assert_eq!(attempts, [(Some(429), Some(wish)), (Some(429), Some(wish)), (Some(200), None)]);
    }
}

#[tokio::test]
async fn a_wish_to_wait_too_long_ends_the_call() {
    let sim = failing(
        FaultPlan::none().always(Fault::RateLimited { retry_after: Duration::from_secs(600) }),
    );
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let played = play(&lm).await;
    let error = played.result.unwrap_err();
    assert_eq!((error.attempts(), error.retry_after()), (1, Some(Duration::from_secs(600))));
    assert_eq!(played.stage.count(EventName::LlmWait), 0);
}

#[tokio::test]
async fn a_stalled_provider_is_given_up_in_time() {
    let sim = failing(FaultPlan::none().always(Fault::Stall));
    let calls = [false, true].map(|stream| {
        let lm = Wire::OpenAi.lm(&sim).stream(stream).timeout(Duration::from_millis(80));
        let lm = lm.retry(RetryPolicy { attempts: 2, ..fast_retries() }).build().unwrap();
        async move { play(&lm).await }
    });
    for played in glassbox::join_all(calls).await {
        let row = played.row();
        assert_eq!(row.calls, "chat error timeout [attempt 1 (timeout); attempt 2 (timeout)]");
        assert_eq!(row.used, "unknown tokens, unknown cost");
        let error = played.result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.is_retryable());
        assert!(
            error
                .to_string()
                .contains("no answer within 80ms; raise the timeout with `.timeout(..)`"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_stall_is_survived_by_a_second_attempt() {
    let sim = failing(FaultPlan::none().on_request(1, Fault::Stall));
    let lm = Wire::Anthropic.lm(&sim).timeout(Duration::from_secs(1)).build().unwrap();
    let row = play(&lm).await.row();
    assert_eq!(
        (row.caller.as_str(), row.calls.as_str()),
        ("the answer", "chat [attempt 1 (timeout)]")
    );
}

#[tokio::test]
async fn a_call_that_is_given_up_keeps_what_had_come() {
    let pace = Latency { per_token: Duration::from_millis(20), ..Latency::none() };
    let faults = FaultPlan::none().on_request(1, Fault::ServerError(500));
    let sim =
        Sim::builder().latency(pace).script(Script::coffee_shop()).faults(faults).start().unwrap();
    let (stage, budget) = (Stage::new(), Budget::calls(5));
    let lm = Wire::Anthropic.lm(&sim).stream(true).build().unwrap();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    let has_begun = Arc::new(Notify::new());
    let begins = Arc::clone(&has_begun);
    let _subscription = stage.bus.on("llm.first_chunk", move |_| begins.notify_one()).unwrap();

    let call = stage.scope().gate(budget.clone()).run(barista.call(latte()));
    tokio::select! {
        _ = call => panic!("it takes seconds"),
        () = async { has_begun.notified().await; sleep(Duration::from_millis(60)).await } => (),
    }
    let call = stage.generations().remove(0);
    assert_eq!(call.status, Status::error("cancelled", "the call was cancelled before it ended"));
    // Anthropic tells the input at the beginning, and the output at the end.
    assert_eq!(used(&call), "tokens, unknown cost");
    let known = generation(&call);
    assert!(known.usage.input > Some(0) && known.usage.output.is_none());
    // How much has come by then depends on the machine; the first chunk has.
    let (text, beginning) = (known.output.as_ref().unwrap().to_text(), "{\"reasoning\":");
    assert!(
        !text.is_empty() && (text.starts_with(beginning) || beginning.starts_with(&text)),
        "{text}"
    );
    assert!(known.first_chunk.is_some() && known.backoff_wait > Duration::ZERO);
    // It may be charged for, so the budget counts it.
    assert_eq!((known.attempts, budget.spent().calls, budget.reserved().calls), (2, 2, 0));
}

#[tokio::test]
async fn what_nobody_tells_is_unknown_and_never_zero() {
    // Also after an attempt that is known to have cost nothing.
    let sim =
        failing(FaultPlan::none().on_request(1, Fault::ServerError(500)).always(Fault::NoUsage));
    for (way, lm) in all_ways(&sim) {
        sim.clear();
        let played = play(&lm).await;
        let row = played.row();
        assert_eq!(
            (row.calls.as_str(), row.used.as_str()),
            ("chat [attempt 1 (500)]", "unknown tokens, unknown cost"),
            "{way}"
        );
        let reply = played.result.unwrap();
        assert!(reply.usage().is_unknown() && reply.cost().is_unknown(), "{way}");
        assert_eq!(reply.cost().to_string(), "unknown");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_told_to_the_model_once() {
    let sim = failing(FaultPlan::none().on_request(1, Fault::Prose));
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let played = play(&lm).await;
    let reply = played.result.unwrap();
    assert!(reply.friendly_response.starts_with("Good morning!"));

    // The second question holds the first answer and what is wrong with it.
    let messages = sim.requests()[1].json()["messages"].clone();
    let roles: Vec<_> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    let told = messages[3]["content"].as_str().unwrap();
    assert!(
        told.starts_with("Your answer could not be read: expected a JSON object, found"),
        "{told}"
    );

    // Both calls are paid for, and the span says why there are two.
    let calls = played.stage.generations();
    let [first, second] = [generation(&calls[0]), generation(&calls[1])];
    assert_eq!(reply.usage(), first.usage + second.usage);
    assert_eq!(reply.cost(), first.cost + second.cost);
    let module = played.stage.span("ChainOfThought(CoffeeShop)");
    let notes: Vec<_> = module.notes.iter().map(|note| (&*note.name, &*note.message)).collect();
    assert_eq!(notes[0].0, "adapter.parse_error");
    assert_eq!(notes[1].0, "adapter.repair");
    assert!(
        notes[1].1.starts_with("the model corrected its answer when told: expected a JSON object"),
        "{notes:?}"
    );
    assert_eq!(played.stage.count(EventName::AdapterParseError), 1);
    assert_eq!(played.stage.count(EventName::AdapterRepair), 1);
}

#[tokio::test]
async fn nobody_asks_again_who_was_told_not_to() {
    let sim = failing(FaultPlan::none().on_request(1, Fault::Prose));
    let stage = Stage::new();
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm).ask_again(false);
    let error = stage.scope().run(barista.call(latte())).await.unwrap_err();
    assert_eq!((error.kind(), sim.counters().calls), (ErrorKind::Parse, 1));
    assert!(!error.usage().is_unknown() && !error.cost().is_unknown());
}
