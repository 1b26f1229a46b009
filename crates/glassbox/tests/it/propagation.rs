//! A trace goes on across services: in by a request's headers, out by those of a model's call, if that is wanted.

use crate::coffee_shop::{CoffeeShopAgent, latte};
use crate::provider::{Wire, sim};
use crate::stage::Stage;
use glassbox::Module;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn header(name: &str) -> Option<&'static str> {
    [("traceparent", TRACEPARENT), ("tracestate", "gate=7")]
        .into_iter()
        .find_map(|(other, value)| (other == name).then_some(value))
}

#[tokio::test]
async fn a_gateway_sees_the_generation_as_its_parent() {
    for wire in Wire::ALL {
        for stream in [false, true] {
            let (sim, stage) = (sim(), Stage::new());
            let lm = wire.lm(&sim).stream(stream).propagate_trace_context(true).build().unwrap();
            let agent = CoffeeShopAgent::new(&lm);
            stage.scope().from_headers(header).run(agent.call(latte())).await.unwrap();

            let spans = stage.spans();
            assert!(spans.iter().all(|span| span.trace_id.to_string() == TRACE));
            let root = stage.span("CoffeeShopAgent.forward");
            assert_eq!(root.parent_id.unwrap().to_string(), "b7ad6b7169203331");
            let generation = &stage.generations()[0];
            let [request] = &sim.requests()[..] else { panic!("one request") };
            let expected = format!("00-{TRACE}-{}-01", generation.span_id);
            assert_eq!(request.header("traceparent"), Some(expected.as_str()), "{wire:?} {stream}");
            assert_eq!(request.header("tracestate"), Some("gate=7"));
        }
    }
}

#[tokio::test]
async fn a_provider_is_told_nothing_unless_asked() {
    for wire in Wire::ALL {
        let (sim, stage) = (sim(), Stage::new());
        let agent = CoffeeShopAgent::new(&wire.lm(&sim).build().unwrap());
        stage.scope().from_headers(header).run(agent.call(latte())).await.unwrap();
        for request in sim.requests() {
            assert_eq!((request.header("traceparent"), request.header("tracestate")), (None, None));
        }
    }
}
