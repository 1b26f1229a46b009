//! The fault table: what goes wrong at a destination or with the process, and the account of every span.
//!
//! Each row is a test, and all of them together are a table. Where a wait is only a wait it is shorter than in life; the
//! table tells both. Spans of the same name are the same span: what a receiver got twice counts once, and is told.

use crate::receiver::own_address;
use crate::spans::{child, end, quick};
use glassbox_events::bus::Bus;
use glassbox_telemetry::destination::{Compression, Destination, OtlpConfig};
use glassbox_telemetry::health::{DestinationHealth, DropReason};
use glassbox_telemetry::limits::Limits;
use glassbox_telemetry::observe::{Observe, Observing};
use glassbox_telemetry::processor::AsyncSpanProcessor;
use glassbox_telemetry::spool::SpoolConfig;
use glassbox_trace::span::Span;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use receiver::{Act, Faulty};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

mod process;
mod receiver;

const PATIENCE: Duration = Duration::from_secs(30);

/// How many spans most rows have.
const fn count() -> usize {
    3000
}

fn named(name: &str) -> Span {
    child(name)
}

fn limits() -> Limits {
    // A busy machine is none of the faults.
    let request_timeout = PATIENCE;
    Limits { longest_backoff: Duration::from_millis(100), request_timeout, ..quick() }
}

/// A line of the table.
struct Row {
    fault: &'static str,
    spool: bool,
    ended: u64,
    health: DestinationHealth,
    /// Different spans that the receiver has.
    received: usize,
    /// It has some of them more than once.
    again: bool,
    /// It may have: a request that was given up on may have arrived all the same.
    may_repeat: bool,
    /// What may be lost.
    promise: &'static str,
}

impl Row {
    /// Checks what holds of every row: what was exported is there, and all else is on disk or counted.
    fn of(
        fault: &'static str,
        spool: bool,
        ended: usize,
        processor: &AsyncSpanProcessor,
        receiver: &Faulty,
    ) -> Self {
        let health = processor.health().destinations.remove(0);
        assert!(health.is_balanced(), "{fault}: {health:?}");
        let taken = receiver.taken();
        let names: HashSet<_> = taken
            .iter()
            .map(|span| &span.name)
            .filter(|name| !name.starts_with("nobody"))
            .collect();
        let again =
            taken.iter().filter(|span| !span.name.starts_with("nobody")).count() > names.len();
        let row = Self {
            fault,
            spool,
            ended: ended as u64,
            received: names.len(),
            again,
            may_repeat: false,
            health,
            promise: "none",
        };
        assert!(row.received as u64 >= row.health.exported.min(row.ended), "{row}");
        row
    }

    fn may_repeat(self) -> Self {
        Self { may_repeat: true, ..self }
    }

    /// Spans that are nowhere.
    fn lost(&self) -> u64 {
        self.ended - self.received as u64 - self.health.spooled
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { fault, spool, ended, health, received, may_repeat, promise, .. } = self;
        let DestinationHealth { exported, spooled, dropped, .. } = health;
        let (spool, again) =
            (if *spool { "yes" } else { "no" }, if *may_repeat { "may" } else { "-" });
        let (dropped, lost) = (dropped.to_string(), self.lost());
        write!(
            f,
            "{fault:<62} {spool:<5} {ended:>5} {exported:>8} {spooled:>7} {dropped:<16} {received:>8} {again:<5} {lost:>4} of {promise}"
        )
    }
}

fn destination(url: &str) -> Destination {
    let config = OtlpConfig { compression: Compression::None, ..OtlpConfig::new(url) };
    Destination::otlp(config).unwrap().limits(limits())
}

fn observe(destination: Destination, spool: Option<&TempDir>) -> Observing {
    let observe = Observe::new().bus(&Bus::new()).destination(destination);
    let spool = spool.map(|folder| SpoolConfig::new(folder.path()));
    observe.flush_deadline(Duration::from_secs(1)).spool(spool).start().unwrap()
}

