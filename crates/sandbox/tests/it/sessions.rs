//! Sessions: variables, tools, errors, limits, and workers that are shared.

use crate::sandbox;
use glassbox_sandbox::{
    Answer, Call, Exception, Limit, Limits, MemoryGuard, NoTools, Sandbox, Tools, Workers,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A calculator that cannot divide by zero, and a tool that shows how it was called.
struct Desk;

impl Tools for Desk {
    fn names(&self) -> Vec<String> {
        vec!["divide".into(), "show".into()]
    }

    fn call<'a>(&'a self, call: Call) -> Answer<'a> {
        Box::pin(async move {
            if call.name == "show" {
                return Ok(json!([call.args, call.kwargs]));
            }
            match (call.args[0].as_f64(), call.args[1].as_f64()) {
                (_, Some(0.0)) => Err(Exception::new("ValueError", "b must not be 0")),
                (Some(a), Some(b)) => Ok(json!(a / b)),
                _ => Err(Exception::new("NoSuchError", "numbers, please")),
            }
        })
    }
}

async fn value(sandbox: &mut Sandbox, code: &str) -> Value {
    let execution = sandbox.run(code, &Desk).await.unwrap();
    execution.value.unwrap_or_else(|| panic!("{code}: {:?}", execution.error))
}

#[tokio::test]
async fn variables_live_from_run_to_run() {
    let mut sandbox = sandbox(Limits::default());
    let first = sandbox.run("def double(x):\n    return 2 * x\nn = 21", &NoTools).await.unwrap();
    assert_eq!((first.value, first.error), (None, None));
    // An error does not lose them.
    let failed = sandbox.run("print('before')\nn = double(n)\nn / 0", &NoTools).await.unwrap();
    insta::assert_snapshot!(failed.error.unwrap().traceback, @r#"
    Traceback (most recent call last):
      File "<python-input-1>", line 3, in <module>
        n / 0
        ~~~~~
    ZeroDivisionError: division by zero
    "#);
    assert_eq!((failed.stdout.as_str(), failed.worker_lost), ("before\n", false));
    let last = sandbox.run("n", &NoTools).await.unwrap();
    assert_eq!((last.value, last.state_lost), (Some(42.into()), false));
    assert_eq!(sandbox.memory_guard(), Some(MemoryGuard::Allocator));
}

#[tokio::test]
async fn code_calls_tools_as_functions() {
    let mut sandbox = sandbox(Limits::default());
    assert_eq!(value(&mut sandbox, "divide(84, 2)").await, json!(42.0));
    assert_eq!(
        value(&mut sandbox, "show(1, 'a', None, [True, 2.5], key={'x': (1, 2)}, raw=b'b')").await,
        json!([[1, "a", null, [true, 2.5]], {"key": {"x": [1, 2]}, "raw": "b'b'"}])
    );
    let caught = "try:\n    divide(1, 0)\nexcept ValueError as e:\n    r = str(e)\nr";
    assert_eq!(value(&mut sandbox, caught).await, json!("b must not be 0"));
    assert_eq!(
        value(&mut sandbox, "[divide(x, 2) for x in range(3)]").await,
        json!([0.0, 0.5, 1.0])
    );

    let raised = sandbox.run("divide('a', 'b')", &Desk).await.unwrap();
    let error = raised.error.unwrap();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("RuntimeError", "numbers, please"));
    assert_eq!(raised.tool_calls, 1);

    // A tool of an earlier run is gone with it.
    let gone = sandbox.run("divide(1, 1)", &NoTools).await.unwrap();
    assert_eq!(gone.error.unwrap().message, "name 'divide' is not defined");
}

#[tokio::test]
async fn what_was_printed_before_a_limit_is_told() {
    let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
    let mut sandbox = sandbox(limits);
    let code = "print('here')\nwhile True:\n    pass";
    let stopped = sandbox.run(code, &NoTools).await.unwrap();
    assert_eq!((stopped.stdout.as_str(), stopped.limit), ("here\n", Some(Limit::Time)));
    // Time is counted for each run.
    assert_eq!(sandbox.run("1", &NoTools).await.unwrap().limit, None);
}

#[tokio::test]
async fn time_that_tools_take_is_not_the_codes() {
    struct Slow;
    impl Tools for Slow {
        fn names(&self) -> Vec<String> {
            vec!["wait".into()]
        }

        fn call<'a>(&'a self, _call: Call) -> Answer<'a> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(2_600)).await;
                Ok(Value::Null)
            })
        }
    }
    // Longer than the limit and what the host allows beyond it.
    let limits = Limits { time: Duration::from_millis(500), ..Limits::default() };
    let execution = sandbox(limits).run("wait()\n'done'", &Slow).await.unwrap();
    assert_eq!((execution.value, execution.limit), (Some("done".into()), None));
}

#[tokio::test]
async fn workers_are_shared_and_waited_for() {
    let one = Workers::new(1).with_patience(Duration::from_millis(50));
    let mut first = sandbox(Limits::default()).with_workers(&one);
    let mut second = sandbox(Limits::default()).with_workers(&one);
    first.warm_up().await.unwrap();
    let busy = second.run("1", &NoTools).await.unwrap_err();
    assert!(busy.is_busy(), "{busy}");
    insta::assert_snapshot!(busy, @"all 1 workers of the sandbox are busy: allow more with `Workers::new(..)`, or run fewer at once");
    drop(first);
    assert_eq!(second.run("1", &NoTools).await.unwrap().value, Some(1.into()));
}

#[tokio::test]
async fn a_missing_worker_says_what_to_type() {
    let missing = Sandbox::new(Limits::default()).with_worker("/no/such/worker").warm_up().await;
    let error = missing.unwrap_err();
    insta::assert_snapshot!(error, @"the sandbox's worker /no/such/worker could not be started: set GLASSBOX_SANDBOX to the path of a `glassbox-sandbox` that runs here");
}
