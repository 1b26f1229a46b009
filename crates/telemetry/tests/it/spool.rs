//! Spans on disk, while a destination does not take them: what is written, what is told, and what comes back.

use crate::logs;
use crate::receiver::Receiver;
use crate::spans::{child, end, end_many, health, otlp, quick, root};
use glassbox_events::bus::Bus;
use glassbox_telemetry::destination::{Compression, Destination, OtlpConfig, Protocol};
use glassbox_telemetry::health::{DropReason, HealthChange};
use glassbox_telemetry::limits::Limits;
use glassbox_telemetry::mask::Masking;
use glassbox_telemetry::observe::{Observe, Observing};
use glassbox_telemetry::spool::SpoolConfig;
use glassbox_trace::payload::Payload;
use glassbox_trace::span::{Span, Status};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::tempdir;

const PATIENCE: Duration = Duration::from_secs(8);

fn observe(destination: Destination, spool: SpoolConfig) -> Observing {
    let observe = Observe::new().bus(&Bus::new()).destination(destination).spool(spool);
    observe.flush_deadline(Duration::from_millis(500)).start().unwrap()
}

/// A receiver whose status can be changed.
fn switched(status: u16) -> (Receiver, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(status));
    let switch = Arc::clone(&status);
    (Receiver::start(move |_, _| switch.load(Ordering::Relaxed).into()), status)
}

fn wait_for(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn bytes_in(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).into_iter().flatten();
    files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn spans_are_on_disk_within_moments_and_come_back() {
    logs::keep();
    let folder = tempdir().unwrap();
    let (receiver, status) = switched(503);
    let observing = observe(otlp(&receiver).named("flaky"), SpoolConfig::new(folder.path()));
    let mut events = observing.health_events();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is made in advance");
    end_many(&observing, 10);
    wait_for(|| health(&observing).spooled == 10);
    end_many(&observing, 10);
    wait_for(|| health(&observing).spooled == 20);
    let error = observing.flush_blocking(Duration::from_millis(200)).unwrap_err();
    let flushed = &error.report().destinations[0];
    assert_eq!((flushed.exported, flushed.lost, flushed.pending), (0, 0, 0), "{error}");
    assert_eq!(flushed.spooled, 20);
    assert_eq!(error.to_string(), "flaky: 20 spans kept on disk (503 Service Unavailable)");

    status.store(200, Ordering::Relaxed);
    observing.flush_blocking(PATIENCE).unwrap();
    let health = health(&observing);
    assert_eq!((health.exported, health.spooled, health.recovered), (20, 0, 0));
    assert_eq!(receiver.accepted().len(), 20);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
    drop(observing);

    let logged = logs::about("flaky");
    assert!(logged[0].1.starts_with("flaky does not take spans, they are kept in "), "{logged:?}");
    assert_eq!((logged.len(), logged[1].1.as_str()), (2, "flaky answers again"), "{logged:?}");
    let error = "503 Service Unavailable".into();
    assert_eq!(events.try_next().unwrap().change, HealthChange::Down { error });
    assert_eq!(events.try_next().unwrap().to_string(), "flaky answers again");
    assert_eq!(events.try_next(), None);
}

#[test]
fn what_is_written_is_masked_first() {
    const SECRET: &str = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD";
    for protocol in [Protocol::HttpProtobuf, Protocol::HttpJson] {
        let folder = tempdir().unwrap();
        let (receiver, status) = switched(503);
        let config = OtlpConfig {
            protocol,
            compression: Compression::None,
            ..OtlpConfig::new(receiver.traces_url())
        };
        let destination = Destination::otlp(config).unwrap().limits(quick());
        let observing = Observe::new()
            .bus(&Bus::new())
            .destination(destination)
            .spool(SpoolConfig::new(folder.path()))
            .masking(Masking::secrets())
            .start()
            .unwrap();
        end(
            &observing,
            Span {
                input: Some(format!("my key is {SECRET}").into()),
                status: Status::error("denied", format!("{SECRET} is refused")),
                ..root("visible name")
            },
        );
        wait_for(|| health(&observing).spooled == 1);
        let written = bytes_in(folder.path());
        let holds = |text: &str| written.windows(text.len()).any(|at| at == text.as_bytes());
        assert!(holds("visible name") && holds("my key is") && !holds(SECRET));
        status.store(200, Ordering::Relaxed);
        observing.flush_blocking(PATIENCE).unwrap();
        let requests = receiver.requests();
        let sent = format!("{:?}", requests.last().unwrap().export);
        assert!(sent.contains("my key is") && !sent.contains(SECRET), "{sent}");
    }
}

#[test]
fn what_memory_should_not_hold_goes_to_the_disk() {
    let folder = tempdir().unwrap();
    let (go, may_go) = sync_channel::<()>(1);
    let may_go = Mutex::new(may_go);
    let receiver = Receiver::start(move |number, _| {
        if number == 0 {
            may_go.lock().unwrap().recv().unwrap();
        }
        200.into()
    });
    let limits = Limits {
        queue_bytes: 2 << 20,
        batch_spans: 64,
        requests: 1,
        request_timeout: Duration::from_secs(60),
        ..quick()
    };
    let observing = observe(otlp(&receiver).limits(limits), SpoolConfig::new(folder.path()));
    // Four times of what memory may hold, while the first request is not answered.
    let text = Payload::from("x".repeat(4000));
    for number in 0..2000 {
        end(&observing, Span { input: Some(text.clone()), ..child(&number.to_string()) });
        // No faster than a disk, and this program without optimisations, can write.
        wait_for(|| health(&observing).queued < 300);
    }
    let held = health(&observing);
    assert_eq!((held.dropped.total(), held.exported), (0, 0), "{held}");
    assert!(held.spooled > 1500, "{held}");
    go.send(()).unwrap();
    observing.flush_blocking(Duration::from_secs(30)).unwrap();
    assert_eq!(health(&observing).exported, 2000);
    let mut names = receiver.accepted();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 2000);
}

