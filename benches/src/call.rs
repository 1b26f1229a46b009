//! `call`: what a call of a model costs the program that makes it, in CPU, by framework.
//!
//! All of them send the same request to the same provider, which is a process of its own, and read the same answer. Each
//! turn is a process of its own too, so that all its threads are counted, and nobody else's.

use crate::child;
use crate::provider::{self, Provider};
use crate::receiver::Receiver;
use crate::stats::median;
use crate::table;
use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};
use std::time::Duration;

mod load;
mod asked;
mod coffee_shop;
mod raw;
mod genai;
mod rig;
mod dspy;

use self::asked::Asked;
use self::load::Told;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Calls of a turn; Python makes a tenth of them.
    #[arg(long, default_value_t = 2_000)]
    calls: usize,
    /// How often each contender has its turn; the medians are of these.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// The Python that has `dspy` installed.
    #[arg(long, default_value = "python3")]
    python: String,
    /// Makes the calls in this process.
    #[arg(long, hide = true, requires = "url")]
    contender: Option<Contender>,
    /// How many calls are made at once, with `--contender`.
    #[arg(long, hide = true, default_value_t = 1)]
    concurrency: usize,
    /// The provider's base URL.
    #[arg(long, hide = true)]
    url: Option<String>,
    /// Where traces go.
    #[arg(long, hide = true, default_value = "")]
    traces: String,
    /// The request as JSON.
    #[arg(long, hide = true, default_value = "null")]
    request: String,
}

/// Who makes the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Contender {
    /// `Predict` with telemetry exported.
    Glassbox,
    /// `Predict` without telemetry.
    GlassboxUnobserved,
    Reqwest,
    Genai,
    Rig,
    /// With its spans and their content exported through `tracing-opentelemetry`.
    RigTraced,
    /// The same without content, which is rig's default.
    RigTracedBare,
    Dspy,
}

const CONTENDERS: [Contender; 8] = [
    Contender::Reqwest,
    Contender::Genai,
    Contender::GlassboxUnobserved,
    Contender::Glassbox,
    Contender::Rig,
    Contender::RigTracedBare,
    Contender::RigTraced,
    Contender::Dspy,
];

/// How many calls are made at once.
const CONCURRENCIES: [usize; 2] = [1, 32];

/// What was measured of a contender.
struct Row {
    contender: Contender,
    /// Turns with each concurrency.
    turns: [Vec<Told>; CONCURRENCIES.len()],
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if let (Some(contender), Some(url)) = (args.contender, &args.url) {
        println!("{}", serde_json::to_string(&contend(contender, url, args)?)?);
        return Ok(());
    }
    let request = coffee_shop::request(&provider::simulated()?)?.to_string();
    let provider = Provider::start()?;
    let has_dspy = dspy::is_installed(&args.python);
    let contenders = CONTENDERS.into_iter().filter(|who| has_dspy || *who != Contender::Dspy);
    let mut rows: Vec<_> =
        contenders.map(|contender| Row { contender, turns: Default::default() }).collect();
    for _ in 0..args.rounds {
        for row in &mut rows {
            for (concurrency, turns) in CONCURRENCIES.into_iter().zip(&mut row.turns) {
                turns.push(turn(args, row.contender, concurrency, &provider, &request)?);
            }
        }
    }
    if args.json {
        println!("{}", Value::Object(figures(&rows)));
    } else {
        show(&rows, args);
    }
    Ok(())
}

/// Lets a contender make its calls, and sees that no span is lost.
fn turn(
    args: &Args,
    contender: Contender,
    concurrency: usize,
    provider: &Provider,
    request: &str,
) -> Result<Told> {
    let name = contender.as_str();
    if contender == Contender::Dspy {
        let calls = (args.calls / 10).max(concurrency);
        return dspy::turn(&args.python, &provider.url, calls, concurrency);
    }
    let spans = contender.spans();
    let receiver = (spans > 0).then(|| Receiver::start(Duration::ZERO, true)).transpose()?;
    let (calls, concurrency) = (args.calls.to_string(), concurrency.to_string());
    let traces = receiver.as_ref().map_or("", |receiver| &receiver.url);
    let arguments = [
        "call",
        "--contender",
        name,
        "--calls",
        &calls,
        "--concurrency",
        &concurrency,
        "--url",
        &provider.url,
        "--traces",
        traces,
        "--request",
        request,
    ];
    // Clients that honour a proxy would look for one.
    let told: Told = child::run(&arguments, &[("NO_PROXY", "127.0.0.1")])?;
    if let Some(receiver) = receiver {
        let (received, due) = (receiver.finish()?.spans, spans * told.calls_with_warm_up);
        ensure!(received == due, "{name} exported {received} spans of {due}");
    }
    Ok(told)
}

