//! Regressions: what changed is found, what did not is left alone, as often as the level says.

use glassbox_events::bus::Bus;
use glassbox_events::context::Context;
use glassbox_events::event::{Event, EventData, EventName};
use glassbox_events::open_span::{Family, OpenSpan};
use glassbox_events::scope::Scope;
use glassbox_events::watch::Regression;
use glassbox_events::watch::regression::{Measure, Report, Sampler, Samples};
use glassbox_trace::cost::{Cost, CostDetails};
use glassbox_trace::span::{Detail, Generation, Status};
use glassbox_trace::usage::Usage;
use rust_decimal_macros::dec;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Draws what calls take and cost: latencies with a long tail, tokens with a little spread, rare errors and retries.
struct World {
    dice: fastrand::Rng,
    /// The latency of `Slow.forward`, as a part of what it was.
    slow_down: f64,
}

impl World {
    fn new(seed: u64) -> Self {
        Self { dice: fastrand::Rng::with_seed(seed), slow_down: 1.0 }
    }

    /// A number near zero that is normal enough: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.dice.f64()).sum::<f64>() - 6.0
    }

    /// Three modules, each with a model call in it, called so many times.
    fn run(&mut self, calls: usize) -> Samples {
        let mut samples = Samples::default();
        for module in ["Slow", "Plan", "Write"] {
            for _ in 0..calls {
                let part = if module == "Slow" { self.slow_down } else { 1.0 };
                // One call in fifty hangs.
                let hangs = if self.dice.f64() < 0.02 { 10.0 } else { 1.0 };
                let latency = 800.0 * (0.2 * self.normal()).exp() * part * hangs;
                let tokens = (650.0 + 80.0 * self.normal()).round();
                let failed = f64::from(u8::from(self.dice.f64() < 0.03));
                let retries = f64::from(u8::from(self.dice.f64() < 0.1));
                let subjects = [
                    format!("{module}.forward"),
                    format!("{module}.forward > chat openai/gpt-4o-mini"),
                ];
                for subject in &subjects {
                    // The module itself takes a little as well.
                    let own = if subject.contains('>') { 0.0 } else { 5.0 * self.dice.f64() };
                    samples.add(subject, Measure::LatencyMs, latency + own);
                    samples.add(subject, Measure::Tokens, tokens);
                    samples.add(subject, Measure::CostUsd, tokens * 0.4e-6);
                    samples.add(subject, Measure::ErrorShare, failed);
                    samples.add(subject, Measure::Retries, retries);
                }
            }
        }
        samples
    }
}

fn found(report: &Report) -> Vec<(&str, &str)> {
    report
        .findings
        .iter()
        .map(|finding| (&*finding.facts.subject, &*finding.facts.measure))
        .collect()
}

#[test]
fn two_hundred_runs_without_a_change_alarm_as_seldom_as_the_level_says() {
    let mut alarms = 0;
    for seed in 0..200 {
        let (before, now) = (World::new(2 * seed).run(40), World::new(2 * seed + 1).run(40));
        // Every difference matters here, however small.
        let report = Regression::against(before).min_change(0.0).seed(seed).compare(&now);
        // Where no call failed on either side, there is nothing to compare.
        assert!((24..=30).contains(&report.comparisons));
        alarms += usize::from(!report.findings.is_empty());
    }
    // Five percent of 200.
    assert!(alarms <= 10, "{alarms} of 200");
}

#[test]
fn a_module_that_is_slower_by_thirty_percent_is_found() {
    let mut hits = 0;
    for seed in 1_000..1_010 {
        let before = World::new(2 * seed).run(100);
        let now = World { slow_down: 1.3, ..World::new(2 * seed + 1) }.run(100);
        let report = Regression::against(before).seed(seed).compare(&now);
        let slow = |(subject, measure): &&(&str, &str)| {
            subject.starts_with("Slow.forward") && *measure == "latency_ms"
        };
        hits += usize::from(found(&report).iter().filter(slow).count() == 2);
    }
    assert!(hits >= 9, "{hits} of 10");
}

#[test]
fn the_same_samples_and_seed_give_the_same_report() {
    let before = World::new(1).run(60);
    let now = World { slow_down: 1.5, ..World::new(2) }.run(60);
    let regression = Regression::against(before).seed(3);
    assert_eq!(regression.compare(&now), regression.compare(&now));
    let printed = regression.compare(&now).to_string();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}");
    assert!(lines[0].trim_start().starts_with("measure     before   now  change"), "{printed}");
    assert!(
        lines[1].starts_with("worse  latency_ms") && lines[1].contains("Slow.forward"),
        "{printed}"
    );
    assert_eq!(lines[3], "30 comparisons, level 0.05");
}

#[test]
fn what_has_too_few_samples_is_not_judged() {
    let mut now = World { slow_down: 3.0, ..World::new(2) }.run(19);
    now.add("New.forward", Measure::LatencyMs, 1.0);
    let report = Regression::against(World::new(1).run(60)).compare(&now);
    assert_eq!((report.comparisons, report.findings.len(), report.skipped.len()), (0, 0, 7));
    assert_eq!(
        report.to_string(),
        "nothing differs beyond noise (0 comparisons, level 0.05); 7 subjects have too few samples"
    );
}

