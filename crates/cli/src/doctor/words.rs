//! The doctor's findings for people.

use super::diagnosis::Diagnosis;
use super::server::Server;
use super::spool::Spool;
use crate::paint::{self, Ink, Paint};
use glassbox::telemetry::probe::{Report, Verdict};
use std::time::Duration;

/// Shorter times are not worth telling.
const WORTH_TELLING: Duration = Duration::from_millis(1);

pub(super) fn environment(paint: Paint, diagnosis: &Diagnosis) {
    println!("{}", paint.paint(Ink::Bold, "Environment"));
    if diagnosis.environment.is_empty() {
        println!("  no variable about telemetry is set");
    }
    let width =
        diagnosis.environment.iter().map(|found| found.name.len()).max().unwrap_or_default();
    for found in &diagnosis.environment {
        let (value, meaning) = (found.value.as_deref(), found.meaning);
        let value = value.unwrap_or("set, and not heeded by glassbox: is it misspelt?");
        let meaning = meaning.map(|meaning| paint.paint(Ink::Faint, meaning)).unwrap_or_default();
        println!("  {:<width$}  {value}  {meaning}", found.name);
    }
}

pub(super) fn settings(paint: Paint, diagnosis: &Diagnosis) {
    for warning in &diagnosis.warnings {
        println!("  {} {warning}", paint.paint(Ink::Error, "warning:"));
    }
    let content = match diagnosis.content {
        "none" => "not exported",
        "lengths" => "not exported, but for their lengths",
        _ => "exported",
    };
    println!("\nInputs and outputs are {content}.");
    match &diagnosis.spool {
        None => println!("What a destination does not take waits in memory alone."),
        Some(Spool { folder, problem: Some(problem), .. }) => println!(
            "{} what a destination does not take waits in memory alone, since {} cannot be written: {problem}",
            paint.paint(Ink::Error, "warning:"),
            folder.display()
        ),
        Some(Spool { folder, files: 0, .. }) => println!(
            "What a destination does not take waits in {}; nothing does now.",
            folder.display()
        ),
        Some(Spool { folder, files, bytes, .. }) => println!(
            "What a destination does not take waits in {}: {files} files with {} KiB now. The next program with that \
             destination sends what no program sends.",
            folder.display(),
            bytes.div_ceil(1024)
        ),
    }
}

pub(super) fn server(paint: Paint, diagnosis: &Diagnosis) {
    println!();
    match &diagnosis.server {
        None => println!("No glassbox server is found; start one with: glassbox serve"),
        Some(server) => running(paint, server),
    }
    for check in &diagnosis.checks {
        let ink = if check.verdict == "ok" { Ink::Chain } else { Ink::Error };
        let verdict = paint.paint(ink, &format!("{:<8}", check.verdict));
        println!("  {verdict} {:<12} {}", check.check, check.seen);
        if let Some(advice) = &check.advice {
            println!("  {:<8} {:<12} hint: {advice}", "", "");
        }
    }
}

fn running(paint: Paint, server: &Server) {
    let process = server.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
    match (&server.version, &server.problem) {
        (Some(version), _) => {
            println!("A glassbox server {version} runs at {}{process}.", server.url);
        }
        (None, problem) => println!(
            "{} the glassbox server at {}{process} does not answer: {}",
            paint.paint(Ink::Error, "warning:"),
            server.url,
            problem.as_deref().unwrap_or_default()
        ),
    }
}

pub(super) fn destination(paint: Paint, report: &Report) {
    let heading = format!("{}  {}", report.destination.name, report.address);
    println!("\n{}", paint.paint(Ink::Bold, &heading));
    for finding in &report.findings {
        let ink = match finding.verdict {
            Verdict::Ok => Ink::Chain,
            Verdict::Skipped => Ink::Faint,
            Verdict::Warning | Verdict::Problem => Ink::Error,
        };
        let verdict = paint.paint(ink, &format!("{:<8}", finding.verdict.as_str()));
        let took = match finding.took >= WORTH_TELLING {
            true => paint.paint(Ink::Faint, &format!("  {}", paint::duration(finding.took))),
            false => String::new(),
        };
        println!("  {verdict} {:<12} {}{took}", finding.step.as_str(), finding.seen);
        if let Some(advice) = &finding.advice {
            println!("  {:<8} {:<12} hint: {advice}", "", "");
        }
    }
}

pub(super) fn verdict(paint: Paint, diagnosis: &Diagnosis) {
    println!();
    if let Some(error) = &diagnosis.error {
        println!("{} {error}", paint.paint(Ink::Error, "problem:"));
        return;
    }
    if let Some(variable) = diagnosis.disabled_by {
        println!("Telemetry is off, since {variable} is set: nothing is exported.");
        return;
    }
    let problems = diagnosis.destinations.iter().filter(|destination| !destination.ok).count();
    match (diagnosis.destinations.len(), problems) {
        (0, _) => {
            println!(
                "No destination is configured, so nothing is exported. To look at traces on this machine, type"
            );
            println!("  glassbox serve");
            println!("For Langfuse, type");
            println!("  export LANGFUSE_PUBLIC_KEY=pk-lf-... LANGFUSE_SECRET_KEY=sk-lf-...");
            println!(
                "and LANGFUSE_BASE_URL=https://... unless it is its cloud in the EU. For an OTLP receiver, type"
            );
            println!("  export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318");
        }
        (1, 0) => println!("Spans get through."),
        (count, 0) => println!("Spans get through to all {count} destinations."),
        (count, problems) => {
            let text = format!("{problems} of {count} destinations would get no span.");
            println!("{}", paint.paint(Ink::Error, &text));
        }
    }
}