fn contend(contender: Contender, url: &str, args: &Args) -> Result<Told> {
    let asked = Asked::new(url, &serde_json::from_str(&args.request)?)?;
    let load = load::Load { calls: args.calls, concurrency: args.concurrency };
    let traces = &args.traces;
    match contender {
        Contender::Glassbox => load.run(|| coffee_shop::Shop::open(&asked, Some(traces))),
        Contender::GlassboxUnobserved => load.run(|| coffee_shop::Shop::open(&asked, None)),
        Contender::Reqwest => load.run(|| raw::Raw::new(&asked)),
        Contender::Genai => load.run(|| genai::Genai::new(&asked)),
        Contender::Rig => load.run(|| rig::Rig::new(&asked)),
        Contender::RigTraced => load.run(|| rig::Traced::new(&asked, traces, true)),
        Contender::RigTracedBare => load.run(|| rig::Traced::new(&asked, traces, false)),
        Contender::Dspy => anyhow::bail!("dspy runs in Python"),
    }
}

fn show(rows: &[Row], args: &Args) {
    let columns = [
        "contender",
        "CPU us, 1 at a time",
        "to genai",
        "to glassbox",
        "CPU us, 32 at once",
        "to genai",
        "to glassbox",
        "calls a s, 32 at once",
    ];
    let of = |contender| rows.iter().find(|row| row.contender == contender);
    let cpu_of = |contender, at| of(contender).map_or(f64::NAN, |row| row.cpu_us(at));
    let cells = rows.iter().map(|row| {
        let mut cells = vec![row.contender.in_words().to_owned()];
        for at in 0..CONCURRENCIES.len() {
            let cpu = row.cpu_us(at);
            cells.push(format!("{cpu:.1}"));
            cells.push(format!("{:.2}", cpu / cpu_of(Contender::Genai, at)));
            cells.push(format!("{:.2}", cpu / cpu_of(Contender::Glassbox, at)));
        }
        cells.push(format!("{:.0}", row.calls_per_s(1)));
        cells
    });
    let mut cells: Vec<_> = cells.collect();
    if of(Contender::Dspy).is_none() {
        cells.push(vec!["dspy: not installed".to_owned()]);
    }
    table::print(
        "call: CPU time of the calling process for each call of a model",
        &columns,
        &cells,
    );
    if of(Contender::Dspy).is_none() {
        println!("\nhint: {}", dspy::hint(&args.python));
    }
}

fn figures(rows: &[Row]) -> Map<String, Value> {
    let mut object = Map::new();
    for row in rows {
        let name = row.contender.as_str();
        object.insert(format!("{name}_cpu_us"), json!(row.cpu_us(0)));
        object.insert(format!("{name}_cpu_us_32_at_once"), json!(row.cpu_us(1)));
        object.insert(format!("{name}_calls_per_s_32_at_once"), json!(row.calls_per_s(1)));
    }
    object
}

impl Row {
    /// Returns the CPU time of a call with one of the concurrencies, in microseconds.
    fn cpu_us(&self, at: usize) -> f64 {
        median(&self.turns[at].iter().map(|told| told.cpu_us).collect::<Vec<_>>())
    }

    fn calls_per_s(&self, at: usize) -> f64 {
        median(&self.turns[at].iter().map(|told| told.calls_per_s).collect::<Vec<_>>())
    }
}

impl Contender {
    /// How figures call it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Glassbox => "glassbox",
            Self::GlassboxUnobserved => "glassbox_unobserved",
            Self::Reqwest => "reqwest",
            Self::Genai => "genai",
            Self::Rig => "rig",
            Self::RigTraced => "rig_traced",
            Self::RigTracedBare => "rig_traced_bare",
            Self::Dspy => "dspy",
        }
    }

    /// How tables call it.
    const fn in_words(self) -> &'static str {
        match self {
            Self::Glassbox => "glassbox, exported",
            Self::GlassboxUnobserved => "glassbox, not observed",
            Self::Reqwest => "reqwest",
            Self::Genai => "genai",
            Self::Rig => "rig-core",
            Self::RigTraced => "rig-core, exported with content",
            Self::RigTracedBare => "rig-core, exported without content",
            Self::Dspy => "dspy (Python)",
        }
    }

    /// How many spans it exports for a call.
    const fn spans(self) -> u64 {
        match self {
            Self::Glassbox => 2,
            Self::RigTraced | Self::RigTracedBare => 1,
            _ => 0,
        }
    }
}
