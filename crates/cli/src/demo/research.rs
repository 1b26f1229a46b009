//! The scene `research`: an agent whose tools are agents. It has every side of a topic looked into at the same time, at a
//! provider that takes few calls and refuses some, so that there are waits, retries and a critical path to look at.

use super::Args;
use super::model::{self, Model};
use super::program::{Program, Served};
use corpus::{SUBJECTS, Side, Subject};
use glassbox::{
    BoxFuture, Error, Field, Limits, Lm, Module, ReAct, RetryPolicy, Signature, Toolbox,
    module_tool, tool_fn,
};
use glassbox_sim::{Entry, Fault, FaultPlan, Latency, Script, Sim};
use serde_json::json;
use std::time::Duration;

mod corpus;

/// What the provider takes: so many calls at once, and so many a minute.
const AT_ONCE: u32 = 4;
const A_MINUTE: u32 = 120;

/// Each call of these numbers is refused although there would be room, with 429 and with 529.
const REFUSED: u64 = 7;
const OVERLOADED: u64 = 11;

/// How long the provider asks to wait after a 429 for no reason.
const WISH: Duration = Duration::from_millis(300);

/// With every fifth attempt refused, one of many millions of calls fails.
const ATTEMPTS: u32 = 10;

/// How long the archive takes to search, and to hand out a page.
const SEARCH: Duration = Duration::from_millis(600);
const READ: Duration = Duration::from_millis(250);

pub(super) fn opening(customers: u64) -> String {
    format!(
        "Research: {customers} reports by an agent whose tools are agents, at a provider that takes {AT_ONCE} calls at a \
         time and {A_MINUTE} a minute,\nand answers every {REFUSED}th with 429 and every {OVERLOADED}th with 529 on top."
    )
}

/// Makes the model that was asked for, or a provider with limits and a model that knows them.
pub(super) fn model(args: &Args) -> anyhow::Result<Model> {
    model::choose(args, |args| {
        let latency = Latency { per_token: Duration::from_millis(12), ..Latency::default() };
        let faults = FaultPlan::none()
            .every(REFUSED, Fault::RateLimited { retry_after: WISH })
            .every(OVERLOADED, Fault::ServerError(529));
        let a_minute = model::hurried(A_MINUTE, args.speed());
        let sim = Sim::builder()
            .script(script())
            .latency(latency)
            .faults(faults)
            .max_concurrent(AT_ONCE.into());
        let sim = match a_minute {
            // What the model's own limiter lets through at once, a second's share of its minute, has to be welcome.
            Some(a_minute) => {
                sim.requests_per_minute(A_MINUTE).requests_at_once(a_minute.div_ceil(60))
            }
            None => sim,
        };
        let limits = Limits {
            concurrency: Some(AT_ONCE),
            requests_per_minute: a_minute,
            ..Limits::default()
        };
        let retry = RetryPolicy { attempts: ATTEMPTS, ..RetryPolicy::default() };
        model::simulated(args, sim, |lm| lm.limits(limits).retry(retry))
    })
}

/// Write a short report about the topic. Have each side of it looked into by `investigate`, several at the same time.
#[derive(Signature)]
pub(super) struct Report {
    #[input]
    topic: String,
    /// Three sentences.
    #[output]
    report: String,
    /// The pages that it rests on.
    #[output]
    sources: Vec<String>,
}

/// Answer the question from the archive: search it, read what looks good, and say where you found it.
#[derive(Signature)]
struct Investigate {
    #[input]
    question: String,
    /// One sentence.
    #[output]
    finding: String,
    /// The page.
    #[output]
    source: String,
}

#[derive(Field)]
struct Query {
    /// One or two words.
    words: String,
}

#[derive(Field)]
struct Page {
    /// Its name, as the search gave it.
    name: String,
}

/// The archive as tools. It takes its time, as an archive does.
fn archive(speed: f64) -> Toolbox {
    let after = move |pause: Duration| {
        let pause = if speed > 0.0 { pause.div_f64(speed) } else { Duration::ZERO };
        tokio::time::sleep(pause)
    };
    let search =
        tool_fn("search", "Searches the archive for pages.", move |query: Query| async move {
            after(SEARCH).await;
            corpus::search(&query.words)
        });
    let read = tool_fn("read", "Reads a page of the archive.", move |page: Page| async move {
        after(READ).await;
        corpus::read(&page.name)
    });
    Toolbox::new().with(search).with(read)
}

/// What the simulated model does, in both roles.
fn script() -> Script {
    SUBJECTS.iter().fold(Script::new(), |script, subject| {
        let sides = subject.sides.iter().chain([&subject.afterwards]);
        sides.fold(script.with(lead(subject)), |script, side| script.with(investigator(side)))
    })
}

/// All sides at once, then what came up, then the report.
fn lead(subject: &Subject) -> Entry {
    let [first, others @ ..] = &subject.sides;
    let ask = |side: &Side| json!({ "question": side.question });
    let entry = Entry::when(subject.topic)
        .call("investigate", ask(first))
        .thought("Its sides can be looked into at the same time.");
    let entry = others.iter().fold(entry, |entry, side| entry.and_call("investigate", ask(side)));
    let sources: Vec<_> = subject.sides.iter().map(|side| side.page).collect();
    entry
        .call("investigate", ask(&subject.afterwards))
        .thought("One thing is still open.")
        .call("finish", json!({ "report": subject.report, "sources": sources }))
}

/// Two searches at once, then two pages of which one is gone, then the finding.
fn investigator(side: &Side) -> Entry {
    let [one, other] = side.words;
    Entry::when(side.question)
        .call("search", json!({ "words": one }))
        .and_call("search", json!({ "words": other }))
        .call("read", json!({ "name": side.page }))
        .and_call("read", json!({ "name": corpus::GONE }))
        .thought("Two pages look good.")
        .call("finish", json!({ "finding": side.finding, "source": side.page }))
}

/// Writes one report.
pub(super) struct Editor {
    lead: ReAct<Report>,
}

impl Editor {
    pub(super) fn new(lm: &Lm, speed: f64) -> Self {
        let investigator = ReAct::<Investigate>::new(lm, archive(speed)).max_iterations(6);
        let about = "Has a question looked into, and returns what was found and where.";
        let tools = Toolbox::new().with(module_tool("investigate", about, investigator));
        Self { lead: ReAct::new(lm, tools).max_iterations(6) }
    }
}

impl Program for Editor {
    fn serve(&self, number: u64) -> BoxFuture<'_, Result<Served, Error>> {
        Box::pin(async move {
            let topic = topic(number);
            let reply = self.lead.call(ReportInput { topic: topic.clone() }).await?;
            let did = format!("asks: {topic} ({} sources)", reply.sources.len());
            Ok(Served::new(&reply, did, reply.report.clone()))
        })
    }
}

/// Returns what the n-th report is about, from 1. After the first ones they come again, with a number, so that no two
/// requests are the same.
fn topic(number: u64) -> String {
    let count = SUBJECTS.len() as u64;
    let index = usize::try_from((number - 1) % count).unwrap_or_default();
    let topic = SUBJECTS[index].topic;
    if number <= count { topic.to_owned() } else { format!("{topic} (This is number {number}.)") }
}
