//! `hot_path`: what a span costs the thread that begins and ends it.

use crate::data::Facts;
use crate::stats::{cpu_time, median, quantile};
use crate::systems::{Fastrace, Glassbox, Record, Sdk, System, Texts, Tracing, Unobserved};
use crate::table;
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// How often each system has its turn; the medians are of these.
    #[arg(long, default_value_t = 300)]
    rounds: u32,
    /// Spans of a turn, on all threads: less than a batch, so that the threads are measured and not the worker.
    #[arg(long, default_value_t = 300)]
    spans: u32,
    /// Spans of a turn without a rest, while the worker takes its part of the allocator and of the caches. There is a
    /// tenth as many of these turns.
    #[arg(long, default_value_t = 5000)]
    sustained: u32,
    /// Makes as many spans of one system on the main thread and ends, for counting instructions: `valgrind
    /// --tool=callgrind --collect-atstart=no --toggle-collect='*counted_spans*' ..`.
    #[arg(long, value_name = "N")]
    callgrind_loop: Option<u32>,
    /// The system of `--callgrind-loop`.
    #[arg(long, default_value = "glassbox")]
    system: String,
}

/// What a system took.
#[derive(Default)]
struct Figures {
    /// Nanoseconds a span, of each turn.
    turns: Vec<f64>,
    /// CPU time of the whole process, so with the background.
    cpu: Duration,
    spans: u64,
}

/// The systems, ours first.
const NAMES: [&str; 9] = [
    "glassbox",
    "opentelemetry_sdk",
    "tracing",
    "fastrace",
    "record",
    "opentelemetry_sdk_texts_given",
    "tracing_texts_given",
    "fastrace_texts_given",
    "glassbox_unobserved",
];

fn start(name: &str) -> Result<Box<dyn System>> {
    Ok(match name {
        "glassbox" => Box::new(Glassbox::start()?),
        "opentelemetry_sdk" => Box::new(Sdk::start(Texts::Rendered)),
        "tracing" => Box::new(Tracing::start(Texts::Rendered)?),
        "fastrace" => Box::new(Fastrace::start(Texts::Rendered)),
        "record" => Box::new(Record::start()),
        "opentelemetry_sdk_texts_given" => Box::new(Sdk::start(Texts::Given)),
        "tracing_texts_given" => Box::new(Tracing::start(Texts::Given)?),
        "fastrace_texts_given" => Box::new(Fastrace::start(Texts::Given)),
        "glassbox_unobserved" => Box::new(Unobserved::new()),
        _ => bail!("no such system, the systems are {}", NAMES.join(", ")),
    })
}

/// What was measured of all systems: how tables call it, how names of figures end, and the figures.
type Measured = (&'static str, &'static str, Vec<Figures>);

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(count) = args.callgrind_loop {
        return callgrind_loop(&args.system, count);
    }
    let systems = NAMES.map(start).into_iter().collect::<Result<Vec<_>>>()?;
    let many = args.rounds.div_ceil(10);
    let measured: [Measured; 3] = [
        ("1 thread", "", measure(&systems, args.rounds, args.spans, 1)),
        ("2 threads", "_2_threads", measure(&systems, args.rounds, args.spans / 2, 2)),
        ("1 thread without a rest", "_sustained", measure(&systems, many, args.sustained, 1)),
    ];
    if args.json {
        println!("{}", Value::Object(figures(&systems, &measured)));
    } else {
        println!(
            "hot path: a span of 20 attributes, 2 KB in, 2 KB out, with a parent and a context\n"
        );
        for (headline, _, figures) in &measured {
            show(&systems, figures, headline);
            println!();
        }
    }
    Ok(())
}

/// Lets the systems have their turns.
fn measure(systems: &[Box<dyn System>], rounds: u32, spans: u32, threads: u32) -> Vec<Figures> {
    let facts: Vec<_> = (0..threads).map(|_| Facts::new(2048, 2048)).collect();
    let mut figures: Vec<_> = systems.iter().map(|_| Figures::default()).collect();
    // The first tenth warms caches and allocators up.
    let warm_up = rounds.div_ceil(10);
    for round in 0..warm_up + rounds {
        for (system, figures) in systems.iter().zip(&mut figures) {
            let cpu_before = cpu_time();
            let took = turn(&**system, &facts, spans);
            system.settle();
            if round >= warm_up {
                let all = u64::from(spans) * u64::from(threads);
                figures.turns.push(took.as_secs_f64() * 1e9 / all as f64);
                figures.cpu += cpu_time().saturating_sub(cpu_before);
                figures.spans += all;
            }
        }
    }
    figures
}

/// Makes spans on as many threads as there are facts, and returns the sum of the times.
fn turn(system: &dyn System, facts: &[Facts], count: u32) -> Duration {
    let (own, others) = facts.split_at(1);
    if others.is_empty() {
        return system.spans(&own[0], count);
    }
    let (all, arrived) = (facts.len(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let threads = facts.iter().map(|facts| {
            scope.spawn(|| {
                // Not asleep, or the first would be done before the second woke up.
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < all {
                    std::hint::spin_loop();
                }
                system.spans(facts, count)
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    })
}

fn show(systems: &[Box<dyn System>], figures: &[Figures], headline: &str) {
    let glassbox = median(&figures[0].turns);
    let rows: Vec<_> = systems
        .iter()
        .zip(figures)
        .map(|(system, figures)| {
            let median = median(&figures.turns);
            vec![
                system.name().to_owned(),
                format!("{median:.0}"),
                format!("{:.2}", median / glassbox),
                format!("{:.0}", quantile(&figures.turns, 0.1)),
                format!("{:.0}", figures.cpu_ns()),
            ]
        })
        .collect();
    let columns =
        ["system", "ns a span", "to glassbox", "quickest tenth", "CPU ns with background"];
    table::print(headline, &columns, &rows);
}

fn figures(systems: &[Box<dyn System>], measured: &[Measured]) -> Map<String, Value> {
    let mut object = Map::new();
    for (_, suffix, figures) in measured {
        for (system, figures) in systems.iter().zip(figures) {
            let name = system.name().replace(", ", "_").replace(' ', "_");
            object.insert(format!("{name}_ns{suffix}"), json!(median(&figures.turns)));
            object.insert(format!("{name}_cpu_ns{suffix}"), json!(figures.cpu_ns()));
        }
    }
    object
}

impl Figures {
    fn cpu_ns(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e9 / self.spans.max(1) as f64
    }
}

fn callgrind_loop(system: &str, count: u32) -> Result<()> {
    let system = start(system)?;
    let facts = Facts::new(2048, 2048);
    // In turns, or a queue might overflow under the slow simulation.
    let mut left = count;
    while left > 0 {
        let now = left.min(1000);
        counted_spans(&*system, &facts, now);
        system.settle();
        left -= now;
    }
    Ok(())
}

/// What is counted, by its name: not inlined, so that it has one.
#[inline(never)]
fn counted_spans(system: &dyn System, facts: &Facts, count: u32) {
    system.spans(facts, count);
}