#[test]
fn a_full_spool_drops_the_oldest_and_counts_it() {
    logs::keep();
    let folder = tempdir().unwrap();
    let (receiver, status) = switched(503);
    let limits = Limits { batch_spans: 10, ..quick() };
    let spool = SpoolConfig::new(folder.path()).max_bytes(20_000);
    let observing = observe(otlp(&receiver).limits(limits).named("crowded"), spool);
    end_many(&observing, 3000);
    let is_settled = |health: &glassbox_telemetry::health::DestinationHealth| {
        health.queued + health.in_flight == 0
    };
    wait_for(|| is_settled(&health(&observing)));
    let full = health(&observing);
    let dropped = full.dropped.of(DropReason::SpoolFull);
    assert!(dropped > 0 && full.spooled > 0 && dropped + full.spooled == 3000, "{full}");
    assert!(bytes_in(folder.path()).len() <= 20_000);

    status.store(200, Ordering::Relaxed);
    observing.flush_blocking(PATIENCE).unwrap_err();
    let kept = receiver.accepted();
    assert!(kept.contains(&"2999".to_owned()) && !kept.contains(&"0".to_owned()));
    assert_eq!(kept.len() as u64, health(&observing).exported);
    assert_eq!(logs::about("spans (spool full)").len(), 1);
}

#[test]
fn a_disk_that_cannot_be_written_to_is_told_and_memory_holds_on() {
    logs::keep();
    let folder = tempdir().unwrap();
    let not_a_folder = folder.path().join("file");
    fs::write(&not_a_folder, "").unwrap();
    let (receiver, status) = switched(503);
    let observing = observe(otlp(&receiver), SpoolConfig::new(&not_a_folder));
    end_many(&observing, 10);
    wait_for(|| health(&observing).requests > 2);
    assert_eq!((health(&observing).spooled, health(&observing).dropped.total()), (0, 0));
    let logged = logs::about(not_a_folder.to_str().unwrap());
    let told = logged.iter().filter(|(_, text)| text.contains("cannot be written to"));
    assert_eq!(told.count(), 1, "{logged:?}");
    status.store(200, Ordering::Relaxed);
    assert_eq!(observing.flush_blocking(PATIENCE).unwrap().exported(), 10);
}

#[test]
fn only_the_destination_that_they_were_meant_for_gets_them() {
    let folder = tempdir().unwrap();
    let (down, up) = (Receiver::start(|_, _| 503.into()), Receiver::ok());
    let spool = || SpoolConfig::new(folder.path());
    let observing = observe(otlp(&down), spool());
    end_many(&observing, 5);
    wait_for(|| health(&observing).spooled == 5);
    drop(observing);
    let observing = observe(otlp(&up), spool());
    end_many(&observing, 1);
    observing.flush_blocking(PATIENCE).unwrap();
    assert_eq!((health(&observing).recovered, up.accepted().len()), (0, 1));
}

#[test]
fn the_end_is_in_time_and_sends_what_others_left() {
    let folder = tempdir().unwrap();
    let (receiver, status) = switched(503);
    let spool = || SpoolConfig::new(folder.path());
    for _ in 0..3 {
        let observing = observe(otlp(&receiver), spool());
        end_many(&observing, 1000);
        let began = Instant::now();
        drop(observing);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
    status.store(200, Ordering::Relaxed);
    let observing = observe(otlp(&receiver), spool());
    let processor = Arc::clone(observing.processor());
    end_many(&observing, 1);
    drop(observing);
    let health = processor.health().destinations.remove(0);
    assert!(health.is_balanced() && health.recovered == 3000, "{health}");
    // A request that the end of one of them cut off may have arrived all the same, and is sent again.
    assert!(health.exported == 3001 && receiver.accepted().len() >= 3001, "{health}");
}

#[test]
fn a_flush_of_what_is_refused_tells_so_at_once() {
    let folder = tempdir().unwrap();
    let (receiver, status) = switched(401);
    let observing = observe(otlp(&receiver).named("locked"), SpoolConfig::new(folder.path()));
    for round in 1..=3 {
        end(&observing, root("a"));
        let error = observing.flush_blocking(PATIENCE).unwrap_err().to_string();
        assert_eq!(error, format!("locked: {round} spans kept on disk (401 Unauthorized)"));
        assert!(health(&observing).is_unauthorized);
    }
    status.store(200, Ordering::Relaxed);
    // Asked again within a minute, or when somebody waits.
    assert_eq!(observing.flush_blocking(PATIENCE).unwrap().exported(), 3);
    assert!(!health(&observing).is_unauthorized);
}
