//! `glassbox tail`: what happens, line by line, as a tree that grows.

use crate::client::ServerArgs;
use crate::config;
use crate::events::Event;
use crate::paint::Paint;
use crate::signals::Signals;
use crate::watch::{self, Seen};
use clap::Args as ClapArgs;
use ratatui::crossterm::terminal;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use tree::Tree;

mod tree;

pub(crate) use tree::safe;

/// Events that follow one another within this time are looked at together.
const TOGETHER: Duration = Duration::from_millis(20);

/// The most events that are looked at together.
const MOST_TOGETHER: usize = 1000;

/// Watch spans begin and end, as a tree that grows line by line, until Ctrl-C
///
/// A line has the time, the trace, > for a span that began, < for one that ended or x for one that failed, and what it took.
/// When the server goes away, tail waits until it is back.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  glassbox tail
  glassbox tail 'model:gpt-4o* status:error'
  glassbox tail --ended 'cost:>0.01 \"no such cup\"'
  glassbox tail --json | jq .data.name

Keys of filters, and how to compare: docs/api.md")]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// What to show, such as 'model:gpt-4o* status:error' [default: all]
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// Show spans only when they have ended
    #[arg(long)]
    ended: bool,
    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,
    /// Stop after so many lines
    #[arg(long, value_name = "LINES")]
    limit: Option<u64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        tokio::select! {
            shown = show(args) => shown.map(|()| ExitCode::SUCCESS),
            signal = signals.next() => Ok(signal.exit_code()),
        }
    })
}

async fn show(args: &Args) -> anyhow::Result<()> {
    let paint = Paint { colour: config::colour() };
    let (client, mut watch) = watch::begin(&args.server, &args.filter.join(" ")).await?;
    if !args.json {
        eprintln!("watching {}; stop with Ctrl-C", client.url());
    }
    let mut tree = Tree::new(paint);
    let mut shown = 0;
    let mut together = Vec::new();
    while let Some(first) = watch.recv().await {
        together.push(first?);
        // Spans that arrive together come children first: their lines want to know what they hang below.
        while let Ok(Some(next)) = tokio::time::timeout(TOGETHER, watch.recv()).await {
            together.push(next?);
            if together.len() >= MOST_TOGETHER {
                break;
            }
        }
        for seen in &together {
            if let Seen::Event(event) = seen {
                tree.know(&event.data);
            }
        }
        for seen in together.drain(..) {
            let event = match seen {
                Seen::Event(event) => event,
                Seen::Gone => {
                    eprintln!("the server is gone; waiting for it");
                    continue;
                }
                Seen::Back(client) => {
                    eprintln!("the server is back: watching {}", client.url());
                    continue;
                }
            };
            let line = if args.json { json(args, &event) } else { in_words(args, &tree, &event) };
            if let Some(line) = line {
                let mut out = std::io::stdout().lock();
                if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                    // Whoever read the lines has enough, as `head` has.
                    return Ok(());
                }
                shown += 1;
            }
            if args.limit.is_some_and(|limit| shown >= limit) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn is_shown(args: &Args, event: &Event) -> bool {
    event.name == "span_end" || (event.name == "span_start" && !args.ended)
}

fn json(args: &Args, event: &Event) -> Option<String> {
    let is_shown = is_shown(args, event) || event.name == "missed";
    is_shown.then(|| serde_json::json!({ "event": event.name, "data": event.data }).to_string())
}

fn in_words(args: &Args, tree: &Tree, event: &Event) -> Option<String> {
    match event.name.as_str() {
        "missed" => {
            Some(format!("... {} events were missed: too many at once", event.data["count"]))
        }
        "span_start" => {
            let line = tree.began(&event.data, width());
            is_shown(args, event).then_some(line)
        }
        "span_end" => Some(tree.ended(&event.data, width())),
        _ => None,
    }
}

/// How wide a line may be: as the terminal is now, or as wide as it likes where nobody wraps it.
fn width() -> Option<usize> {
    let (columns, _) = std::io::stdout().is_terminal().then(terminal::size)?.ok()?;
    Some(usize::from(columns)).filter(|columns| *columns > 0)
}
