//! Embeddings over real HTTP, and documents that are found by them: spans, usage, cost, gates and faults.

use crate::provider::{failing, fast_retries, serve, sim};
use crate::stage::Stage;
use axum::routing::post;
use axum::{Json, Router};
use glassbox::trace::span::{Detail, Embedding, Span, Status};
use glassbox::watch::Budget;
use glassbox::{
    Cost, Document, Embedder, EmbeddingModel, EmbeddingModelBuilder, Error, ErrorKind, EventName,
    Module, Retriever, RetryPolicy, Usage, VectorIndex,
};
use glassbox_sim::{Fault, FaultPlan, Sim};
use rust_decimal_macros::dec;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn model(sim: &Sim) -> EmbeddingModelBuilder {
    EmbeddingModel::builder("openai/text-embedding-3-small")
        .base_url(sim.openai_url())
        .api_key("test")
        .retry(fast_retries())
}

#[track_caller]
fn embedding(span: &Span) -> &Embedding {
    match &span.detail {
        Detail::Embedding(embedding) => embedding,
        detail => panic!("{} is no embedding: {detail:?}", span.name),
    }
}

fn guide() -> [Document; 3] {
    [
        Document::new("breakfast", "Breakfast is served from seven until ten."),
        Document::new("pool", "The pool is on the roof."),
        Document::new("parking", "Parking is free for guests."),
    ]
}

#[tokio::test]
async fn an_embedding_has_its_model_usage_and_cost() {
    let sim = sim();
    let stage = Stage::new();
    let model = model(&sim).dimensions(64).build().unwrap();
    let embedded = stage.scope().run(model.embed(["a cup of tea", "coffee"])).await.unwrap();
    assert_eq!(embedded.vectors.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64]);
    assert_eq!(embedded.usage, Usage { input: Some(5), ..Usage::UNKNOWN });

    let span = stage.span("embeddings text-embedding-3-small");
    let known = embedding(&span);
    assert_eq!(
        (known.usage, known.cost, known.dimensions),
        (embedded.usage, embedded.cost, Some(64))
    );
    assert_eq!(known.cost.total(), Some(dec!(0.0000001)));
    assert_eq!(
        (&*known.provider, known.response_model.as_deref()),
        ("openai", Some("text-embedding-3-small"))
    );
    assert_eq!(span.input.as_ref().unwrap().render(), json!(["a cup of tea", "coffee"]));
    let sent = sim.requests()[0].json();
    assert_eq!(
        (&sent["input"], &sent["dimensions"]),
        (&json!(["a cup of tea", "coffee"]), &json!(64))
    );
}

#[tokio::test]
async fn nothing_is_asked_for_no_texts() {
    let (sim, none): (_, [&str; 0]) = (sim(), []);
    let embedded = model(&sim).build().unwrap().embed(none).await.unwrap();
    assert!(embedded.vectors.is_empty() && sim.requests().is_empty());
}

#[tokio::test]
async fn gates_are_asked_before_each_attempt() {
    let sim = sim();
    let budget = Budget::tokens(100);
    let model = model(&sim).gate(budget.clone()).build().unwrap();
    model.embed(["a cup of tea"]).await.unwrap();
    assert_eq!((budget.spent().tokens, budget.reserved().tokens), (3, 0));
    // What is reserved is bounded by the bytes.
    let stage = Stage::new();
    let error = stage.scope().run(model.embed(["tea".repeat(50)])).await.unwrap_err();
    assert!(error.is_budget(), "{error}");
    assert_eq!(sim.requests().len(), 1);
    let span = stage.span("embeddings text-embedding-3-small");
    assert_eq!(span.status, Status::error("budget_exceeded", error.to_string()));
    assert_eq!((embedding(&span).usage, embedding(&span).cost), (Usage::ZERO, Cost::ZERO));
}

