//! Answers that were given before.

use crate::coffee_shop::{CoffeeShop, latte};
use crate::provider::{Wire, failing, sim};
use crate::stage::{Stage, generation};
use glassbox::watch::Budget;
use glassbox::{
    Cache, CachePolicy, ChainOfThought, Cost, Delta, Lm, Message, Module, Request, Usage,
};
use glassbox_sim::{Fault, FaultPlan, Latency, Sim};
use std::time::Duration;

fn memory() -> Cache {
    Cache::memory(CachePolicy::default())
}

fn question() -> Request {
    Request::new([Message::user("Which tea?")])
}

#[tokio::test]
async fn a_hit_costs_nothing_and_says_so() {
    let (sim, stage, cache, budget) = (sim(), Stage::new(), memory(), Budget::calls(1));
    let lm = Wire::OpenAi.lm(&sim).cache(&cache).build().unwrap();
    let barista = ChainOfThought::<CoffeeShop>::new(&lm);
    let scope = stage.scope().gate(budget.clone());
    let (first, second) =
        scope.run(async { (barista.call(latte()).await, barista.call(latte()).await) }).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.friendly_response, second.friendly_response);
    assert!(first.usage().total() > 0);
    assert_eq!((second.usage(), second.cost()), (Usage::ZERO, Cost::ZERO));
    // The budget allows one call, and the second was none.
    assert_eq!((sim.counters().calls, budget.spent().calls), (1, 1));

    let calls = stage.generations();
    let (miss, hit) = (generation(&calls[0]), generation(&calls[1]));
    assert!(!miss.cache_hit && hit.cache_hit);
    assert_eq!((hit.attempts, hit.usage, hit.cost), (0, Usage::ZERO, Cost::ZERO));
    assert_eq!((&hit.output, &hit.response_model), (&miss.output, &miss.response_model));
    assert_eq!((cache.hits(), cache.misses()), (1, 1));
}

#[tokio::test]
async fn every_rollout_is_an_answer_of_its_own() {
    let (sim, cache) = (sim(), memory());
    let lm = Wire::OpenAi.lm(&sim).cache(&cache).build().unwrap();
    for rollout in [None, Some(1), Some(2), None, Some(2)] {
        lm.generate(Request { rollout, ..question() }).await.unwrap();
    }
    assert_eq!((sim.counters().calls, cache.hits()), (3, 2));
}

#[tokio::test]
async fn the_same_question_at_the_same_time_is_asked_once() {
    let latency = Latency { first_token: Duration::from_millis(50), ..Latency::none() };
    let sim = Sim::builder().latency(latency).start().unwrap();
    let lm = Wire::OpenAi.lm(&sim).cache(&memory()).build().unwrap();
    let all = glassbox::join_all((0..20).map(|_| lm.generate(question()))).await;
    let usage: Usage = all.iter().map(|answer| answer.as_ref().unwrap().usage).sum();
    let paid = all.iter().filter(|answer| !answer.as_ref().unwrap().cache_hit).count();
    assert_eq!((sim.counters().calls, paid), (1, 1));
    assert!(usage.total() > 0);
}

#[tokio::test]
async fn one_who_fails_or_leaves_lets_the_next_try() {
    let (sim, cache) =
        (failing(FaultPlan::none().on_request(1, Fault::ServerError(400))), memory());
    let lm = Wire::OpenAi.lm(&sim).cache(&cache).build().unwrap();
    let all = glassbox::join_all((0..5).map(|_| lm.generate(question()))).await;
    assert_eq!(all.iter().filter(|answer| answer.is_err()).count(), 1);
    assert_eq!(sim.counters().calls, 2, "the error was not kept");

    let stalled = failing(FaultPlan::none().on_request(1, Fault::Stall));
    let lm = Wire::OpenAi.lm(&stalled).cache(&memory()).build().unwrap();
    let first = tokio::spawn({
        let lm = lm.clone();
        async move { lm.generate(question()).await }
    });
    while stalled.counters().calls == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let second = tokio::spawn(async move { lm.generate(question()).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(stalled.counters().calls, 1, "the second waits for the first");
    first.abort();
    assert!(!second.await.unwrap().unwrap().cache_hit);
}

#[tokio::test]
async fn what_was_cut_off_or_filtered_is_not_kept() {
    for fault in [Fault::Length, Fault::ContentFilter, Fault::Empty] {
        let (sim, cache) = (failing(FaultPlan::none().on_request(1, fault)), memory());
        let lm = Wire::OpenAi.lm(&sim).cache(&cache).build().unwrap();
        lm.generate(question()).await.unwrap();
        assert!(!lm.generate(question()).await.unwrap().cache_hit);
        assert!(lm.generate(question()).await.unwrap().cache_hit);
    }
}

#[tokio::test]
async fn a_hit_can_be_streamed() {
    let (sim, cache) = (sim(), memory());
    let lm = Wire::OpenAi.lm(&sim).cache(&cache).build().unwrap();
    let said = lm.generate(question()).await.unwrap().text();
    let (mut stream, mut text) = (lm.stream(question()), String::new());
    while let Some(delta) = stream.next().await {
        match delta.unwrap() {
            Delta::Text(more) => text.push_str(&more),
            Delta::Done(response) => assert!(response.cache_hit),
            _ => {}
        }
    }
    assert_eq!((text, sim.counters().calls), (said, 1));
}

#[tokio::test]
async fn a_scripted_model_can_have_one_too() {
    let lm = Lm::scripted(["Green."]);
    assert!(lm.generate(question()).await.is_ok());
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::{memory, question};
    use crate::provider::{Wire, sim};
    use glassbox::{Cache, CachePolicy};
    use std::time::Duration;

    #[tokio::test]
    async fn answers_outlive_the_cache_that_kept_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.sqlite");
        let sim = sim();
        let open = |policy| Cache::sqlite(&path, policy).unwrap();
        let ask = async |cache: &Cache| {
            let lm = Wire::OpenAi.lm(&sim).cache(cache).build().unwrap();
            lm.generate(question()).await.unwrap()
        };
        let first = ask(&open(CachePolicy::default())).await;
        let second = ask(&open(CachePolicy::default())).await;
        assert!(!first.cache_hit && second.cache_hit);
        assert_eq!((first.text(), first.model, first.id), (second.text(), second.model, second.id));
        // It is too old for somebody who wants it fresh.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let fresh = CachePolicy { ttl: Some(Duration::from_millis(1)), ..CachePolicy::default() };
        assert!(!ask(&open(fresh)).await.cache_hit);
        assert!(!ask(&memory()).await.cache_hit);

        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_none_is_refused_and_damage_costs_hits_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no.sqlite");
        std::fs::write(&path, "This is a letter to my mother, and a long one, too.").unwrap();
        let error = Cache::sqlite(&path, CachePolicy::default()).unwrap_err();
        assert!(error.to_string().contains("cannot be opened: file is not a database"), "{error}");
        let missing = Cache::sqlite(folder.path().join("no/folder"), CachePolicy::default());
        assert!(missing.is_err());

        let path = folder.path().join("answers.sqlite");
        let cache = Cache::sqlite(&path, CachePolicy::default()).unwrap();
        let sim = sim();
        let lm = Wire::OpenAi.lm(&sim).cache(&cache).build().unwrap();
        lm.generate(question()).await.unwrap();
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("UPDATE answers SET answer = x'00'").unwrap();
        assert!(!lm.generate(question()).await.unwrap().cache_hit);
        other.execute_batch("DROP TABLE answers").unwrap();
        assert!(!lm.generate(question()).await.unwrap().cache_hit);
    }
}
