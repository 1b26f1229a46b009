//! CodeAct: agents that write code, on scripted models and real workers.

use crate::sandbox;
use glassbox::telemetry::destination::Destination;
use glassbox::telemetry::memory::Memory;
use glassbox::telemetry::observe::{Observe, Observing};
use glassbox::telemetry::tree::render_tree;
use glassbox::{
    Bus, CodeAct, Error, EventData, EventName, Gate, Lm, Module, Prediction, Refusal, Reply, Scope,
    Signature, Stop, Subscription, Tool, Toolbox, gate, tool, tool_fn,
};
use glassbox_sandbox::{Limits, Sandbox};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Find out from the sales.
#[derive(Signature)]
struct Analysis {
    #[input]
    question: String,
    /// In dollars.
    #[output]
    total: f64,
    #[output]
    best_month: String,
}

/// Returns the sales of a month, in dollars.
#[tool]
fn sales(
    /// Its English name.
    month: String,
) -> Result<Vec<f64>, String> {
    match month.as_str() {
        "May" => Ok(vec![10.0, 2.5]),
        "June" => Ok(vec![30.0]),
        other => Err(format!("there is no month {other}")),
    }
}

/// A bus of its own, and all that was seen and heard on it.
struct Stage {
    bus: Bus,
    memory: Memory,
    heard: Arc<Mutex<Vec<EventData>>>,
    _observing: Observing,
    _subscription: Subscription,
}

impl Stage {
    fn new() -> Self {
        let (bus, memory) = (Bus::new(), Destination::memory());
        let observing = Observe::new().bus(&bus).destination(&memory).start().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let subscription =
            bus.on("*", move |event| log.lock().unwrap().push(event.data.clone())).unwrap();
        Self { bus, memory, heard, _observing: observing, _subscription: subscription }
    }

    fn scope(&self) -> Scope {
        glassbox::scope().bus(&self.bus)
    }

    fn tree(&self) -> String {
        render_tree(&self.memory.spans())
    }

    fn heard(&self, name: EventName) -> Vec<EventData> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|data| data.name() == name).cloned().collect()
    }

    /// What the models were told last.
    fn last_prompt(&self) -> String {
        let spans = self.memory.spans();
        let last = spans.iter().rfind(|span| span.name.starts_with("chat ")).unwrap();
        let glassbox::trace::span::Detail::Generation(generation) = &last.detail else { panic!() };
        format!("{:?}", generation.messages)
    }
}

fn agent(lm: &Lm, limits: Limits) -> CodeAct<Analysis> {
    CodeAct::new(lm, Toolbox::new().with(sales)).with_sandbox(&sandbox(limits))
}

fn step(thought: &str, code: &str, finished: bool) -> Reply {
    Reply::Fields(json!({ "thought": thought, "code": code, "finished": finished }))
}

fn answer() -> Reply {
    Reply::Fields(json!({ "total": 42.5, "best_month": "June" }))
}

fn input() -> AnalysisInput {
    AnalysisInput { question: "What did we sell in May and June?".into() }
}

async fn ask(
    stage: &Stage,
    agent: &CodeAct<Analysis>,
) -> Result<Prediction<AnalysisOutput>, Error> {
    stage.scope().run(agent.call(input())).await
}