#[test]
fn a_change_that_does_not_matter_is_not_told() {
    let (mut before, mut now) = (Samples::default(), Samples::default());
    for call in 0..200 {
        before.add("A", Measure::LatencyMs, 100.0 + f64::from(call % 3));
        now.add("A", Measure::LatencyMs, 103.0 + f64::from(call % 3));
    }
    assert!(Regression::against(before.clone()).compare(&now).findings.is_empty());
    let strict = Regression::against(before.clone()).min_change(0.01).compare(&now);
    assert!(strict.findings[0].worse);
    // The other way round it is better, and no alarm.
    let better = Regression::against(now).min_change(0.01).compare(&before);
    assert_eq!((better.findings.len(), better.worse().count()), (1, 0));
}

#[test]
fn a_baseline_survives_its_file() {
    let folder = std::env::temp_dir().join(format!("glassbox-baseline-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("baseline.json");
    let samples = World::new(5).run(30);
    samples.save(&path).unwrap();
    assert_eq!(Samples::load(&path).unwrap(), samples);
    std::fs::write(&path, "[]").unwrap();
    let error = Samples::load(&path).unwrap_err().to_string();
    assert!(
        error.ends_with("baseline.json: this is no baseline: it has no `glassbox_baseline`"),
        "{error}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(Samples::load(&path).is_err());
}

/// An agent of two turns, each with a model call; the second call needs a retry.
fn agent(bus: &Bus, status: &Status) {
    let scope = Scope::new().bus(bus);
    let agent =
        OpenSpan::begin(scope.context(), Family::Module, &"ReAct(Q)".into(), Detail::Span, None);
    for turn in 1..=2 {
        let name = format!("turn {turn}").into();
        let span = OpenSpan::begin(agent.context(), Family::Module, &name, Detail::Span, None);
        call(span.context(), turn);
        span.end(Status::Ok, None);
    }
    agent.end(status.clone(), None);
}

fn call(above: &Context, attempts: u32) {
    let input = dec!(0.5);
    let generation = Generation {
        provider: "openai".into(),
        request_model: "m".into(),
        usage: Usage { input: Some(100), output: Some(10), ..Usage::default() },
        cost: Cost::known(CostDetails { input, ..CostDetails::default() }),
        attempts,
        ..Generation::default()
    };
    let detail = Detail::Generation(Box::new(generation));
    OpenSpan::begin(above, Family::Llm, &"chat m".into(), detail, None).end(Status::Ok, None);
}

#[test]
fn turns_are_one_subject_and_an_agent_adds_up_what_its_calls_use() {
    let bus = Bus::new();
    let sampler = Sampler::start(&bus, 3).unwrap();
    agent(&bus, &Status::Ok);
    agent(&bus, &Status::error("timeout", "no answer"));
    // Nobody wanted these any more: they say nothing.
    agent(&bus, &Status::error("cancelled", "the call was cancelled"));
    let samples = sampler.samples();
    let subjects: Vec<_> = samples.subjects().collect();
    assert_eq!(subjects, ["ReAct(Q)", "ReAct(Q) > turn", "ReAct(Q) > turn > chat openai/m"]);
    assert_eq!(samples.values("ReAct(Q)", Measure::Tokens), [220.0]);
    assert_eq!(samples.values("ReAct(Q)", Measure::CostUsd), [1.0]);
    assert_eq!(samples.values("ReAct(Q)", Measure::Retries), [1.0, 1.0]);
    assert_eq!(samples.values("ReAct(Q)", Measure::ErrorShare), [0.0, 1.0]);
    assert_eq!(samples.values("ReAct(Q) > turn", Measure::Tokens), [110.0; 3]);
    // The latest three of six.
    assert_eq!(
        samples.values("ReAct(Q) > turn > chat openai/m", Measure::Retries),
        [1.0, 0.0, 1.0]
    );
    assert_eq!(sampler.missed(), 0);
    sampler.clear();
    assert_eq!(sampler.samples(), Samples::default());
}

#[test]
fn what_got_worse_is_told_once() {
    let bus = Bus::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let told = move |event: &Event| log.lock().unwrap().push(event.data.clone());
    let _subscription = bus.on("regression.detected", told).unwrap();
    let mut baseline = Samples::default();
    for _ in 0..30 {
        baseline.add("ReAct(Q)", Measure::Tokens, 110.0);
    }
    let watching =
        Regression::against(baseline).watch(&bus, 100, Duration::from_millis(5)).unwrap();
    for _ in 0..30 {
        agent(&bus, &Status::Ok);
    }
    let report = watching.report();
    assert_eq!(found(&report), [("ReAct(Q)", "tokens")]);
    while heard.lock().unwrap().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(50));
    drop(watching);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].name(), EventName::RegressionDetected);
    let EventData::RegressionDetected(facts) = &heard[0] else { panic!("{heard:?}") };
    assert_eq!(
        (facts.baseline, facts.current, facts.low, facts.high),
        (110.0, 220.0, 110.0, 110.0)
    );
}