fn end_some(observing: &Observing, range: std::ops::Range<usize>) {
    for number in range {
        end(observing, named(&number.to_string()));
    }
}

/// Ends spans for a time, as a program would, and exports them all.
fn live_through(
    fault: &'static str,
    receiver: &Faulty,
    spool: bool,
    time: Duration,
) -> (Row, Observing) {
    let folder = spool.then(|| tempdir().unwrap());
    // With one request at a time, it is known which comes after which.
    let limits = Limits { requests: 1, ..limits() };
    let observing = observe(destination(&receiver.url).limits(limits), folder.as_ref());
    for hundred in 0..count() / 100 {
        end_some(&observing, hundred * 100..(hundred + 1) * 100);
        std::thread::sleep(time / 30);
    }
    let _ = observing.flush_blocking(PATIENCE);
    (Row::of(fault, spool, count(), observing.processor(), receiver), observing)
}

fn delivered(row: Row) -> Row {
    assert_eq!((row.lost(), row.health.dropped.total()), (0, 0), "{row}");
    assert_eq!((row.received as u64, row.health.spooled), (row.ended, 0), "{row}");
    row
}

fn down_then_up(fault: &'static str, spool: bool) -> Row {
    let address = own_address();
    let coming_up = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        Faulty::at(TcpListener::bind(address).unwrap(), |_| Act::Take)
    });
    let folder = spool.then(|| tempdir().unwrap());
    let observing = observe(destination(&format!("http://{address}/v1/traces")), folder.as_ref());
    for hundred in 0..count() / 100 {
        end_some(&observing, hundred * 100..(hundred + 1) * 100);
        std::thread::sleep(Duration::from_secs(2) / 30);
    }
    let receiver = coming_up.join().unwrap();
    observing.flush_blocking(PATIENCE).unwrap();
    delivered(Row::of(fault, spool, count(), observing.processor(), &receiver))
}

fn unavailable(fault: &'static str, spool: bool) -> Row {
    let receiver = Faulty::start(|request| match request.age {
        age if age < Duration::from_secs(1) => Act::Refuse(503, ""),
        _ => Act::Take,
    });
    delivered(live_through(fault, &receiver, spool, Duration::from_secs(1)).0)
}

fn throttled(fault: &'static str, spool: bool) -> Row {
    let receiver = Faulty::start(|request| match request.number {
        0 => Act::Refuse(429, "retry-after: 2\r\n"),
        _ => Act::Take,
    });
    let (row, _) = live_through(fault, &receiver, spool, Duration::from_millis(300));
    let requests = receiver.requests();
    let pause = requests[1] - requests[0];
    assert!(pause >= Duration::from_secs(2), "the pause is kept: {pause:?}");
    delivered(row)
}

fn too_large(fault: &'static str) -> Row {
    let receiver = Faulty::start(|request| match request.size {
        size if size > 1_000_000 => Act::Refuse(413, ""),
        _ => Act::Take,
    });
    let mut limits = limits();
    limits.batch_bytes = 8 << 20;
    let observing = observe(destination(&receiver.url).limits(limits), None);
    for number in 0..200 {
        let input = Some("x".repeat(20_000).into());
        end(&observing, Span { input, ..named(&number.to_string()) });
    }
    let payload = || Some(serde_json::json!({ "pages": ["y".repeat(900_000)] }).into());
    end(&observing, Span { input: payload(), output: payload(), ..named("giant") });
    observing.flush_blocking(PATIENCE).unwrap();

    let taken = receiver.taken();
    let giant = taken.iter().find(|span| span.name == "giant").unwrap();
    let attribute = |key: &str| {
        let found = giant.attributes.iter().find(|attribute| attribute.key == key);
        found.and_then(|attribute| attribute.value.clone()?.value)
    };
    let Some(Value::IntValue(limit)) = attribute("glassbox.payload_limit") else {
        panic!("{giant:?}");
    };
    assert!((100_000..500_000).contains(&limit), "{limit}");
    let Some(Value::StringValue(input)) = attribute("input.value") else { panic!("{giant:?}") };
    assert!(serde_json::from_str::<serde_json::Value>(&input).is_ok() && input.len() > 100_000);
    let marked = |span: &&opentelemetry_proto::tonic::trace::v1::Span| {
        span.attributes.iter().any(|attribute| attribute.key == "glassbox.payload_limit")
    };
    assert_eq!(taken.iter().filter(marked).count(), 1, "no other span lost anything");
    delivered(Row::of(fault, false, 201, observing.processor(), &receiver))
}

