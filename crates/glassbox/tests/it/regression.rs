//! A module that gets slower is found by real calls, and its neighbour is left alone.

use glassbox::watch::Regression;
use glassbox::watch::regression::{Sampler, Samples};
use glassbox::{Bus, Error, Field, Lm, Message, Module, Request};
use glassbox_sim::{Latency, Sim};
use std::sync::Arc;
use std::time::Duration;

#[derive(Field, Clone, Debug)]
struct Question {
    text: String,
}

struct Steady(Lm);

impl Module for Steady {
    type Input = Question;
    type Output = String;

    async fn forward(&self, input: Arc<Question>) -> Result<String, Error> {
        ask(&self.0, &input).await
    }
}

struct Slowed(Lm);

impl Module for Slowed {
    type Input = Question;
    type Output = String;

    async fn forward(&self, input: Arc<Question>) -> Result<String, Error> {
        ask(&self.0, &input).await
    }
}

async fn ask(lm: &Lm, question: &Question) -> Result<String, Error> {
    let answer = lm.generate(Request::new([Message::user(question.text.clone())])).await?;
    Ok(answer.message.to_text())
}

/// A provider whose answers take so many milliseconds, by and large.
fn provider(millis: f64) -> (Sim, Lm) {
    let first_token = Duration::from_secs_f64(millis / 1_000.0);
    let latency = Latency { first_token, first_token_sigma: 0.1, ..Latency::none() };
    let sim = Sim::builder().latency(latency).start().unwrap();
    let lm = Lm::builder("openai/gpt-4o-mini").base_url(sim.openai_url()).api_key("k");
    let lm = lm.build().unwrap();
    (sim, lm)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_is_slower_by_thirty_percent_is_reported() {
    // Long waits, so that what a busy machine adds is small.
    let ((_steady_sim, steady), (_before_sim, before), (_now_sim, now)) =
        (provider(80.0), provider(80.0), provider(80.0 * 1.3));
    let buses = [Bus::new(), Bus::new()];
    let samplers = buses.each_ref().map(|bus| Sampler::start(bus, Sampler::KEPT).unwrap());
    let slowed = [Slowed(before), Slowed(now)];
    let steady = Steady(steady);
    for round in 0..40 {
        // Before and now take turns, so that a machine that gets busier does so for both.
        for (at, bus) in buses.iter().enumerate() {
            let question = || Question { text: format!("Question {round}-{at}: why?") };
            let both = async {
                let (slowed, steady) = (slowed[at].call(question()), steady.call(question()));
                let (one, other) = futures::join!(slowed, steady);
                one.and(other)
            };
            glassbox::scope().bus(bus).run(both).await.unwrap();
        }
    }
    let [before, now] = samplers.map(|sampler| sampler.samples());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json");
    before.save(&path).unwrap();

    let regression = Regression::against(Samples::load(&path).unwrap());
    let report = regression.compare(&now);
    let mut worse: Vec<_> = report
        .worse()
        .map(|finding| (finding.facts.measure.to_string(), finding.facts.subject.to_string()))
        .collect();
    worse.sort();
    let latency = |subject: &str| ("latency_ms".to_owned(), subject.to_owned());
    let slowed = ["Slowed.forward", "Slowed.forward > chat openai/gpt-4o-mini"].map(latency);
    assert_eq!(worse, slowed, "{report}");
    // Against itself nothing changed.
    assert!(Regression::against(before.clone()).compare(&before).findings.is_empty());
}
