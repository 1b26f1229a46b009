//! `glassbox tail`: what happens, line by line, as a tree that grows.

use crate::client::ServerArgs;
use crate::config;
use crate::events::Event;
use crate::paint::{Ink, Paint};
use crate::signals::Signals;
use clap::Args as ClapArgs;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use tree::Tree;

mod tree;

pub(crate) use tree::safe;

/// How long to wait before a server that went away is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Shows spans while they begin and end, until Ctrl-C.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// What to show, such as: model:gpt-4o* status:error
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
    let client = args.server.connect()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        tokio::select! {
            shown = show(args, &client) => shown.map(|()| ExitCode::SUCCESS),
            signal = signals.next() => Ok(signal.exit_code()),
        }
    })
}

async fn show(args: &Args, client: &crate::client::Client) -> anyhow::Result<()> {
    let paint = Paint { colour: config::colour() };
    let filter = args.filter.join(" ");
    let mut events = client.stream(&filter, None).await?;
    if !args.json {
        eprintln!("watching {}; stop with Ctrl-C", client.url());
    }
    let mut tree = Tree::new(paint);
    let (mut last, mut shown) = (None, 0);
    loop {
        match events.next().await {
            Ok(Some(event)) => {
                last = Some(event.id.clone());
                let line =
                    if args.json { json(args, &event) } else { in_words(args, &mut tree, &event) };
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
            Ok(None) | Err(_) => {
                eprintln!("{}", paint.paint(Ink::Faint, "the server is gone; waiting for it"));
                events = loop {
                    tokio::time::sleep(PAUSE).await;
                    if let Ok(events) = client.stream(&filter, last.as_deref()).await {
                        break events;
                    }
                };
                eprintln!("{}", paint.paint(Ink::Faint, "the server is back"));
            }
        }
    }
}

fn is_shown(args: &Args, event: &Event) -> bool {
    event.name == "span_end" || (event.name == "span_start" && !args.ended)
}

fn json(args: &Args, event: &Event) -> Option<String> {
    let is_shown = is_shown(args, event) || event.name == "missed";
    is_shown.then(|| serde_json::json!({ "event": event.name, "data": event.data }).to_string())
}

fn in_words(args: &Args, tree: &mut Tree, event: &Event) -> Option<String> {
    match event.name.as_str() {
        "missed" => {
            Some(format!("... {} events were missed: too many at once", event.data["count"]))
        }
        "span_start" => {
            let line = tree.began(&event.data);
            is_shown(args, event).then_some(line)
        }
        "span_end" => Some(tree.ended(&event.data)),
        _ => None,
    }
}