#[tokio::test]
async fn what_may_work_later_is_tried_again() {
    let plan = FaultPlan::none()
        .on_request(1, Fault::RateLimited { retry_after: Duration::ZERO })
        .on_request(2, Fault::Overloaded)
        .on_request(3, Fault::Truncated);
    let sim = failing(plan);
    let stage = Stage::new();
    let model = model(&sim).build().unwrap();
    let embedded = stage.scope().run(model.embed(["tea"])).await.unwrap();
    // The third attempt broke off when the provider had done its work.
    assert!(embedded.usage.input == Some(1) && embedded.cost.is_unknown());
    insta::assert_snapshot!(stage.tree(), @r"
    embeddings text-embedding-3-small [embedding]
      attempt 1 (429) [span] error: 429
      attempt 2 (503) [span] error: 503
      attempt 3 (network) [span] error: network
    ");
    assert_eq!(stage.count(EventName::LlmWait), 3);
}

#[tokio::test]
async fn errors_are_those_of_any_model() {
    let check = async |fault: Fault, kind: ErrorKind| {
        let sim = failing(FaultPlan::none().always(fault));
        let model = model(&sim)
            .retry(RetryPolicy::never())
            .timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        let error = model.embed(["tea"]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.model(), Some("openai/text-embedding-3-small"));
    };
    check(Fault::ServerError(500), ErrorKind::Server).await;
    check(Fault::Reset, ErrorKind::Network).await;
    check(Fault::Stall, ErrorKind::Timeout).await;
    check(Fault::MalformedJson, ErrorKind::Malformed).await;

    let error = model(&sim()).dimensions(0).build().unwrap_err();
    assert!(error.to_string().ends_with("type at least 1"), "{error}");
    let sim = sim();
    let error = model(&sim).dimensions(9999).build().unwrap().embed(["tea"]).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::BadRequest, 1));
}

#[tokio::test]
async fn an_answer_with_too_few_vectors_is_refused() {
    let answer = async || {
        Json(json!({ "model": "m", "usage": { "prompt_tokens": 1, "total_tokens": 1 },
            "data": [{ "index": 0, "embedding": [1.0, 0.0] }] }))
    };
    let url = serve(Router::new().route("/v1/embeddings", post(answer))).await;
    let model = EmbeddingModel::builder("openai/m").base_url(format!("{url}/v1"));
    let model = model.retry(RetryPolicy::never()).build().unwrap();
    let error = model.embed(["one", "two"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("1 vectors for 2 texts"), "{error}");
}

/// Answers with the document that fits best.
struct Concierge {
    guide: VectorIndex<EmbeddingModel>,
}

impl Module for Concierge {
    type Input = String;
    type Output = String;

    async fn forward(&self, input: Arc<String>) -> Result<String, Error> {
        let found = self.guide.retrieve(input.as_str(), 2).await?;
        Ok(found.into_iter().map(|document| document.content).collect::<Vec<_>>().join(" "))
    }
}

#[tokio::test]
async fn documents_are_found_by_what_they_mean() {
    let sim = sim();
    let guide_of_hotel = VectorIndex::new("hotel guide", model(&sim).build().unwrap());
    assert!(guide_of_hotel.is_empty());
    guide_of_hotel.add(guide()).await.unwrap();
    guide_of_hotel.add([Document::new("pool", "The pool is closed.")]).await.unwrap();
    assert_eq!(guide_of_hotel.len(), 3);

    let stage = Stage::new();
    let concierge = Concierge { guide: guide_of_hotel };
    let question = "When is breakfast served?".to_owned();
    let answer = stage.scope().run(concierge.call(question)).await.unwrap();
    assert!(answer.starts_with("Breakfast is served from seven"), "{answer}");
    insta::assert_snapshot!(stage.tree(), @r"
    Concierge.forward [span]
      retrieval hotel guide [retriever]
        embeddings text-embedding-3-small [embedding]
    ");
    let span = stage.span("retrieval hotel guide");
    assert_eq!(span.input.as_ref().unwrap().to_text(), "When is breakfast served?");
    let output = span.output.as_ref().unwrap().render();
    assert_eq!((output.as_array().unwrap().len(), &output[0]["id"]), (2, &json!("breakfast")));
    assert!(output[0]["score"].as_f64() > output[1]["score"].as_f64());
    assert_eq!(output[0]["metadata"], Value::Null);
}
