//! The live stream: one line an event, as it happens.

use super::steps::is_turn;
use super::{Args, words};
use crate::paint::{self, Ink, Paint};
use glassbox::event::{CodeExecution, ReactIteration};
use glassbox::trace::span::{self, Span, Status};
use glassbox::{Bus, Event, EventData, EventReceiver};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The most lines of code, and of what it printed, that are shown.
const CODE_LINES: usize = 16;

/// How often progress is told.
const SOONEST: Duration = Duration::from_millis(500);
const LATEST: Duration = Duration::from_secs(5);

/// How many events may wait to be printed.
const CAPACITY: usize = 100_000;

/// How much of what happens is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Every event.
    All,
    /// Every event but the beginnings and ends of turns, which an event of their own tells.
    Steps,
    /// What came of tools, turns and agents, waits, and what failed.
    Outcomes,
    /// A count, now and then.
    Progress,
}

impl Detail {
    fn shows(self, event: &Event) -> bool {
        let module = |span: &Span| self == Self::All || !is_turn(&span.name);
        match &event.data {
            EventData::ModuleError(_) => true,
            EventData::ModuleStart(span) => module(span) && self != Self::Outcomes,
            EventData::ModuleComplete(span) => module(span),
            EventData::LlmAttempt(attempt) => self != Self::Outcomes || attempt.failed.is_some(),
            EventData::LlmRequest(_)
            | EventData::LlmFirstChunk(_)
            | EventData::LlmGenerate(_)
            | EventData::ToolStart(_) => self != Self::Outcomes,
            _ => true,
        }
    }
}

/// Prints events on a thread of its own until it is told to finish.
#[derive(Debug)]
pub(crate) struct Stream {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Stream {
    pub(crate) fn start(paint: Paint, args: &Args) -> anyhow::Result<Self> {
        let customers = args.customers();
        let detail = args.scene.detail(customers);
        let events = Bus::global().channel("*", CAPACITY)?;
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let thread = std::thread::Builder::new().name("stream".to_owned()).spawn(move || {
            if detail == Detail::Progress {
                progress(&events, &told, customers)
            } else {
                lines(&events, &told, paint, detail)
            }
        })?;
        Ok(Self { ending, thread })
    }

