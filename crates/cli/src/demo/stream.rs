//! The live stream: one line an event, as it happens.

use crate::paint::{self, Ink, Paint};
use glassbox::trace::span::{Detail, Span, Status};
use glassbox::{Bus, Event, EventData, EventReceiver};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// With more customers than this, the stream is a line of progress now and then.
const ALL_LINES: u64 = 12;

/// How often progress is told.
const SOONEST: Duration = Duration::from_millis(500);
const LATEST: Duration = Duration::from_secs(5);

/// How many events may wait to be printed.
const CAPACITY: usize = 100_000;

/// Prints events on a thread of its own until it is told to finish.
#[derive(Debug)]
pub(crate) struct Stream {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Stream {
    pub(crate) fn start(paint: Paint, customers: u64) -> anyhow::Result<Self> {
        let events = Bus::global().channel("*", CAPACITY)?;
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let thread = std::thread::Builder::new().name("stream".to_owned()).spawn(move || {
            if customers <= ALL_LINES {
                lines(&events, &told, paint)
            } else {
                progress(&events, &told, customers)
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

fn lines(events: &EventReceiver, ending: &AtomicBool, paint: Paint) {
    let heading = format!(
        "{:<12}  {:<6}  {:<35} {:<26} {:<12} {:>7} {:>9} {:>7}",
        "time", "trace", "event", "module", "model", "tokens", "cost", "took"
    );
    println!("{}", paint.paint(Ink::Faint, &heading));
    drain(events, ending, |event| {
        if let Some(event) = event {
            println!("{}", line(event, paint));
        }
    });
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
        EventData::ReasoningComplete(complete) => {
            paint.paint(Ink::Faint, &format!("“{}”", paint::short(&complete.reasoning, 58)))
        }
        EventData::BudgetThreshold(threshold) => {
            format!("{} of {:?} is {} % spent", threshold.budget, threshold.unit, threshold.percent)
        }
        EventData::BudgetExceeded(exceeded) => paint::short(&exceeded.to_string(), 80),
        EventData::RunStopped(stopped) => paint::short(stopped.reason(), 80),
        _ => event.subject().map(|span| span_facts(span, paint)).unwrap_or_default(),
    }
}

fn span_facts(span: &Span, paint: Paint) -> String {
    let (mut model, mut tokens, mut cost) = (String::new(), String::new(), String::new());
    if let Detail::Generation(generation) = &span.detail {
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
            Some("chain_of_thought") => Ink::Chain,
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
