//! How long answers take, and how many can be had at once.

use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use glassbox_sim::{Latency, Provider, Sim};

use crate::client::{HAMBURGERS, call, shop, warm_up};

#[tokio::test]
async fn a_request_takes_the_same_time_whenever_it_arrives() {
    warm_up().await;
    let timed = |sim: Sim, order: [usize; 3]| async move {
        let mut times = [Duration::ZERO; 3];
        for which in order {
            let call = call(&sim, Provider::OpenAi, false, &format!("{HAMBURGERS} {which}"));
            let start = Instant::now();
            call.exchange().await;
            times[which] = start.elapsed();
        }
        times
    };
    let latency = Latency {
        first_token: Duration::from_millis(300),
        first_token_sigma: 0.8,
        per_token: Duration::ZERO,
        ..Latency::default()
    };
    let start = || shop().latency(latency).start().unwrap();
    let (one, other) = join(timed(start(), [0, 1, 2]), timed(start(), [2, 1, 0])).await;
    for (one, other) in one.into_iter().zip(other) {
        assert!(one.abs_diff(other) < Duration::from_millis(100), "{one:?} and {other:?}");
    }
}

#[tokio::test]
async fn streams_are_paced() {
    warm_up().await;
    let latency = Latency {
        first_token: Duration::from_millis(100),
        per_token: Duration::from_millis(10),
        first_token_sigma: 0.0,
        per_token_sigma: 0.0,
    };
    let sim = shop().latency(latency).start().unwrap();
    let start = Instant::now();
    let mut response = call(&sim, Provider::OpenAi, true, HAMBURGERS).send().await.unwrap();
    let mut arrivals = Vec::new();
    while response.chunk().await.unwrap().is_some() {
        arrivals.push(start.elapsed());
    }
    let tokens = sim.requests()[0].tokens.unwrap().1 as u32;
    let expected = Duration::from_millis(100) + Duration::from_millis(10) * tokens;
    assert!(
        arrivals[0] >= Duration::from_millis(100)
            && arrivals[0] < expected - Duration::from_millis(100),
        "{:?}",
        arrivals[0]
    );
    assert!(arrivals.len() > 8, "{} chunks", arrivals.len());
    let end = *arrivals.last().unwrap();
    assert!(
        end >= expected && end < expected + Duration::from_millis(500),
        "{end:?}, not {expected:?}"
    );
}

#[tokio::test]
async fn hundreds_of_connections_at_once() {
    warm_up().await;
    let latency = Latency {
        first_token: Duration::from_secs(1),
        per_token: Duration::ZERO,
        ..Latency::default()
    };
    let sim = shop().latency(latency).start().unwrap();
    let calls = (0..250).map(|number| {
        let call = call(&sim, Provider::OpenAi, number % 2 == 0, &format!("{HAMBURGERS} {number}"));
        async move { call.send().await.unwrap().text().await.unwrap().len() }
    });
    let start = Instant::now();
    assert!(join_all(calls).await.into_iter().all(|length| length > 300));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let counters = sim.counters();
    assert_eq!((counters.calls, counters.succeeded, counters.in_flight), (250, 250, 0));
    assert!(counters.connections >= 200 && counters.most_in_flight >= 200, "{counters:?}");
}

#[tokio::test]
async fn no_more_calls_at_once_than_allowed() {
    warm_up().await;
    let latency = Latency {
        first_token: Duration::from_millis(600),
        per_token: Duration::ZERO,
        ..Latency::default()
    };
    let sim = shop().latency(latency).max_concurrent(3).start().unwrap();
    let calls = (0..8).map(|number| {
        let call = call(&sim, Provider::Gemini, number % 2 == 0, &format!("{HAMBURGERS} {number}"));
        async move { call.send().await.unwrap().status().as_u16() }
    });
    let statuses = join_all(calls).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5, "{statuses:?}");
    assert_eq!(sim.counters().most_in_flight, 3);
    let after = call(&sim, Provider::Gemini, false, HAMBURGERS).send().await.unwrap();
    assert_eq!(after.status(), 200);
}
