//! Tools: what a model's calls come to, whatever the model asks for and whatever the tool does.

use crate::stage::Stage;
use glassbox::trace::message::Message;
use glassbox::trace::span::{Detail, Kind, Status};
use glassbox::{
    Error, EventName, Field, Gate, Lm, Predict, Refusal, Request, Signature, Stop, Tool, ToolError,
    ToolOutcome, Toolbox, dynamic_tool, gate, module_tool, parallel, tool, tool_fn,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Divides two whole numbers.
///
/// Rounds down.
#[tool]
fn divide(
    /// The number that is divided.
    dividend: i64,
    #[arg(description = "The number that it is divided by.", default = 2)] divisor: i64,
) -> Result<i64, String> {
    dividend
        .checked_div(divisor)
        .ok_or_else(|| format!("{dividend} cannot be divided by {divisor}"))
}

#[derive(Clone, Debug, Field)]
enum Unit {
    Celsius,
    Fahrenheit,
}

/// Tells the weather of a city.
#[tool(name = "weather-now", timeout_secs = 5)]
async fn weather(city: String, #[arg(rename = "unit")] mut scale: Option<Unit>) -> Report {
    tokio::task::yield_now().await;
    Report { city, unit: scale.take().unwrap_or(Unit::Celsius), degrees: 21.5 }
}

#[derive(Clone, Debug, Field)]
struct Report {
    city: String,
    unit: Unit,
    degrees: f64,
}

/// Rings the bell.
#[tool]
async fn ring() {}

/// Never ends.
#[tool]
async fn hang() {
    std::future::pending().await
}

fn tools() -> Toolbox {
    let explode = tool_fn("explode", "Explodes.", |fuse: String| async move {
        assert!(fuse.is_empty(), "the fuse was {fuse}");
        true
    });
    Toolbox::new()
        .with(divide)
        .with(weather)
        .with(ring)
        .with_timeout(hang, Duration::from_millis(10))
        .with(explode)
}

/// Calls a tool within a root span, as an agent does.
async fn call(stage: &Stage, name: &str, arguments: Value) -> Result<ToolOutcome, Error> {
    stage.scope().run(tools().call(name, arguments, Some("call_1"))).await
}

#[test]
fn functions_describe_themselves() {
    assert_eq!((divide.name(), weather.name()), ("divide", "weather-now"));
    assert_eq!(divide.description(), "Divides two whole numbers.\n\nRounds down.");
    assert_eq!(weather.timeout(), Some(Duration::from_secs(5)));
    assert_eq!(divide::run(7, 2), Ok(3));
    let definitions = tools().definitions();
    let schemas: Vec<_> =
        definitions.iter().map(|tool| format!("{}: {}", tool.name, tool.parameters)).collect();
    insta::assert_snapshot!(schemas.join("\n"), @r#"
    divide: {"type":"object","properties":{"dividend":{"type":"integer","description":"The number that is divided."},"divisor":{"type":["integer","null"],"description":"The number that it is divided by."}},"required":["dividend"],"additionalProperties":false}
    weather-now: {"type":"object","properties":{"city":{"type":"string"},"unit":{"anyOf":[{"type":"string","enum":["celsius","fahrenheit"]},{"type":"null"}]}},"required":["city"],"additionalProperties":false}
    ring: {"type":"object","properties":{},"required":[],"additionalProperties":false}
    hang: {"type":"object","properties":{},"required":[],"additionalProperties":false}
    explode: {"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}
    "#);
}

#[tokio::test]
async fn what_models_ask_for_and_what_they_are_told() {
    let stage = Stage::new();
    let mut told = Vec::new();
    for (name, arguments) in [
        ("divide", json!({ "dividend": 7, "divisor": 2 })),
        ("divide", json!({ "dividend": 7 })),
        ("divide", json!({ "dividend": 7, "divisor": 0 })),
        // What can only mean one thing is understood.
        ("divide", json!({ "dividend": "7", "divisor": null, "why": "because" })),
        ("divide", json!("{\"dividend\": 9}")),
        ("divide", json!({ "dividend": "seven" })),
        ("divide", json!({})),
        ("divide", json!([7, 2])),
        ("divide", Value::Null),
        ("weather-now", json!({ "city": "Oslo", "unit": "Fahrenheit" })),
        ("ring", Value::Null),
        ("ring", json!("")),
        ("hang", json!({})),
        ("explode", json!({ "input": "" })),
        ("explode", json!({ "input": "short" })),
        ("delete_everything", json!({ "really": true })),
    ] {
        let outcome = call(&stage, name, arguments.clone()).await.unwrap();
        let mark = if outcome.failed { "FAILED " } else { "" };
        told.push(format!("{name} {arguments}\n  {mark}{}", outcome.text));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    divide {"dividend":7,"divisor":2}
      3
    divide {"dividend":7}
      3
    divide {"dividend":7,"divisor":0}
      FAILED 7 cannot be divided by 0
    divide {"dividend":"7","divisor":null,"why":"because"}
      3
    divide "{\"dividend\": 9}"
      4
    divide {"dividend":"seven"}
      FAILED the arguments do not fit the schema of divide: /dividend: "seven" is not of type "integer"
    divide {}
      FAILED the arguments do not fit the schema of divide: "dividend" is a required property
    divide [7,2]
      FAILED the arguments do not fit the schema of divide: [7,2] is not of type "object"
    divide null
      FAILED the arguments do not fit the schema of divide: "dividend" is a required property
    weather-now {"city":"Oslo","unit":"Fahrenheit"}
      {"city":"Oslo","unit":"fahrenheit","degrees":21.5}
    ring null
      done
    ring ""
      done
    hang {}
      FAILED the tool had no result within 10ms and was given up
    explode {"input":""}
      true
    explode {"input":"short"}
      FAILED the tool panicked: the fuse was short
    delete_everything {"really":true}
      FAILED there is no tool named "delete_everything": call one of divide, weather-now, ring, hang, explode
    "#);
    insta::assert_snapshot!(stage.tree(), @r"
    execute_tool divide [tool]
    execute_tool divide [tool]
    execute_tool divide [tool] error: tool_error
    execute_tool divide [tool]
    execute_tool divide [tool]
    execute_tool divide [tool] error: invalid_arguments
    execute_tool divide [tool] error: invalid_arguments
    execute_tool divide [tool] error: invalid_arguments
    execute_tool divide [tool] error: invalid_arguments
    execute_tool weather-now [tool]
    execute_tool ring [tool]
    execute_tool ring [tool]
    execute_tool hang [tool] error: timeout
    execute_tool explode [tool]
    execute_tool explode [tool] error: panic
    execute_tool delete_everything [tool] error: unknown_tool
    ");
    assert_eq!(stage.count(EventName::ToolStart), told.len());
    assert_eq!(stage.count(EventName::AdapterRepair), 2);
}

#[tokio::test]
async fn a_call_is_a_span_with_arguments_result_and_error() {
    let stage = Stage::new();
    call(&stage, "divide", json!({ "dividend": 7 })).await.unwrap();
    let span = stage.span("execute_tool divide");
    assert_eq!(span.kind(), Kind::Tool);
    assert_eq!(span.input.as_ref().unwrap().render(), json!({ "dividend": 7 }));
    assert_eq!(span.output.as_ref().unwrap().render(), json!(3));
    let Detail::Tool(tool) = &span.detail else { panic!("{:?}", span.detail) };
    assert_eq!((&*tool.name, tool.call_id.as_deref()), ("divide", Some("call_1")));
    assert!(tool.description.as_ref().unwrap().starts_with("Divides two"));

    call(&stage, "weather-now", json!({ "city": 12, "unit": "kelvin" })).await.unwrap();
    let Status::Error(error) = &stage.span("execute_tool weather-now").status else { panic!() };
    assert_eq!(&*error.kind, "invalid_arguments");
}

/// Refuses one tool by its name.
#[derive(Debug)]
struct Forbids(&'static str);

impl Gate for Forbids {
    fn ask(
        &self,
        request: &gate::Request<'_>,
    ) -> Result<Option<Box<dyn gate::Reservation>>, Refusal> {
        match request.action {
            gate::Action::ToolCall { tool } if &**tool == self.0 => {
                Err(Refusal::Other(format!("{tool} is forbidden").into()))
            }
            _ => Ok(None),
        }
    }
}

#[tokio::test]
async fn a_gate_refuses_a_tool_and_that_is_no_observation() {
    let stage = Stage::new();
    let scope = || stage.scope().gate(Forbids("ring"));
    let refused = scope().run(tools().call("ring", json!({}), None)).await.unwrap_err();
    assert_eq!(refused.to_string(), "ring is forbidden");
    assert_eq!(
        scope()
            .run(tools().call("divide", json!({ "dividend": 4 }), None))
            .await
            .unwrap()
            .text
            .as_ref(),
        "2"
    );
    insta::assert_snapshot!(stage.tree(), @r"
    execute_tool ring [tool] error: refused
    execute_tool divide [tool]
    ");
}

#[tokio::test]
async fn a_stop_ends_the_call_that_is_under_way() {
    let stage = Stage::new();
    let toolbox = Toolbox::new().with(hang);
    let calls = async {
        let run = glassbox::Context::current().run().unwrap().clone();
        let stop = async {
            tokio::task::yield_now().await;
            run.stop(Stop::new("that is enough"));
            Ok(ToolOutcome { text: "".into(), value: Value::Null.into(), failed: false })
        };
        let call: std::pin::Pin<Box<dyn Future<Output = Result<ToolOutcome, Error>>>> =
            Box::pin(toolbox.call("hang", json!({}), None));
        parallel(2, [call, Box::pin(stop)]).await
    };
    let outcomes = stage.scope().run(calls).await;
    assert!(outcomes[0].as_ref().unwrap_err().is_stopped());
    insta::assert_snapshot!(stage.tree(), @"execute_tool hang [tool] error: stopped");
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_span() {
    let stage = Stage::new();
    let toolbox = Toolbox::new().with(hang);
    let call = stage.scope().run(toolbox.call("hang", json!({}), None));
    tokio::time::timeout(Duration::from_millis(10), call).await.unwrap_err();
    insta::assert_snapshot!(stage.tree(), @"execute_tool hang [tool] error: cancelled");
}

/// Answer the question.
#[derive(Signature)]
struct Ask {
    #[input]
    question: String,
    #[output]
    answer: String,
}

#[tokio::test]
async fn a_module_is_a_tool_and_its_spans_are_below() {
    let stage = Stage::new();
    let lm = Lm::scripted([json!({ "answer": "42" })]);
    let toolbox = Toolbox::new().with(module_tool("ask", "Asks.", Predict::<Ask>::new(&lm)));
    let outcome = stage
        .scope()
        .run(toolbox.call("ask", json!({ "question": "6 by 7?" }), None))
        .await
        .unwrap();
    assert_eq!(*outcome.value, json!({ "answer": "42" }));
    // The script is at its end, and that is the model's to know.
    let failed =
        stage.scope().run(toolbox.call("ask", json!({ "question": "?" }), None)).await.unwrap();
    assert!(failed.failed && failed.text.contains("the script has 1 replies"), "{}", failed.text);
    insta::assert_snapshot!(stage.tree(), @r"
    execute_tool ask [tool]
      Predict(Ask) [span]
        chat scripted [generation]
    execute_tool ask [tool] error: config
      Predict(Ask) [span] error: config
        chat scripted [generation] error: config
          attempt 1 (config) [span] error: config
    ");
}

#[tokio::test]
async fn a_refusal_within_a_tool_stops_who_called_it() {
    let stage = Stage::new();
    let lm = Lm::scripted([json!({ "answer": "42" })]);
    let toolbox = Toolbox::new().with(module_tool("ask", "Asks.", Predict::<Ask>::new(&lm)));
    let scope = stage.scope().gate(glassbox::watch::Budget::tokens(1));
    let refused =
        scope.run(toolbox.call("ask", json!({ "question": "?" }), None)).await.unwrap_err();
    assert!(refused.is_budget());
    insta::assert_snapshot!(stage.tree(), @r"
    execute_tool ask [tool] error: budget_exceeded
      Predict(Ask) [span] error: budget_exceeded
        chat scripted [generation] error: budget_exceeded
    ");
}

#[test]
fn tools_work_without_a_runtime() {
    let toolbox = Toolbox::new().with(divide).with(dynamic_tool(
        "echo",
        "",
        json!({ "type": "object" }),
        |arguments| async move { Ok::<_, ToolError>(arguments) },
    ));
    let call =
        |name, arguments| futures::executor::block_on(toolbox.call(name, arguments, None)).unwrap();
    assert_eq!(call("divide", json!({ "dividend": 8 })).text.as_ref(), "4");
    assert_eq!(call("echo", json!({ "a": [1] })).text.as_ref(), r#"{"a":[1]}"#);
}

#[test]
fn definitions_go_to_models() {
    let request = Request { tools: tools().definitions(), ..Request::new([Message::user("hi")]) };
    assert_eq!(request.tools.len(), 5);
}
