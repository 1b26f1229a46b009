//! Beginning and ending: under every runtime and none, in time, and telling what was lost.

use crate::logs;
use crate::receiver::{Receiver, Reply};
use crate::spans::{end, end_many, health, observe, otlp, quick, root};
use glassbox_events::bus::Bus;
use glassbox_events::event::EventName;
use glassbox_telemetry::destination::{Destination, OtlpConfig};
use glassbox_telemetry::health::DropReason;
use glassbox_telemetry::observe::Observe;
use glassbox_trace::payload::{Payload, Render};
use glassbox_trace::span::Span;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

#[test]
fn no_runtime_is_needed() {
    let receiver = Receiver::ok();
    let observing = observe(otlp(&receiver));
    end_many(&observing, 3);
    drop(observing);
    assert_eq!(receiver.accepted().len(), 3);
}

#[tokio::test(flavor = "current_thread")]
async fn a_current_thread_runtime_will_do() {
    let receiver = Receiver::ok();
    let observing = observe(otlp(&receiver));
    end_many(&observing, 3);
    assert_eq!(observing.flush().await.unwrap().exported(), 3);
    end_many(&observing, 2);
    // The runtime is blocked meanwhile, and the export goes on all the same.
    drop(observing);
    assert_eq!(receiver.accepted().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_multi_thread_runtime_will_do() {
    let receiver = Receiver::ok();
    let observing = Arc::new(observe(otlp(&receiver)));
    let tasks = (0..8).map(|_| {
        let observing = Arc::clone(&observing);
        tokio::spawn(async move {
            end_many(&observing, 100);
            observing.flush().await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(receiver.accepted().len(), 800);
    let observing = Arc::into_inner(observing).unwrap();
    observing.shutdown().await.unwrap();
}

#[test]
fn unwinding_flushes() {
    let receiver = Receiver::ok();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let observing = observe(otlp(&receiver));
        end_many(&observing, 3);
        panic!("the program fails");
    }));
    assert!(panicked.is_err());
    assert_eq!(receiver.accepted().len(), 3);
}

#[test]
fn a_flush_waits_for_what_is_in_flight() {
    let receiver = Receiver::start(|_, _| Reply::from(200).delay(Duration::from_millis(300)));
    let observing = observe(otlp(&receiver));
    end(&observing, root("a"));
    while receiver.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(health(&observing).in_flight, 1);
    assert_eq!(observing.flush_blocking(Duration::from_secs(5)).unwrap().exported(), 1);
    assert_eq!(health(&observing).in_flight, 0);
}

#[test]
fn a_flush_tells_what_was_lost_since_the_last_one() {
    let receiver = Receiver::start(|number, _| if number == 0 { 404.into() } else { 200.into() });
    let observing = observe(otlp(&receiver));
    end_many(&observing, 2);
    // Lost long before somebody asks.
    while health(&observing).dropped.total() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let error = observing.flush_blocking(Duration::from_secs(5)).unwrap_err();
    assert_eq!(error.to_string(), "otlp: 2 spans lost (404 Not Found)");
    end_many(&observing, 1);
    assert_eq!(observing.flush_blocking(Duration::from_secs(5)).unwrap().exported(), 1);
}

#[test]
fn a_flush_cuts_our_own_pauses_short() {
    let receiver = Receiver::start(|number, _| if number == 0 { 503.into() } else { 200.into() });
    let mut limits = quick();
    limits.first_backoff = Duration::from_secs(3600);
    limits.longest_backoff = limits.first_backoff;
    let observing = observe(otlp(&receiver).limits(limits));
    end(&observing, root("a"));
    while health(&observing).last_error.is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    observing.flush_blocking(Duration::from_secs(5)).unwrap();
}

#[test]
fn a_destination_that_hangs_does_not_hold_up_the_end() {
    logs::keep();
    let receiver = Receiver::start(|_, _| Reply::from(200).delay(Duration::from_secs(60)));
    let deadline = Duration::from_millis(300);
    let start = |name: &str| {
        let destination = otlp(&receiver).limits(quick()).named(name);
        let observe = Observe::new().bus(&Bus::new()).flush_deadline(deadline);
        observe.destination(destination).start().unwrap()
    };
    let observing = start("hung");
    end_many(&observing, 5);
    let began = Instant::now();
    drop(observing);
    assert!(began.elapsed() < deadline + Duration::from_millis(100), "{:?}", began.elapsed());
    let logged = logs::about("hung");
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].1.starts_with("hung lost 5 of 5 spans (5 shutdown)"), "{logged:?}");

    let observing = start("hung too");
    let processor = Arc::clone(observing.processor());
    end_many(&observing, 5);
    let error = block_on(observing.shutdown()).unwrap_err();
    assert!(error.to_string().starts_with("hung too: 5 spans lost"), "{error}");
    // What ends after the end is counted too.
    processor.on_end(&Arc::new(root("late")));
    let health = &processor.health().destinations[0];
    assert!(health.is_balanced());
    assert_eq!(health.dropped.of(DropReason::Shutdown), 6);
}

#[test]
fn a_dead_destination_does_not_hurt_another() {
    let (alive, dead) = (Receiver::ok(), Receiver::start(|_, _| 503.into()));
    let observing = Observe::new()
        .bus(&Bus::new())
        .destination(otlp(&dead).named("dead"))
        .destination(otlp(&alive).named("alive"))
        .destination(
            Destination::otlp(OtlpConfig::new("http://127.0.0.1:1/"))
                .unwrap()
                .limits(quick())
                .named("nobody"),
        )
        .flush_deadline(Duration::from_millis(300))
        .start()
        .unwrap();
    end_many(&observing, 100);
    let error = observing.flush_blocking(Duration::from_millis(500)).unwrap_err();
    let flushed: Vec<_> =
        error.report().destinations.iter().map(|it| (&*it.name, it.exported, it.pending)).collect();
    assert_eq!(flushed, [("dead", 0, 100), ("alive", 100, 0), ("nobody", 0, 100)]);
    assert_eq!(alive.accepted().len(), 100);
    assert!(observing.health().destinations.iter().all(|health| health.is_balanced()));
}

#[test]
fn without_destinations_nothing_is_observed() {
    let bus = Bus::new();
    let observing = Observe::new().bus(&bus).start().unwrap();
    assert!(!bus.wants(EventName::ModuleComplete));
    observing.flush_blocking(Duration::ZERO).unwrap();
    assert!(observing.destinations().is_empty());
}

#[test]
fn nothing_lost_is_nothing_told() {
    logs::keep();
    let receiver = Receiver::ok();
    let observing = observe(otlp(&receiver).named("quiet"));
    end_many(&observing, 5);
    drop(observing);
    assert_eq!(logs::about("quiet"), []);
}

/// Runs a future without any Tokio runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A value of the program that is not done rendering itself until it is told.
struct Hangs(Mutex<mpsc::Receiver<()>>);

impl Render for Hangs {
    fn render(&self) -> Value {
        let _ = self.0.lock().unwrap().recv();
        "done".into()
    }
}

#[test]
fn a_value_that_hangs_does_not_hold_up_the_end() {
    let receiver = Receiver::ok();
    let observe = Observe::new().bus(&Bus::new()).flush_deadline(Duration::from_millis(300));
    let observing = observe.destination(otlp(&receiver).limits(quick())).start().unwrap();
    let (release, released) = mpsc::channel();
    let hangs: Arc<dyn Render> = Arc::new(Hangs(Mutex::new(released)));
    end(&observing, Span { input: Some(Payload::shared(hangs)), ..root("a") });
    // Were it not over with the deadline, it would be over never.
    let error = block_on(observing.shutdown()).unwrap_err();
    assert_eq!(error.report().destinations[0].pending, 1, "{error}");
    drop(release);
}