fn poisoned(fault: &'static str, spool: bool) -> Row {
    let is_poison = |name: &str| name == "4321";
    let receiver = Faulty::start(move |request| {
        match request.spans.iter().any(|span| is_poison(&span.name)) {
            true => Act::Refuse(400, ""),
            false => Act::Take,
        }
    });
    let folder = spool.then(|| tempdir().unwrap());
    let observing = observe(destination(&receiver.url), folder.as_ref());
    end_some(&observing, 0..5000);
    observing.flush_blocking(PATIENCE).unwrap_err();
    let row = Row::of(fault, spool, 5000, observing.processor(), &receiver);
    assert_eq!((row.lost(), row.health.dropped.of(DropReason::Rejected)), (1, 1), "{row}");
    Row { promise: "that one", ..row }
}

fn reset(fault: &'static str, spool: bool) -> Row {
    let receiver = Faulty::start(|request| match request.number {
        number if number % 3 != 2 && number < 15 => Act::Reset,
        _ => Act::Take,
    });
    delivered(live_through(fault, &receiver, spool, Duration::from_millis(300)).0)
}

/// Never answers while a first process runs, and answers the next one.
fn hung(fault: &'static str, spool: bool) -> Row {
    let recovers = Arc::new(AtomicBool::new(false));
    let recovered = Arc::clone(&recovers);
    let receiver = Faulty::start(move |_| match recovered.load(Ordering::Relaxed) {
        true => Act::Take,
        false => Act::Hang,
    });
    let folder = tempdir().unwrap();
    let impatient = Limits { request_timeout: Duration::from_millis(200), ..limits() };
    let destination = destination(&receiver.url);
    let observing = observe(destination.clone().limits(impatient), spool.then_some(&folder));
    let processor = Arc::clone(observing.processor());
    end_some(&observing, 0..count());
    let began = Instant::now();
    drop(observing);
    let took = began.elapsed();
    assert!(took < Duration::from_millis(1200), "longer than the deadline of 1 s: {took:?}");
    if !spool {
        let row = Row::of(fault, spool, count(), &processor, &receiver);
        assert_eq!(row.health.dropped.of(DropReason::Shutdown), count() as u64, "{row}");
        return Row { promise: "all, and told", ..row };
    }
    let health = processor.health().destinations.remove(0);
    assert_eq!((health.spooled, health.dropped.total()), (count() as u64, 0), "{health:?}");

    recovers.store(true, Ordering::Relaxed);
    let next = observe(destination, Some(&folder));
    wait_for(|| next.health().destinations[0].exported >= count() as u64);
    delivered(Row::of(fault, spool, count(), next.processor(), &receiver)).may_repeat()
}

