//! Programs that end in some way, as processes of their own: this test binary, told by the environment what to be.

use crate::faults::{count, limits, named};
use crate::spans::end;
use glassbox_events::bus::Bus;
use glassbox_telemetry::destination::{Compression, Destination, OtlpConfig};
use glassbox_telemetry::observe::{Observe, Observing};
use glassbox_telemetry::spool::SpoolConfig;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PROGRAM: &str = "GLASSBOX_TEST_PROGRAM";
const URL: &str = "GLASSBOX_TEST_URL";
const SPOOL: &str = "GLASSBOX_TEST_SPOOL";

/// Starts a program that exports to an address.
pub(super) fn start(program: &str, url: &str, spool: Option<&Path>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "faults::process::program", "--nocapture"]);
    command.env(PROGRAM, program).env(URL, url).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(spool) = spool {
        command.env(SPOOL, spool);
    }
    command.spawn().unwrap()
}

/// Waits until a program says so.
pub(super) fn wait_until_said(child: &mut Child, word: &str) {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains(word)), "it ended without {word}");
}

/// Is a test like the others, unless the environment says which program to be.
#[test]
fn program() {
    let Some(program) = variable(PROGRAM) else { return };
    let config =
        OtlpConfig { compression: Compression::None, ..OtlpConfig::new(variable(URL).unwrap()) };
    let destination = Destination::otlp(config).unwrap().limits(limits());
    let observe = Observe::new()
        .bus(&Bus::new())
        .destination(destination)
        .spool(variable(SPOOL).map(SpoolConfig::new));
    let observing = observe.start().unwrap();
    match program.as_str() {
        "ends at once" => end_all(&observing),
        "panics" => {
            end_all(&observing);
            panic!("as it was told to");
        }
        "ends inside of a runtime" => {
            /// Ends with the runtime, whose tasks are dropped when it shuts down.
            struct InTask(Observing);
            let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
            let in_task = InTask(observing);
            runtime.spawn(async move {
                end_all(&in_task.0);
                std::future::pending::<()>().await;
            });
            std::thread::sleep(Duration::from_millis(100));
        }
        "is killed" => {
            end_all(&observing);
            while observing.health().destinations[0].spooled < count() as u64 {
                std::thread::sleep(Duration::from_millis(5));
            }
            writeln!(std::io::stdout(), "spooled").unwrap();
            // It is killed while it writes.
            loop {
                end(&observing, named("nobody waits for this"));
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        "runs again" => {
            end(&observing, named("nobody waits for this"));
        }
        other => panic!("no program {other}"),
    }
}

fn end_all(observing: &Observing) {
    for number in 0..count() {
        end(observing, named(&number.to_string()));
    }
}

#[expect(clippy::disallowed_methods, reason = "how a test tells its own process what to be")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
