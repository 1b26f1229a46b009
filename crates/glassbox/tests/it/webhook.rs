//! Alerts on real calls: they fire, resolve, and are posted, whatever the receiver does.

use crate::coffee_shop::{CoffeeShopAgent, latte};
use crate::provider::{Wire, failing, serve};
use crate::stage::Stage;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use glassbox::watch::alert::Measure;
use glassbox::watch::{Alert, Alerts};
use glassbox::{EventName, Module, RetryPolicy, Webhook};
use glassbox_sim::{Fault, FaultPlan};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::spawn_blocking;

/// A receiver that answers with each of these statuses in turn, and then with 200.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<Vec<u16>>>,
    got: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl Receiver {
    async fn start(answers: &[u16]) -> (Self, String) {
        let mut answers = answers.to_vec();
        answers.reverse();
        let receiver = Self { answers: Arc::new(Mutex::new(answers)), ..Self::default() };
        let router = Router::new().route("/hook", post(receive)).with_state(receiver.clone());
        (receiver, format!("{}/hook", serve(router).await))
    }

    fn states(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter().map(|(_, body)| body["state"].as_str().unwrap().to_owned()).collect()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let body = serde_json::from_slice(&body).unwrap();
    receiver.got.lock().unwrap().push((headers, body));
    let status = receiver.answers.lock().unwrap().pop().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

fn webhook(url: &str) -> Webhook {
    Webhook::new(url).pause(Duration::from_millis(2)).header("x-key", "secret")
}

/// Many errors, of at least three calls; over when fewer than half fail.
fn many_errors() -> Alert {
    Alert::above(Measure::ErrorShare, 0.6)
        .named("many errors")
        .min_samples(3)
        .clear(0.5)
        .module("CoffeeShopAgent*")
        .model("openai/*")
        .label("team", "shop")
}

#[tokio::test]
async fn an_alert_fires_resolves_and_is_posted() {
    let (receiver, url) = Receiver::start(&[500, 429]).await;
    let bad = FaultPlan::none();
    let bad = (1..=3).fold(bad, |plan, number| plan.on_request(number, Fault::ServerError(500)));
    let (sim, stage) = (failing(bad), Stage::new());
    let once = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
    let agent = CoffeeShopAgent::new(&Wire::OpenAi.lm(&sim).retry(once).build().unwrap());
    let alerts = Alerts::new().rule(many_errors()).hook(webhook(&url).start().unwrap());
    let watching = alerts.start(&stage.bus).unwrap();
    for call in 1..=6 {
        let answer = stage.scope().run(agent.call(latte())).await;
        assert_eq!(answer.is_ok(), call > 3);
        // Three of three, of four, of five failed; three of six are half.
        let firing = watching.firing();
        assert_eq!(firing.len(), usize::from((3..=5).contains(&call)), "after call {call}");
        assert!(firing.iter().all(|alert| &*alert.rule == "many errors"));
    }
    // The end waits for what is still to be posted.
    spawn_blocking(move || drop(watching)).await.unwrap();
    assert_eq!(receiver.states(), ["fired", "fired", "fired", "resolved"]);
    assert_eq!(stage.count(EventName::AlertFired), 1);
    assert_eq!(stage.count(EventName::AlertResolved), 1);
    let events = stage.events();
    let fired = events.iter().find(|event| event.name() == EventName::AlertFired).unwrap();
    assert!(fired.span.path().starts_with("CoffeeShopAgent.forward > "));

    let (headers, mut body) = receiver.got.lock().unwrap()[0].clone();
    assert_eq!(headers["x-key"], "secret");
    assert!(body.as_object_mut().unwrap().remove("at").unwrap().as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "state": "fired",
        "alert": "many errors",
        "measure": "error_share",
        "value": 1.0,
        "threshold": 0.6,
        "labels": { "team": "shop" },
        "text": "many errors: error_share is 100.0 percent, above 60.0 percent, over 5m",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn other_modules_and_models_are_not_watched() {
    let (sim, stage) = (failing(FaultPlan::none().always(Fault::ServerError(500))), Stage::new());
    let once = || RetryPolicy { attempts: 1, ..RetryPolicy::default() };
    let other_model = Wire::Gemini.lm(&sim).retry(once()).build().unwrap();
    let same_model = Wire::OpenAi.lm(&sim).retry(once()).build().unwrap();
    let watching = Alerts::new().rule(many_errors()).start(&stage.bus).unwrap();
    for _ in 0..4 {
        let agent = CoffeeShopAgent::new(&other_model);
        assert!(stage.scope().run(agent.call(latte())).await.is_err());
        let module = CoffeeShopAgent::new(&same_model).barista;
        assert!(stage.scope().run(module.call(latte())).await.is_err());
    }
    assert!(watching.firing().is_empty());
    assert_eq!(stage.count(EventName::AlertFired), 0);
}

/// Posts one alert to the address, and returns how long the end of watching took.
async fn post_one(webhook: Webhook) -> Duration {
    let (sim, stage) = (failing(FaultPlan::none()), Stage::new());
    let rule = Alert::above(Measure::Tokens, 1.0);
    let watching =
        Alerts::new().rule(rule).hook(webhook.start().unwrap()).start(&stage.bus).unwrap();
    let agent = CoffeeShopAgent::new(&Wire::OpenAi.lm(&sim).build().unwrap());
    stage.scope().run(agent.call(latte())).await.unwrap();
    assert_eq!(watching.firing().len(), 1);
    let started = std::time::Instant::now();
    spawn_blocking(move || drop(watching)).await.unwrap();
    started.elapsed()
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again() {
    for status in [302, 400, 401, 404] {
        let (receiver, url) = Receiver::start(&[status]).await;
        post_one(webhook(&url)).await;
        assert_eq!(receiver.states().len(), 1, "{status}");
    }
    let (receiver, url) = Receiver::start(&[503; 9]).await;
    post_one(webhook(&url).attempts(3)).await;
    assert_eq!(receiver.states().len(), 3);
}

#[tokio::test]
async fn a_receiver_that_never_answers_does_not_hold_the_program() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let webhook =
        webhook(&url).timeout(Duration::from_secs(60)).patience(Duration::from_millis(50));
    assert!(post_one(webhook).await < Duration::from_secs(20));
}

#[test]
fn addresses_and_headers_are_checked() {
    let problem = |webhook: Webhook| match webhook.start() {
        Ok(_) => panic!("it was started"),
        Err(error) => error.to_string(),
    };
    let expected =
        "the address of the webhook is none: write one such as https://hooks.example.com/glassbox";
    assert_eq!(problem(Webhook::new("hooks.example.com")), expected);
    assert_eq!(problem(Webhook::new("ftp://hooks.example.com/")), expected);
    let header = Webhook::new("https://a.example/").header("a\nb", "c");
    assert!(problem(header).starts_with("the webhook's header \"a\\nb\" is none"));
    let mut alerts = Alerts::from_toml("webhook = 'https://a.example/'").unwrap();
    assert_eq!(alerts.take_webhooks(), ["https://a.example/"]);
}

/// Observes, and says what came of it. Is a test like the others, unless the environment names a file of alerts.
#[test]
#[allow(clippy::print_stdout, reason = "it is how the child tells its parent")]
#[allow(clippy::disallowed_methods, reason = "asks whether it is the child")]
fn observes() {
    if std::env::var_os("GLASSBOX_ALERTS").is_none() {
        return;
    }
    match glassbox::observe() {
        Ok(observing) => {
            // Somebody hears of the ends of model calls now.
            println!("said: heard {}", glassbox::Bus::global().wants(EventName::LlmError));
            drop(observing);
            println!("said: heard {}", glassbox::Bus::global().wants(EventName::LlmError));
        }
        Err(error) => println!("said: {error}"),
    }
}

#[test]
fn observing_watches_the_alerts_that_the_environment_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.toml");
    let observe = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "webhook::observes", "--nocapture"])
            .env("GLASSBOX_ALERTS", &path)
            .env("OTEL_SDK_DISABLED", "true")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let said = said.lines().filter_map(|line| Some(line.split_once("said: ")?.1.to_owned()));
        said.collect::<Vec<_>>().join("\n").replace(path.to_str().unwrap(), "FILE")
    };
    let rule = "[[alert]]\nmeasure = 'error_share'\nabove = 0.5\n";
    assert_eq!(observe(rule), "heard true\nheard false");
    assert_eq!(
        observe(&format!("{rule}about = 'llm'")),
        "GLASSBOX_ALERTS is \"FILE\": line 4: unknown key \"about\": write one of name, measure, above, below, clear, window, for, \
         min_samples, on, module, model, labels"
    );
    let expected = "GLASSBOX_ALERTS is \"FILE\": the address of the webhook is none: write one such as https://hooks.example.com/glassbox";
    assert_eq!(observe("webhook = 'hooks'"), expected);
}