/// Refuses the credentials for a time; then somebody has corrected them.
fn unauthorized(fault: &'static str, spool: bool) -> Row {
    let corrected = Arc::new(AtomicBool::new(false));
    let is_corrected = Arc::clone(&corrected);
    let receiver = Faulty::start(move |_| match is_corrected.load(Ordering::Relaxed) {
        true => Act::Take,
        false => Act::Refuse(401, ""),
    });
    let folder = spool.then(|| tempdir().unwrap());
    let mut limits = limits();
    limits.refusal_pause = Duration::from_millis(600);
    let observing = observe(destination(&receiver.url).limits(limits), folder.as_ref());
    end_some(&observing, 0..1000);
    let health = || observing.health().destinations.remove(0);
    wait_for(|| health().is_unauthorized);
    std::thread::sleep(Duration::from_millis(1000));
    end_some(&observing, 1000..count());
    let refused = receiver.requests().len();
    assert!(refused <= 2 + 4, "asked again too often: {refused}");
    corrected.store(true, Ordering::Relaxed);
    wait_for(|| !health().is_unauthorized);
    let _ = observing.flush_blocking(PATIENCE);
    // Without a spool, what was on its way when it was refused has waited in memory, and what came later in the queue.
    delivered(Row::of(fault, spool, count(), observing.processor(), &receiver))
}

fn dripping(fault: &'static str, spool: bool) -> Row {
    // The first answers take longer than a request may.
    let receiver = Faulty::start(|request| match request.number {
        0 | 1 => Act::Drip(Duration::from_millis(50)),
        _ => Act::Drip(Duration::from_micros(200)),
    });
    let folder = spool.then(|| tempdir().unwrap());
    let mut limits = limits();
    limits.request_timeout = Duration::from_millis(400);
    limits.requests = 1;
    let observing = observe(destination(&receiver.url).limits(limits), folder.as_ref());
    end_some(&observing, 0..count());
    let _ = observing.flush_blocking(PATIENCE);
    delivered(Row::of(fault, spool, count(), observing.processor(), &receiver)).may_repeat()
}

fn killed(fault: &'static str) -> Row {
    let address = own_address();
    let url = format!("http://{address}/v1/traces");
    let folder = tempdir().unwrap();
    let mut child = process::start("is killed", &url, Some(folder.path()));
    process::wait_until_said(&mut child, "spooled");
    child.kill().unwrap();
    child.wait().unwrap();
    // It may have been killed between two records: here is half of one.
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    OpenOptions::new().append(true).open(file).unwrap().write_all(&[9; 30]).unwrap();

    let receiver = Faulty::at(TcpListener::bind(address).unwrap(), |_| Act::Take);
    let next = observe(destination(&url), Some(&folder));
    // A flush waits for one's own spans alone.
    wait_for(|| {
        let health = next.health().destinations.remove(0);
        health.exported >= count() as u64 && health.spooled == 0
    });
    let _ = next.flush_blocking(PATIENCE);
    let mut row = Row::of(fault, true, count(), next.processor(), &receiver);
    assert!(row.health.recovered >= count() as u64, "{:?}", row.health);
    // It had written some of those that nobody waits for too.
    row.health.exported = row.health.exported.min(row.ended);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left on disk");
    delivered(row)
}

fn restarted(fault: &'static str) -> Row {
    let address = own_address();
    let url = format!("http://{address}/v1/traces");
    let folder = tempdir().unwrap();
    let mut first = process::start("ends at once", &url, Some(folder.path()));
    assert!(first.wait().unwrap().success());
    let receiver = Faulty::at(TcpListener::bind(address).unwrap(), |_| Act::Take);
    let mut second = process::start("runs again", &url, Some(folder.path()));
    assert!(second.wait().unwrap().success());
    process_row(fault, true, &receiver)
}

fn ends(fault: &'static str, program: &str) -> Row {
    let receiver = Faulty::start(|_| Act::Take);
    let mut child = process::start(program, &receiver.url, None);
    child.wait().unwrap();
    process_row(fault, false, &receiver)
}

/// The health of a process that has ended is not known: what the receiver has must be all.
fn process_row(fault: &'static str, spool: bool, receiver: &Faulty) -> Row {
    let observing = observe(destination(&receiver.url), None);
    let mut row = Row::of(fault, spool, count(), observing.processor(), receiver);
    row.health.exported = row.received as u64;
    delivered(row)
}

