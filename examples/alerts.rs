//! Watching a program: alerts on errors and latency, and a regression against a baseline. With `--runs N` it also makes
//! N comparisons of real calls between which nothing changed, and counts the false alarms.
//!
//! `cargo run -p glassbox-examples --example alerts [-- --runs 200]`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use glassbox::watch::regression::{Sampler, Samples};
use glassbox::watch::{Alerts, Regression};
use glassbox::{Bus, Error, Event, EventData, Lm, Module, Predict, Signature, parallel, scope};
use glassbox_sim::{Fault, FaultPlan, Latency, Sim};
use std::time::Duration;

/// Tell a fact about the number.
#[derive(Signature)]
struct NumberFact {
    #[input]
    number: u64,
    #[output]
    fact: String,
}

const RULES: &str = r#"
    [[alert]]
    name = "many errors"
    measure = "error_share"
    above = 0.3
    clear = 0.1
    window = "1m"
    min_samples = 5
    labels = { team = "facts" }

    [[alert]]
    name = "slow answers"
    measure = "latency_p95"
    above = "30ms"
    window = "1m"
    model = "openai/*"
"#;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let _observing = glassbox::observe()?;
    // Its answers take 40 ms, by and large.
    let usual = Latency {
        first_token: Duration::from_millis(40),
        first_token_sigma: 0.1,
        ..Latency::none()
    };
    let slower = Latency { first_token: usual.first_token.mul_f64(1.3), ..usual };
    let before = Provider::start(usual)?;
    let now = Provider::start(slower)?;

    println!("Two rules watch the calls:");
    let bus = Bus::global();
    let _told = glassbox::subscribe("*", |event: &Event| match &event.data {
        EventData::AlertFired(alert) => println!("  FIRED    {}", alert.message),
        EventData::AlertResolved(alert) => println!("  RESOLVED {}", alert.message),
        EventData::RegressionDetected(found) => {
            println!("  WORSE    {} of {}", found.measure, found.subject);
        }
        _ => {}
    })?;
    let watching = Alerts::from_toml(RULES)?.start(&bus)?;
    before.sim.set_faults(FaultPlan::none().always(Fault::ServerError(400)));
    before.ask(&bus, 0..6).await;
    before.sim.set_faults(FaultPlan::none());
    before.ask(&bus, 6..80).await;
    let firing: Vec<_> = watching.firing().iter().map(|alert| alert.rule.to_string()).collect();
    assert_eq!(firing, ["slow answers"]);
    drop(watching);

    println!("\nThe same calls before and after the provider got slower by 30 percent:");
    let baseline = before.samples(0..40).await?;
    let file = std::env::temp_dir().join(format!("glassbox-example-{}.json", std::process::id()));
    baseline.save(&file).map_err(Error::other)?;
    let baseline = Samples::load(&file).map_err(Error::other)?;
    // It was only to show that a baseline can be kept; that it stays would not matter.
    let _removed = std::fs::remove_file(&file);
    let watch = Regression::against(baseline).watch(&bus, 200, Duration::from_millis(100))?;
    now.ask(&bus, 100..140).await;
    let report = watch.report();
    drop(watch);
    println!("\n{report}");
    assert!(report.worse().any(|finding| &*finding.facts.measure == "latency_ms"));

    if let Some(runs) = runs() {
        let mut alarms = 0;
        for run in 1..=runs {
            // They take turns, so that a machine that gets busier does so for both.
            let buses = [Bus::new(), Bus::new()];
            let samplers = [
                Sampler::start(&buses[0], Sampler::KEPT)?,
                Sampler::start(&buses[1], Sampler::KEPT)?,
            ];
            let calls = (0..80).map(|call| {
                let asked = before.facts.call(NumberFactInput { number: run * 1_000 + call });
                scope().bus(&buses[(call % 2) as usize]).run(asked)
            });
            for answer in parallel(8, calls).await {
                answer?;
            }
            let [one, other] = samplers.map(|sampler| sampler.samples());
            let report = Regression::against(one).min_change(0.0).compare(&other);
            alarms += u64::from(!report.findings.is_empty());
            if run % 10 == 0 {
                println!("{alarms} of {run} comparisons without a change had a finding");
            }
        }
    }
    Ok(())
}

/// A simulated provider, and a module that asks it.
struct Provider {
    sim: Sim,
    facts: Predict<NumberFact>,
}

impl Provider {
    fn start(latency: Latency) -> Result<Self, Error> {
        let sim = Sim::builder().latency(latency).start().map_err(Error::other)?;
        let lm =
            Lm::builder("openai/gpt-4o-mini").base_url(sim.openai_url()).api_key("sim").build()?;
        Ok(Self { sim, facts: Predict::new(&lm) })
    }

    /// Asks once for each number, a few at a time. What fails is for the alerts to tell.
    async fn ask(&self, bus: &Bus, numbers: std::ops::Range<u64>) {
        let calls = numbers.map(|number| self.facts.call(NumberFactInput { number }));
        scope().bus(bus).run(parallel(4, calls)).await;
    }

    /// Asks on a bus of its own, and returns what was sampled.
    async fn samples(&self, numbers: std::ops::Range<u64>) -> Result<Samples, Error> {
        let bus = Bus::new();
        let sampler = Sampler::start(&bus, Sampler::KEPT)?;
        self.ask(&bus, numbers).await;
        Ok(sampler.samples())
    }
}

/// Returns the number after `--runs`.
fn runs() -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--runs");
    arguments.nth(1)?.parse().ok()
}
