//! An agent that answers a question by writing Python, which runs in a sandbox.
//!
//! `cargo run -p glassbox-examples --example codeact_research`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::sandbox::Limits;
use glassbox::{CodeAct, Error, EventData, Field, Lm, Module, Signature, Toolbox, tool};
use glassbox_sim::{Entry, Script, Sim};
use std::time::Duration;

/// Answer the question about lighthouses.
#[derive(Signature)]
struct Research {
    #[input]
    question: String,
    /// In metres, to one decimal.
    #[output]
    difference: f64,
    /// The name of the highest lighthouse of all.
    #[output]
    highest: String,
}

#[derive(Clone, Debug, Field)]
struct Lighthouse {
    name: String,
    height: f64,
}

/// Lists the lighthouses of a country, with their heights in metres.
#[tool]
fn lighthouses(
    /// Its English name.
    country: String,
) -> Result<Vec<Lighthouse>, String> {
    let known: &[(&str, f64)] = match country.as_str() {
        "France" => &[("Île Vierge", 82.5), ("Phare de Gatteville", 74.7), ("Cordouan", 67.5)],
        "Italy" => &[("Lanterna di Genova", 76.0), ("Faro della Vittoria", 67.9)],
        _ => return Err(format!("no lighthouses of {country:?}: ask for France or Italy")),
    };
    Ok(known
        .iter()
        .map(|(name, height)| Lighthouse { name: (*name).into(), height: *height })
        .collect())
}

/// What the simulated model writes: a mistake, its correction, and the answer.
fn script() -> Script {
    let step = |entry: Entry, thought: &str, code: &str, finished: bool| {
        entry.field("thought", thought).field("code", code).field("finished", finished)
    };
    Script::new()
        .with(Entry::when("Turn 3").field("difference", 2.9).field("highest", "Île Vierge"))
        .with(step(
            Entry::when("Turn 2"),
            "Now the means. What was fetched before is still there.",
            "def mean(country):\n    return sum(one['height'] for one in country) / len(country)\nround(mean(france) - mean(italy), 1)",
            true,
        ))
        .with(step(
            Entry::when("Turn 1"),
            "The name has to be English.",
            "italy = lighthouses('Italy')\nfor one in sorted(france + italy, key=lambda one: -one['height']):\n    print(one['name'], one['height'])",
            false,
        ))
        .with(step(
            Entry::when("lighthouses"),
            "First I fetch both lists.",
            "france = lighthouses('France')\nitaly = lighthouses(country='Italia')",
            false,
        ))
}

fn main() -> Result<(), Error> {
    // The worker is this program itself. Where it was started to be that, this does not return.
    glassbox::sandbox::init();
    run()
}

#[tokio::main]
async fn run() -> Result<(), Error> {
    let _observing = glassbox::observe()?;
    let _printing = glassbox::subscribe("codeact.*", |event| match &event.data {
        EventData::CodeActExecution(run) => {
            println!("  ran for {:?}", run.duration.max(Duration::from_millis(1)));
        }
        EventData::CodeActIterationComplete(turn) => {
            println!("turn {}: {}", turn.number, turn.thought.as_deref().unwrap_or_default());
            println!("{}\n---", turn.code.as_deref().unwrap_or_default());
            println!("{}\n", turn.observation.as_deref().unwrap_or_default());
        }
        _ => {}
    })?;
    let sim = Sim::builder().speed(20.0).script(script()).start().map_err(Error::other)?;
    let lm = match std::env::args().nth(1) {
        Some(name) => Lm::from_env(&name)?,
        None => {
            Lm::builder("openai/gpt-4o-mini").base_url(sim.openai_url()).api_key("sim").build()?
        }
    };

    let limits = Limits { time: Duration::from_secs(2), ..Limits::default() };
    let agent = CodeAct::<Research>::new(&lm, Toolbox::new().with(lighthouses)).with_limits(limits);
    let question = "How much higher are the lighthouses of France than those of Italy, on average?";
    let reply = agent.call(ResearchInput { question: question.into() }).await?;
    println!("{question}\n{} m; the highest is {}", reply.difference, reply.highest);
    Ok(())
}