fn one_of_two_dead(fault: &'static str) -> Row {
    let (alive, dead) = (Faulty::start(|_| Act::Take), Faulty::start(|_| Act::Hang));
    let folder = tempdir().unwrap();
    let observing = Observe::new()
        .bus(&Bus::new())
        .destination(destination(&alive.url))
        .destination(destination(&dead.url).named("dead"))
        .flush_deadline(Duration::from_secs(1))
        .spool(SpoolConfig::new(folder.path()))
        .start()
        .unwrap();
    let began = Instant::now();
    end_some(&observing, 0..count());
    wait_for(|| observing.health().destinations[0].exported == count() as u64);
    assert!(began.elapsed() < Duration::from_secs(5), "held up by the other one");
    let processor = Arc::clone(observing.processor());
    drop(observing);
    let dead = processor.health().destinations.remove(1);
    assert_eq!((dead.spooled, dead.dropped.total()), (count() as u64, 0), "{dead:?}");
    delivered(Row::of(fault, true, count(), &processor, &alive))
}

fn wait_for(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

macro_rules! faults {
    ($($name:ident: $row:expr;)*) => {
        $(#[test] fn $name() { $row; })*

        /// All rows at a time: they mostly wait.
        #[test]
        fn the_table() {
            let rows = std::thread::scope(|scope| {
                let rows = [$(scope.spawn(|| $row)),*];
                rows.map(|row| row.join().unwrap())
            });
            let mut table = format!(
                "{:<62} {:<5} {:>5} {:>8} {:>7} {:<16} {:>8} {:<5} {:>4} {}\n",
                "fault", "spool", "ended", "exported", "spooled", "dropped", "received", "again", "lost", "of at most"
            );
            for row in rows {
                assert!(!row.again || row.may_repeat, "sent more than once: {row}");
                writeln!(table, "{row}").unwrap();
            }
            println!("{table}");
            insta::assert_snapshot!(table);
        }
    };
}

faults! {
    down_then_up_in_memory: down_then_up("down for 60 s (here 2 s), then up", false);
    down_then_up_on_disk: down_then_up("down for 60 s (here 2 s), then up", true);
    unavailable_in_memory: unavailable("503 for 30 s (here 1 s)", false);
    unavailable_on_disk: unavailable("503 for 30 s (here 1 s)", true);
    throttled_in_memory: throttled("429 with Retry-After: 2", false);
    throttled_on_disk: throttled("429 with Retry-After: 2", true);
    too_large_for_one_request: too_large("413 over 1 MB, one span of 1.8 MB among them");
    one_poison_span: poisoned("400 for one span in 5,000", false);
    one_poison_span_on_disk: poisoned("400 for one span in 5,000", true);
    resets_in_memory: reset("the connection is reset in mid-body, ten times", false);
    resets_on_disk: reset("the connection is reset in mid-body, ten times", true);
    hung_in_memory: hung("never answers (timeout 10 s, here 0.2 s), end in time", false);
    hung_on_disk: hung("never answers, end in time, next run", true);
    unauthorized_on_disk: unauthorized("401 for an hour (here 1 s), asked each minute (here 0.6 s)", true);
    drips_in_memory: dripping("answers drip, two longer than 10 s (here 0.4 s)", false);
    drips_on_disk: dripping("answers drip, two longer than 10 s (here 0.4 s)", true);
    killed_and_restarted: killed("kill -9 while writing, half a record at the end, next run");
    ended_while_down: restarted("down when the process ends, up when the next one runs");
    one_dead_of_two: one_of_two_dead("two destinations, the other one never answers");
    ends_right_after_the_last_span: ends("exit right after the last span", "ends at once");
    ends_by_a_panic: ends("panic, the guard is dropped while it unwinds", "panics");
    ends_in_a_drop: ends("the guard is dropped by a runtime that shuts down", "ends inside of a runtime");
}

#[test]
fn unauthorized_in_memory() {
    unauthorized("401, without a spool", false);
}
