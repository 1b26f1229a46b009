//! Code that wants out, or too much: the rows of the table that the tests check and the example prints.

use glassbox_sandbox::{Answer, Call, Execution, Limits, Tools};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::time::Duration;

/// A row of the table.
pub(crate) struct Escape {
    /// What it tries.
    pub(crate) name: &'static str,
    code: &'static str,
    /// How long it may run: short for what never ends, long for what comes to another limit first.
    time: Duration,
}

const fn escape(name: &'static str, code: &'static str) -> Escape {
    Escape { name, code, time: Duration::from_secs(20) }
}

const fn endless(name: &'static str, code: &'static str) -> Escape {
    Escape { name, code, time: Duration::from_millis(300) }
}

pub(crate) const ESCAPES: &[Escape] = &[
    escape("read a file", "open('/etc/passwd').read()"),
    escape("write a file", "open('/tmp/out', 'w').write('x')"),
    escape("read by pathlib", "from pathlib import Path\nPath('/etc/passwd').read_text()"),
    escape("list a folder", "from pathlib import Path\nlist(Path('/').iterdir())"),
    escape("environment", "import os\nos.environ['PATH']"),
    escape("getenv", "import os\nos.getenv('HOME')"),
    escape("os.system", "import os\nos.system('id')"),
    escape("fork bomb", "import os\nwhile True:\n    os.fork()"),
    escape("subprocess", "import subprocess\nsubprocess.run(['id'])"),
    escape("socket", "import socket\nsocket.create_connection(('127.0.0.1', 80))"),
    escape("urllib", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1')"),
    escape("ctypes", "import ctypes\nctypes.CDLL(None)"),
    escape("threads", "import threading\nthreading.Thread(target=print).start()"),
    escape("__import__", "__import__('os').system('id')"),
    escape("eval", "eval('1 + 1')"),
    escape("exec", "exec('x = 1')"),
    escape("compile", "compile('1', 'x', 'eval')"),
    escape("subclasses", "().__class__.__bases__[0].__subclasses__()"),
    escape("globals", "print.__globals__"),
    escape("builtins", "__builtins__['open']"),
    escape("frames", "import sys\nsys._getframe(0)"),
    escape("exit", "import sys\nsys.exit(3)"),
    escape("list bomb", "x = []\nwhile True:\n    x.append([0] * 1000)"),
    escape("list of lists", "x = [0]\nwhile True:\n    x = x + x"),
    escape("one huge list", "[0] * 10**9"),
    escape("string bomb", "s = 'x'\nwhile True:\n    s = s + s"),
    escape("one huge string", "'x' * 10**10"),
    escape("padded string", "'x'.ljust(10**10)"),
    escape("bytes bomb", "b = b'x'\nwhile True:\n    b = b + b"),
    escape("dict bomb", "d = {}\ni = 0\nwhile True:\n    d[i] = 'x' * 500\n    i += 1"),
    escape("set bomb", "s = set()\ni = 0\nwhile True:\n    s.add(('x' * 500, i))\n    i += 1"),
    escape(
        "memory bomb, caught",
        "x = []\nwhile True:\n    try:\n        x.append([0] * 1000)\n    except BaseException:\n        pass",
    ),
    escape("replace bomb", "s = 'a' * 100000\ns.replace('a', s)"),
    escape("join bomb", "','.join(['x' * 100000] * 100000)"),
    escape("format bomb", "'{:>10000000000}'.format('x')"),
    escape("huge power", "2 ** (10 ** 9)"),
    escape("huge shift", "1 << (10 ** 11)"),
    endless("factorial", "x = 1\nfor i in range(1, 10 ** 9):\n    x = x * i"),
    endless("power tower", "x = 3\nwhile True:\n    x = x * x"),
    endless("digits of a huge integer", "len(str(7 ** 4000000))"),
    endless("infinite loop", "while True:\n    pass"),
    endless(
        "infinite loop, caught",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
    ),
    endless(
        "infinite loop, finally",
        "try:\n    while True:\n        pass\nfinally:\n    while True:\n        pass",
    ),
    endless("long range", "sum(range(10 ** 12))"),
    endless("long any", "any(x < 0 for x in range(10 ** 12))"),
    endless("regex backtracking", "import re\nre.match('(a|aa)*(a|aa)*(a|aa)*$', 'a' * 60 + 'b')"),
    endless(
        "endless sleep",
        "import asyncio\nasync def f():\n    while True:\n        await asyncio.sleep(0)\nasyncio.run(f())",
    ),
    escape("output flood", "while True:\n    print('x' * 100)"),
    escape(
        "output flood, caught",
        "for i in range(100000):\n    try:\n        print('x' * 100)\n    except BaseException:\n        pass\ni",
    ),
    escape("one huge line", "print('x' * 10 ** 7)"),
    escape("huge value", "'x' * 10 ** 7"),
    escape("huge value in a dict", "{'a': 'x' * 10 ** 7, 'b': list(range(10 ** 5))}"),
    escape("huge integer as value", "1 << 4000000"),
    escape("huge integer as argument", "echo(1 << 4000000)"),
    escape("deep recursion", "def f(n):\n    return f(n + 1)\nf(0)"),
    escape(
        "recursion, caught",
        "def f(n):\n    try:\n        return f(n + 1)\n    except RecursionError:\n        return n\nf(0) > 100",
    ),
    escape(
        "mutual recursion",
        "class A:\n    def __repr__(self):\n        return repr(self)\nrepr(A())",
    ),
    escape("deep list", "x = []\nfor i in range(100000):\n    x = [x]\nprint(x)"),
    escape("deep list as value", "x = []\nfor i in range(5000):\n    x = [x]\nx"),
    escape(
        "deep list, compared",
        "x, y = [], []\nfor i in range(100000):\n    x, y = [x], [y]\nx == y",
    ),
    escape("cyclic list", "x = []\nx.append(x)\nx"),
    escape("deep source", "DEEP"),
    escape("deep operators", "OPERATORS"),
    escape(
        "generator function",
        "def g():\n    while True:\n        yield 1\nfor x in g():\n    pass",
    ),
    endless("generator expression", "sum(x for x in iter(int, 1))"),
    escape("tool-call flood", "while True:\n    echo(1)"),
    escape(
        "tool-call flood, caught",
        "while True:\n    try:\n        echo(1)\n    except BaseException:\n        pass",
    ),
    escape("huge argument", "echo('x' * 10 ** 7)"),
    escape("larger argument", "echo('x' * (20 * 1024 * 1024))"),
    escape("deep argument", "x = []\nfor i in range(300):\n    x = [x]\necho(x)"),
    escape("huge result", "huge()"),
    escape("unknown tool", "shell('id')"),
    escape("SIGKILL", "signal('SIGKILL')\n1"),
    escape("SIGABRT", "signal('SIGABRT')\n1"),
    escape("SIGTERM", "signal('SIGTERM')\n1"),
    endless("SIGSTOP", "signal('SIGSTOP')\n1"),
    escape("syntax error", "def"),
    escape("null byte", "NULL"),
];

impl Escape {
    /// Returns the code, writing out what is too long to be written here.
    pub(crate) fn code(&self) -> String {
        match self.code {
            "DEEP" => "(".repeat(100_000) + &")".repeat(100_000),
            "OPERATORS" => "not ".repeat(100_000) + "1",
            "NULL" => "x = 1\0".to_owned(),
            code => code.to_owned(),
        }
    }

    /// Returns the limits that it comes up against.
    pub(crate) fn limits(&self) -> Limits {
        Limits { time: self.time, tool_calls: 20, ..Limits::default() }
    }
}

/// Tools for hostile code, one of which signals the worker.
pub(crate) struct Hostile {
    pub(crate) worker: u32,
}

impl Tools for Hostile {
    fn names(&self) -> Vec<String> {
        ["echo", "huge", "signal"].map(str::to_owned).to_vec()
    }

    fn call<'a>(&'a self, call: Call) -> Answer<'a> {
        let first = call.args.into_iter().next().unwrap_or_default();
        let answer = match call.name.as_str() {
            "huge" => Value::String("x".repeat(32 << 20)),
            "signal" => {
                let signal: Signal =
                    first.as_str().unwrap_or_default().parse().unwrap_or(Signal::SIGTERM);
                let sent = kill(Pid::from_raw(self.worker as i32), signal);
                sent.map_or_else(|error| error.to_string().into(), |()| Value::Null)
            }
            _ => first,
        };
        let signalled = call.name == "signal";
        Box::pin(async move {
            // A thread of the worker may run on for a moment after the signal was sent.
            for _ in 0..5_000 {
                if !signalled || has_stopped(self.worker) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(answer)
        })
    }
}

/// Tells whether a process is stopped or dead, where the kernel tells.
fn has_stopped(process: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return true };
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    state.starts_with(['Z', 'X', 'T'])
}

/// Returns the outcome in a line that says the same on every machine.
pub(crate) fn outcome(execution: &Execution) -> String {
    if let Some(limit) = execution.limit {
        // Whether the code itself was told or its worker died of it can be a matter of speed.
        return format!("stopped at its limit of {limit}");
    }
    match (&execution.error, &execution.repr) {
        (Some(error), _) => {
            let message = error.message.lines().next().unwrap_or_default();
            format!("{}: {message}", error.kind)
        }
        (None, Some(repr)) if repr.len() > 60 => "a long value, cut".to_owned(),
        (None, Some(repr)) => format!("the value {repr}"),
        (None, None) => "no value".to_owned(),
    }
}