#[tokio::test]
async fn an_error_a_fix_and_a_result() {
    let stage = Stage::new();
    let replies = || {
        [
            step("Add them up.", "months = {m: sum(sales(m)) for m in ['May', 'Juni']}", false),
            step(
                "It is June.",
                "```python\nmonths = {m: sum(sales(month=m)) for m in ['May', 'June']}\nprint(max(months, key=lambda m: months[m]))\n```",
                false,
            ),
            step("That is all.", "sum(months.values())", true),
            answer(),
        ]
    };
    let lm = Lm::scripted(replies().into_iter().chain(replies()));
    let agent = agent(&lm, Limits::default());
    let reply = ask(&stage, &agent).await.unwrap();
    assert_eq!((reply.total, reply.best_month.as_str()), (42.5, "June"));
    assert_eq!(reply.reasoning(), Some("That is all."));
    let tree = stage.tree();
    insta::assert_snapshot!(tree, @r"
    CodeAct(Analysis) [agent]
      turn 1 [span]
        chat scripted [generation]
        execute_code [tool] error: RuntimeError
          execute_tool sales [tool]
          execute_tool sales [tool] error: tool_error
      turn 2 [span]
        chat scripted [generation]
        execute_code [tool]
          execute_tool sales [tool]
          execute_tool sales [tool]
      turn 3 [span]
        chat scripted [generation]
        execute_code [tool]
      chat scripted [generation]
    ");

    let used: u64 = stage
        .memory
        .spans()
        .iter()
        .filter_map(|span| match &span.detail {
            glassbox::trace::span::Detail::Generation(generation) => Some(generation.usage.total()),
            _ => None,
        })
        .sum();
    assert_eq!(reply.usage().total(), used);

    let mut told = Vec::new();
    for data in stage.heard(EventName::CodeActIterationComplete) {
        let EventData::CodeActIterationComplete(turn) = data else { panic!() };
        told.push(format!("{} {} {}", turn.number, turn.finished, turn.observation.unwrap()));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    1 false Error:
    Traceback (most recent call last):
      File "<python-input-0>", line 1, in <module>
        months = {m: sum(sales(m)) for m in ['May', 'Juni']}
                         ~~~~~~~~
    RuntimeError: there is no month Juni
    2 false Printed:
    June
    3 true Value: 42.5
    "#);

    let runs = stage.heard(EventName::CodeActExecution);
    let EventData::CodeActExecution(last) = &runs[2] else { panic!() };
    assert_eq!(last.value.as_deref(), Some(&json!(42.5)));
    assert_eq!((&*last.code, &*last.stdout), ("sum(months.values())", ""));
    let EventData::CodeActExecution(first) = &runs[0] else { panic!() };
    assert!(first.error.as_ref().unwrap().ends_with("RuntimeError: there is no month Juni"));
    assert!(stage.last_prompt().contains("there is no month Juni"));

    // A second call has the same tree, and none of the variables of the first.
    let again = Stage::new();
    ask(&again, &agent).await.unwrap();
    assert_eq!(again.tree(), tree);
}

#[tokio::test]
async fn a_worker_that_dies_is_an_observation() {
    let stage = Stage::new();
    let lm = Lm::scripted([
        step("All of it.", "x = 1\nprint('so far')\ny = [0] * 10 ** 9", false),
        step("Is it there?", "x", false),
        step("No.", "x = 2", true),
        answer(),
    ]);
    ask(&stage, &agent(&lm, Limits::default())).await.unwrap();
    insta::assert_snapshot!(stage.tree(), @r"
    CodeAct(Analysis) [agent]
      turn 1 [span]
        chat scripted [generation]
        execute_code [tool] error: memory_limit
      turn 2 [span]
        chat scripted [generation]
        execute_code [tool] error: NameError
      turn 3 [span]
        chat scripted [generation]
        execute_code [tool]
      chat scripted [generation]
    ");
    let turns = stage.heard(EventName::CodeActIterationComplete);
    let EventData::CodeActIterationComplete(first) = &turns[0] else { panic!() };
    let observation = first.observation.as_ref().unwrap();
    assert!(observation.contains("limit of memory"), "{observation}");
    assert!(observation.contains("its variables are lost"), "{observation}");
}

#[tokio::test]
async fn who_does_not_finish_concludes_all_the_same() {
    let stage = Stage::new();
    let lm = Lm::scripted([
        step("", "", false),
        // Not finished, since the code failed.
        step("Done.", "1 / 0", true),
        answer(),
    ]);
    let agent = agent(&lm, Limits::default()).max_iterations(2);
    assert_eq!(ask(&stage, &agent).await.unwrap().best_month, "June");
    insta::assert_snapshot!(stage.tree(), @r"
    CodeAct(Analysis) [agent]
      turn 1 [span]
        chat scripted [generation]
      turn 2 [span]
        chat scripted [generation]
        execute_code [tool] error: ZeroDivisionError
      chat scripted [generation]
    ");
    assert_eq!(stage.heard(EventName::ReactMaxIterations).len(), 1);
}

#[tokio::test]
async fn a_stop_kills_the_code() {
    let stage = Stage::new();
    // The stop comes while the code runs, after the tool.
    let _stopping = stage.bus.on("tool.complete", |_| Err::<(), _>(Stop::new("enough"))).unwrap();
    let lm = Lm::scripted([step("", "sales('May')\nwhile True:\n    pass", false)]);
    let limits = Limits { time: Duration::from_secs(600), ..Limits::default() };
    let error = ask(&stage, &agent(&lm, limits)).await.unwrap_err();
    assert!(error.is_stopped(), "{error}");
    assert!(error.usage().total() > 0);
    insta::assert_snapshot!(stage.tree(), @r"
    CodeAct(Analysis) [agent] error: stopped
      turn 1 [span] error: stopped
        chat scripted [generation]
        execute_code [tool] error: stopped
          execute_tool sales [tool]
    ");
}

/// Refuses one kind of action.
#[derive(Debug)]
struct Forbids(fn(&gate::Action) -> bool);

impl Gate for Forbids {
    fn ask(
        &self,
        request: &gate::Request<'_>,
    ) -> Result<Option<Box<dyn gate::Reservation>>, Refusal> {
        if self.0(request.action) {
            return Err(Refusal::Other("not today".into()));
        }
        Ok(None)
    }
}

#[tokio::test]
async fn gates_refuse_code_and_the_tools_within() {
    let gates = [
        Forbids(|action| matches!(action, gate::Action::CodeRun)),
        Forbids(|action| matches!(action, gate::Action::ToolCall { .. })),
    ];
    let mut trees = String::new();
    for gate in gates {
        let stage = Stage::new();
        let code = "try:\n    sales('May')\nexcept BaseException:\n    pass";
        let lm = Lm::scripted([step("", code, true), answer()]);
        let agent = agent(&lm, Limits::default());
        let error = stage.scope().gate(gate).run(agent.call(input())).await.unwrap_err();
        assert_eq!(error.to_string(), "not today");
        trees += &stage.tree();
    }
    insta::assert_snapshot!(trees, @r"
    CodeAct(Analysis) [agent] error: refused
      turn 1 [span] error: refused
        chat scripted [generation]
        execute_code [tool] error: refused
    CodeAct(Analysis) [agent] error: refused
      turn 1 [span] error: refused
        chat scripted [generation]
        execute_code [tool] error: refused
          execute_tool sales [tool] error: refused
    ");
}

#[tokio::test]
async fn a_missing_worker_is_told_before_the_model_is_asked() {
    let stage = Stage::new();
    let lm = Lm::scripted([answer()]);
    let missing = Sandbox::new(Limits::default()).with_worker("/no/such/worker");
    let agent = CodeAct::<Analysis>::new(&lm, Toolbox::new()).with_sandbox(&missing);
    let error = ask(&stage, &agent).await.unwrap_err();
    assert!(error.to_string().contains("set GLASSBOX_SANDBOX"), "{error}");
    insta::assert_snapshot!(stage.tree(), @"CodeAct(Analysis) [agent] error: config");
}

#[tokio::test]
async fn tools_with_dashes_and_defaults_are_functions() {
    let stage = Stage::new();
    let greet = tool_fn("say-hello", "Greets.", |name: String| async move { format!("Hi {name}") });
    assert_eq!(greet.name(), "say-hello");
    let lm = Lm::scripted([step("", "say_hello('Ada')", true), answer()]);
    let agent = CodeAct::<Analysis>::new(&lm, Toolbox::new().with(greet))
        .with_sandbox(&sandbox(Limits::default()));
    ask(&stage, &agent).await.unwrap();
    let runs = stage.heard(EventName::CodeActExecution);
    let EventData::CodeActExecution(run) = &runs[0] else { panic!() };
    assert_eq!(run.value.as_deref(), Some(&Value::from("Hi Ada")));
}
