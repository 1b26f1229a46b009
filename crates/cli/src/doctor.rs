//! `glassbox doctor`: whether spans get to where they are meant to go, and what to type if not.

use crate::config;
use crate::paint::Paint;
use clap::Args as ClapArgs;
use diagnosis::Diagnosis;
use glassbox::telemetry::config::Settings;
use glassbox::telemetry::probe::probe;
use std::process::ExitCode;
use std::time::Duration;

mod spool;
mod server;
mod check;
mod diagnosis;
mod words;

/// Check whether spans get to where they are meant to go, and say what to type where they would not
///
/// Every destination that the environment names is sent a span of its own, and the glassbox server of this machine is looked
/// at: the one that runs, or what would keep one from starting. Exits with 0 if all is well, and with 1 if a span would not
/// get through.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  glassbox doctor
  LANGFUSE_PUBLIC_KEY=pk-lf-.. LANGFUSE_SECRET_KEY=sk-lf-.. glassbox doctor
  glassbox doctor --json | jq .checks")]
pub(crate) struct Args {
    /// Print one report in JSON on stdout
    #[arg(long)]
    json: bool,
    /// How many seconds Langfuse may take until the span can be read back
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS", value_parser = seconds)]
    wait: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds, such as 30".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut diagnosis = Diagnosis::of_environment(config::about_telemetry());
    let paint = Paint { colour: config::colour() };
    if !args.json {
        words::environment(paint, &diagnosis);
    }
    match Settings::from_env() {
        Err(error) => diagnosis.fail(error.to_string()),
        Ok(settings) => {
            diagnosis.configured(&settings);
            if !args.json {
                words::settings(paint, &diagnosis);
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            diagnosis.server = runtime.block_on(server::Server::look());
            diagnosis.checks = runtime.block_on(check::checks(diagnosis.server.as_ref()));
            if !args.json {
                words::server(paint, &diagnosis);
            }
            let patience = Duration::from_secs_f64(args.wait);
            for destination in settings.destinations {
                let report = runtime.block_on(probe(destination, &settings.resource, patience));
                if !args.json {
                    words::destination(paint, &report);
                }
                diagnosis.add(&report);
            }
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&diagnosis)?);
    } else {
        words::verdict(paint, &diagnosis);
    }
    Ok(if diagnosis.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
