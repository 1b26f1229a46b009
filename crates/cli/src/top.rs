//! `glassbox top`: what runs now and what has run of late, by module and model.

use crate::client::{Client, ServerArgs};
use crate::config;
use crate::events::Event;
use board::Board;
use clap::Args as ClapArgs;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

mod board;
mod table;
mod screen;

/// The most spans of the past that are looked at, the last to arrive first.
const MOST_SPANS: usize = 50_000;

/// Watch calls, errors, latency, tokens and cost by module and model; q ends it
///
/// What took most time comes first. Arrow keys, j and k scroll. When the server goes away, top waits until it is back.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  glassbox top
  glassbox top --since 2h
  glassbox top --json --since 1d | jq '.[] | select(.errors > 0)'")]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// How far back to look, such as 15m or 2h
    #[arg(long, default_value = "15m", value_name = "TIME", value_parser = time)]
    since: Duration,
    /// Print the table once, and end
    #[arg(long)]
    once: bool,
    /// Print the rows once, as JSON
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "type a time such as 90s, 15m, 2h or 1d".to_owned();
    let split = text.len().saturating_sub(1);
    let (number, unit) = text.split_at_checked(split).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let is_watched = !args.json && !args.once && std::io::stdout().is_terminal();
    if is_watched {
        return runtime.block_on(screen::run(&args.server, args.since, config::colour()));
    }
    let mut board = Board::new(args.since);
    runtime.block_on(past(&args.server.connect()?, &mut board))?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&board.rows())? + "\n",
        false => board.to_text(),
    };
    // Whoever read it has enough, as `head` has.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// Looks at the spans that began in the board's time, and at those that are still running.
async fn past(client: &Client, board: &mut Board) -> anyhow::Result<()> {
    let seconds = board.window().as_secs();
    for filter in [format!("start:>-{seconds}s"), format!("start:<=-{seconds}s status:running")] {
        let spans = client.list("/api/v1/spans", &[("q", &filter)], MOST_SPANS).await?;
        spans.iter().for_each(|span| board.take(span));
    }
    Ok(())
}

/// Takes an event into the board, if it is about a span.
fn heard(board: &mut Board, event: &Event) {
    if matches!(event.name.as_str(), "span_start" | "span_end") {
        board.take(&event.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(time("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(time("2h"), Ok(Duration::from_secs(7200)));
        for text in ["", "m", "15", "15x", "-1s", "1é"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
