//! Several candidates for an answer: which one is kept, when the search ends, and what the spans tell.

use crate::stage::Stage;
use glassbox::trace::span::{Detail, Evaluator};
use glassbox::watch::Budget;
use glassbox::{BestOfN, ErrorKind, Lm, Module, Predict, Prediction, Refine, Reply, Signature};
use serde_json::json;
use std::fmt::Write;

/// Write a haiku about the topic.
#[derive(Signature)]
struct Haiku {
    #[input]
    topic: String,
    #[output]
    haiku: String,
}

fn topic() -> HaikuInput {
    HaikuInput { topic: "rust".to_owned() }
}

fn poem(haiku: &str) -> Reply {
    json!({ "haiku": haiku }).into()
}

/// Longer is better.
fn length(_: &HaikuInput, reply: &Prediction<HaikuOutput>) -> f64 {
    reply.haiku.len() as f64
}

/// The tree, and the rewards of the candidates.
fn seen(stage: &Stage) -> String {
    let mut text = stage.tree();
    for span in stage.spans() {
        if let Detail::Evaluator(Evaluator { name, score, label }) = &span.detail {
            let _ = writeln!(text, "{}: {name} {score:?} {label:?}", span.name);
        }
    }
    text
}

#[tokio::test]
async fn the_best_candidate_is_kept() {
    let lm = Lm::scripted(["oak", "a tall beech", "elm"].map(poem));
    let stage = Stage::new();
    let best = BestOfN::new(Predict::<Haiku>::new(&lm), 3, length);
    assert_eq!(stage.scope().run(best.call(topic())).await.unwrap().haiku, "a tall beech");
    insta::assert_snapshot!(seen(&stage), @r#"
    BestOfN(Predict(Haiku)) [chain]
      candidate 1 [evaluator]
        Predict(Haiku) [span]
          chat scripted [generation]
      candidate 2 [evaluator]
        Predict(Haiku) [span]
          chat scripted [generation]
      candidate 3 [evaluator]
        Predict(Haiku) [span]
          chat scripted [generation]
    candidate 1: reward Some(3.0) None
    candidate 2: reward Some(12.0) None
    candidate 3: reward Some(3.0) None
    "#);
}

#[tokio::test]
async fn the_first_that_is_good_enough_ends_the_search() {
    let lm = Lm::scripted(["oak", "beech", "a tall beech"].map(poem));
    let stage = Stage::new();
    let best = BestOfN::new(Predict::<Haiku>::new(&lm), 3, length).threshold(5.0);
    assert_eq!(stage.scope().run(best.call(topic())).await.unwrap().haiku, "beech");
    insta::assert_snapshot!(seen(&stage), @r#"
    BestOfN(Predict(Haiku)) [chain]
      candidate 1 [evaluator]
        Predict(Haiku) [span]
          chat scripted [generation]
      candidate 2 [evaluator]
        Predict(Haiku) [span]
          chat scripted [generation]
    candidate 1: reward Some(3.0) Some("rejected")
    candidate 2: reward Some(5.0) Some("accepted")
    "#);
}

#[tokio::test]
async fn a_candidate_that_fails_counts_for_nothing() {
    let failed = || Reply::Error(400, "no poems today".to_owned());
    let lm = Lm::scripted([failed(), poem("oak"), failed()]);
    let best = BestOfN::new(Predict::<Haiku>::new(&lm), 3, |_, _| f64::NAN);
    assert_eq!(best.call(topic()).await.unwrap().haiku, "oak");

    let lm = Lm::scripted([failed(), failed()]);
    let best = BestOfN::new(Predict::<Haiku>::new(&lm), 2, length);
    assert_eq!(best.call(topic()).await.unwrap_err().kind(), ErrorKind::BadRequest);
}

#[tokio::test]
async fn a_budget_ends_the_search_with_the_best_so_far() {
    let script = || Lm::scripted(["oak", "beech", "a tall beech"].map(poem));
    let stage = Stage::new();
    let best = BestOfN::new(Predict::<Haiku>::new(&script()), 3, length);
    let reply = stage.scope().gate(Budget::calls(2)).run(best.call(topic())).await.unwrap();
    assert_eq!(reply.haiku, "beech");
    assert_eq!(stage.generations().len(), 3, "the last one was refused:\n{}", stage.tree());

    let refused = stage.scope().gate(Budget::calls(0)).run(best.call(topic())).await;
    assert!(refused.unwrap_err().is_budget());
}

#[tokio::test]
async fn advice_from_a_failure_reaches_the_next_candidate() {
    let advice = json!({ "discussion": "It is short.", "advice": "Name a tall tree." });
    let lm = Lm::scripted([poem("oak"), advice.into(), poem("a tall beech")]);
    let stage = Stage::new();
    let refine = Refine::new(Predict::<Haiku>::new(&lm), &lm, 3, length).threshold(10.0);
    assert_eq!(stage.scope().run(refine.call(topic())).await.unwrap().haiku, "a tall beech");
    insta::assert_snapshot!(seen(&stage), @r#"
    Refine(Predict(Haiku)) [chain]
      candidate 1 [evaluator]
        Predict(Haiku) [span]
          chat scripted [generation]
      Predict(OfferAdvice) [span]
        chat scripted [generation]
      candidate 2 [evaluator]
        Predict(Haiku) [span]
          chat scripted [generation]
    candidate 1: reward Some(3.0) Some("rejected")
    candidate 2: reward Some(12.0) Some("accepted")
    "#);

    let questions: Vec<_> = stage
        .generations()
        .iter()
        .map(|call| crate::stage::generation(call).messages.last().unwrap().to_text())
        .collect();
    assert_eq!(questions[0], r#"{"topic":"rust"}"#);
    assert!(questions[1].contains(r#""reward":3.0,"wanted_reward":10.0"#), "{}", questions[1]);
    assert_eq!(
        questions[2],
        "{\"topic\":\"rust\"}\n\nAn earlier answer was not good enough. Advice for this one: Name a tall tree."
    );
}

#[tokio::test]
async fn without_advice_the_next_candidate_is_made_all_the_same() {
    let failed = Reply::Error(400, "no advice today".to_owned());
    let lm = Lm::scripted([poem("oak"), failed, poem("beech")]);
    let refine = Refine::new(Predict::<Haiku>::new(&lm), &lm, 2, length);
    assert_eq!(refine.call(topic()).await.unwrap().haiku, "beech");
}
