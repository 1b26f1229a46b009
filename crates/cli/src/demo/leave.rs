//! The end before the end: somebody wants the demo to stop, and what has happened so far is still exported.

use crate::signals::{Signal, Signals};
use glassbox::telemetry::observe::Observing;
use glassbox::telemetry::report::FlushReport;
use std::pin::pin;
use std::process::ExitCode;
use tokio::runtime::Runtime;

/// Exports what is left within the guard's deadline, and tells what was lost. A second signal ends this at once.
pub(super) fn leave(
    signal: Signal,
    runtime: Runtime,
    mut signals: Signals,
    observing: Option<Observing>,
) -> ExitCode {
    match observing {
        None => eprintln!("\nstopped by {signal}"),
        Some(observing) => {
            eprintln!("\nstopped by {signal}; exporting what is left, once more to leave at once");
            runtime.block_on(async {
                let shutdown = pin!(observing.shutdown());
                tokio::select! {
                    ended = shutdown => match ended {
                        Ok(report) => tell(&report),
                        Err(error) => tell(error.report()),
                    },
                    // Not by returning: the guard would go on to wait.
                    _ = signals.next() => std::process::exit(signal.code().into()),
                }
            });
        }
    }
    // A name that is still being resolved is not waited for.
    runtime.shutdown_background();
    signal.exit_code()
}

fn tell(report: &FlushReport) {
    for destination in &report.destinations {
        let lost = destination.lost + destination.pending;
        let kept = match destination.spooled {
            0 => String::new(),
            spooled => format!(", {spooled} on disk for the next program"),
        };
        eprintln!("{}: {} spans sent, {lost} lost{kept}", destination.name, destination.exported);
    }
}