    /// Prints what is left and ends.
    pub(crate) fn finish(self) {
        self.ending.store(true, Ordering::Relaxed);
        // Had the printing panicked, its message would stand on the terminal already.
        let _ = self.thread.join();
    }
}

/// Calls `take` for each event until the end is told and nothing is left.
fn drain(events: &EventReceiver, ending: &AtomicBool, mut take: impl FnMut(Option<&Event>)) {
    loop {
        let last = ending.load(Ordering::Relaxed);
        match events.recv_timeout(Duration::from_millis(50)) {
            Some(event) => take(Some(&event)),
            None if last => return,
            None => take(None),
        }
    }
}

fn lines(events: &EventReceiver, ending: &AtomicBool, paint: Paint, detail: Detail) {
    let heading = format!(
        "{:<12}  {:<6}  {:<35} {:<26} {:<12} {:>7} {:>9} {:>7}",
        "time", "trace", "event", "module", "model", "tokens", "cost", "took"
    );
    println!("{}", paint.paint(Ink::Faint, &heading));
    drain(events, ending, |event| {
        let Some(event) = event.filter(|event| detail.shows(event)) else { return };
        println!("{}", line(event, paint));
        if let EventData::CodeActExecution(run) = &event.data {
            code(run, paint);
        }
    });
}

fn arguments(span: &Span) -> String {
    words::arguments(span.input.as_ref().map(|input| input.render()).as_ref())
}

fn outcome(span: &Span) -> String {
    let error = match &span.status {
        Status::Error(error) => Some((&*error.kind, &*error.message)),
        Status::Ok => None,
    };
    words::outcome(error, span.output.as_ref().map(|output| output.render()).as_ref())
}

/// Counts what ends, and says so: twice a second, and less often when it takes long.
fn progress(events: &EventReceiver, ending: &AtomicBool, customers: u64) {
    let (mut served, mut failed, mut waits) = (0_u64, 0_u64, 0_u64);
    let (began, mut told) = (Instant::now(), Instant::now());
    drain(events, ending, |event| {
        match event.map(|event| (&event.data, event.span.parent.is_none())) {
            Some((EventData::ModuleComplete(_), true)) => served += 1,
            Some((EventData::ModuleError(_), true)) => failed += 1,
            Some((EventData::LlmWait(_), _)) => waits += 1,
            _ => (),
        }
        if told.elapsed() >= (began.elapsed() / 10).clamp(SOONEST, LATEST) {
            told = Instant::now();
            println!(
                "  {served} of {} calls done, {failed} failed, {waits} waits",
                customers + customers.min(4)
            );
        }
    });
}

fn line(event: &Event, paint: Paint) -> String {
    let trace = trace_colour(&event.span.trace_id.short(), paint);
    let name = paint.paint(ink(event), &format!("{:<35}", event.name().as_str()));
    let module = paint::short(&event.span.name, 26);
    let mut line = format!("{}  {trace}  {name} {module:<26} ", paint::clock(event.at));
    line.push_str(&facts(event, paint));
    line.trim_end().to_owned()
}

/// Writes the columns that an event has, or its own words.
fn facts(event: &Event, paint: Paint) -> String {
    match &event.data {
        EventData::LlmWait(wait) => format!(
            "waits {} ({:?}) before attempt {}",
            paint::duration(wait.duration),
            wait.reason,
            wait.next_attempt
        ),
        EventData::LlmAttempt(attempt) => {
            let outcome = attempt.failed.as_ref().map_or("ok", |span| error_kind(span));
            format!("attempt {} {outcome} in {}", attempt.number, paint::duration(attempt.duration))
        }
        EventData::LlmFirstChunk(chunk) => {
            format!("first chunk after {}", paint::duration(chunk.after))
        }
        EventData::LlmFallback(fallback) => {
            format!("{} instead of {}", fallback.to, fallback.from)
        }
        EventData::AdapterFallback(fallback) => {
            format!("from {} to {}", fallback.from, fallback.to)
        }
        EventData::AdapterParseError(error) => paint::short(&error.message, 80),
        EventData::AdapterRepair(repair) => paint::short(&repair.repair, 80),
        EventData::ReasoningComplete(complete) => quoted(&complete.reasoning, paint),
        EventData::BudgetThreshold(threshold) => {
            format!("{} of {:?} is {} % spent", threshold.budget, threshold.unit, threshold.percent)
        }
        EventData::BudgetExceeded(exceeded) => paint::short(&exceeded.to_string(), 80),
        EventData::RunStopped(stopped) => paint::short(stopped.reason(), 80),
        EventData::ToolStart(span) => arguments(span),
        EventData::ToolComplete(span) | EventData::ToolError(span) => tool_facts(span, paint),
        EventData::ReactIterationComplete(turn) => turn_facts(turn, paint),
        EventData::ReactMaxIterations(used_up) => format!("{} turns are used up", used_up.limit),
        EventData::CodeActIterationComplete(turn) => {
            let thought = turn.thought.as_deref().unwrap_or("no thought");
            let end = if turn.finished { "   finished" } else { "" };
            format!("{}{end}", quoted(thought, paint))
        }
        EventData::CodeActExecution(run) => {
            let limit = run.limit.iter().map(|limit| format!(", stopped at its limit of {limit}"));
            format!("ran for {}{}", paint::duration(run.duration), limit.collect::<String>())
        }
        _ => event.subject().map(|span| span_facts(span, paint)).unwrap_or_default(),
    }
}

fn span_facts(span: &Span, paint: Paint) -> String {
    let (mut model, mut tokens, mut cost) = (String::new(), String::new(), String::new());
    if let span::Detail::Generation(generation) = &span.detail {
        model = paint::short(&generation.request_model, 12);
        if span.end.is_some() {
            tokens = paint::count(generation.usage.total());
            cost = paint::cost(generation.cost);
        }
    }
    let took = span.duration().map(paint::duration).unwrap_or_default();
    let error = match &span.status {
        Status::Error(error) => paint
            .paint(Ink::Error, &format!("  {}: {}", error.kind, paint::short(&error.message, 60))),
        Status::Ok => String::new(),
    };
    format!("{model:<12} {tokens:>7} {cost:>9} {took:>7}{error}")
}

fn tool_facts(span: &Span, paint: Paint) -> String {
    let took = span.duration().map(paint::duration).unwrap_or_default();
    let ink = if span.status.is_error() { Ink::Error } else { Ink::Span };
    let outcome = outcome(span);
    paint.paint(ink, &format!("{} -> {outcome}   {took}", arguments(span)))
}

/// Writes what a turn of a ReAct agent came to: the thought, and the tools that it called.
fn turn_facts(turn: &ReactIteration, paint: Paint) -> String {
    let thought = turn.thought.iter().map(|thought| quoted(thought, paint) + "   ");
    let called = turn.calls.iter().map(|call| {
        format!("{}{}", words::plain(&call.tool, 24), if call.failed { " (failed)" } else { "" })
    });
    let called = called.collect::<Vec<_>>().join(", ");
    let end = if turn.finished { "finished" } else { "" };
    format!("{}{called}{end}", thought.collect::<String>())
}

fn quoted(text: &str, paint: Paint) -> String {
    paint.paint(Ink::Faint, &format!("“{}”", words::plain(text, 58)))
}

/// Shows code that a model wrote, and below it what it printed, gave or raised.
fn code(run: &CodeExecution, paint: Paint) {
    let block = |mark: &str, text: &str, ink: Ink| {
        for line in text.trim_end().lines().take(CODE_LINES) {
            // The indentation is Python's.
            let line: String = line.chars().filter(|char| !char.is_control()).take(110).collect();
            println!("{:>22} {}", mark, paint.paint(ink, &line));
        }
        let more = text.trim_end().lines().count().saturating_sub(CODE_LINES);
        if more > 0 {
            println!("{mark:>22} and {more} lines more");
        }
    };
    block("|", &run.code, Ink::Chain);
    block(">", &run.stdout, Ink::Span);
    if let Some(value) = &run.value {
        block("=", &value.to_string(), Ink::Bold);
    }
    block("!", run.error.as_deref().unwrap_or_default(), Ink::Error);
}

fn error_kind(span: &Span) -> &str {
    match &span.status {
        Status::Error(error) => &error.kind,
        Status::Ok => "ok",
    }
}

fn ink(event: &Event) -> Ink {
    match event.subject().map(|span| &span.status) {
        Some(Status::Error(_)) => Ink::Error,
        _ => match event.name().as_str().split('.').next() {
            Some("llm") => Ink::Generation,
            Some("chain_of_thought" | "react" | "codeact") => Ink::Chain,
            _ => Ink::Span,
        },
    }
}

/// The same colour for the same trace.
fn trace_colour(short: &str, paint: Paint) -> String {
    if !paint.colour {
        return short.to_owned();
    }
    let sum: u32 = short.bytes().map(u32::from).sum();
    format!("\x1b[38;5;{}m{short}\x1b[0m", 67 + sum % 120)
}
