//! Trace servers as processes of their own: Glassbox's, and its peers from PyPI.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer no server takes to start.
const PATIENCE: Duration = Duration::from_secs(300);

/// A trace server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum System {
    Glassbox,
    Phoenix,
    Mlflow,
}

impl System {
    pub(crate) const ALL: [Self; 3] = [Self::Glassbox, Self::Phoenix, Self::Mlflow];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Glassbox => "glassbox",
            Self::Phoenix => "phoenix",
            Self::Mlflow => "mlflow",
        }
    }
}

/// Where programs are.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Programs {
    /// The server's program [default: glassbox beside this one]
    #[arg(long, value_name = "FILE")]
    glassbox: Option<PathBuf>,
    /// The folder with a Python environment for each peer [default: peers in the target folder]
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,
}

impl Programs {
    /// Returns the path of a program that is there.
    pub(crate) fn of(&self, system: System) -> Result<PathBuf> {
        let this = std::env::current_exe()?;
        let folder = this.parent().context("this program is nowhere")?;
        let peers = || {
            let target = folder.parent().unwrap_or(folder);
            self.peers.clone().unwrap_or_else(|| target.join("peers"))
        };
        let (path, how) = match system {
            System::Glassbox => (
                self.glassbox.clone().unwrap_or_else(|| folder.join("glassbox")),
                "type `cargo build --release -p glassbox-cli`".to_owned(),
            ),
            System::Phoenix => peer(&peers(), "phoenix", "arize-phoenix"),
            System::Mlflow => peer(&peers(), "mlflow", "mlflow"),
        };
        ensure!(path.is_file(), "{} is not installed, {how}", system.as_str());
        Ok(path)
    }
}

fn peer(peers: &Path, name: &str, package: &str) -> (PathBuf, String) {
    let folder = peers.join(name);
    let how =
        format!("type `python3 -m venv {0} && {0}/bin/pip install {package}`", folder.display());
    (folder.join("bin").join(name), how)
}

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Where traces are sent.
    pub(crate) otlp: String,
    /// What the query API asks for; empty for peers.
    pub(crate) token: String,
    /// From the start of the process to its first answer.
    pub(crate) took: Duration,
}

impl Process {
    /// Starts a server that keeps its data in this folder, and returns when it answers.
    pub(crate) fn start(system: System, programs: &Programs, folder: &Path) -> Result<Self> {
        let program = programs.of(system)?;
        if system == System::Glassbox {
            return Self::glassbox(&program, folder);
        }
        let (port, grpc) = (free_port()?.to_string(), free_port()?.to_string());
        let mut command = Command::new(program);
        match system {
            System::Phoenix => command.arg("serve").envs([
                ("PHOENIX_WORKING_DIR", folder.display().to_string()),
                ("PHOENIX_HOST", "127.0.0.1".to_owned()),
                ("PHOENIX_PORT", port.clone()),
                ("PHOENIX_GRPC_PORT", grpc),
                ("PHOENIX_TELEMETRY_ENABLED", "false".to_owned()),
            ]),
            _ => command
                .args(["server", "--host", "127.0.0.1", "--port", &port, "--backend-store-uri"])
                .arg(format!("sqlite:///{}", folder.join("mlflow.db").display()))
                .env("MLFLOW_DISABLE_TELEMETRY", "true")
                .current_dir(folder),
        };
        let log = std::fs::File::create(folder.join("log"))?;
        let begun = Instant::now();
        let child = command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null()).spawn()?;
        let otlp = format!("http://127.0.0.1:{port}");
        let mut process = Self { child, otlp, token: String::new(), took: Duration::ZERO };
        let client = client()?;
        while client.get(format!("{}/health", process.otlp)).send().is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{} ended ({status}), see {}", system.as_str(), folder.join("log").display());
            }
            ensure!(begun.elapsed() < PATIENCE, "{} does not answer", system.as_str());
            std::thread::sleep(Duration::from_millis(50));
        }
        process.took = begun.elapsed();
        Ok(process)
    }

    fn glassbox(program: &Path, folder: &Path) -> Result<Self> {
        let client = client()?;
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(["serve", "--json", "--http", "127.0.0.1:0", "--grpc", "off", "--store"])
            .arg(folder.join("traces.db"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server has no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line)
            .with_context(|| format!("the server did not tell its address, but {line:?}"))?;
        let text = |key: &str| {
            told[key].as_str().map(str::to_owned).with_context(|| format!("no {key} in {told}"))
        };
        let (otlp, token) = (text("otlp")?.trim_end_matches('/').to_owned(), text("token")?);
        let mut process = Self { child, otlp, token, took: Duration::ZERO };
        process.ask(&client, "/api/v1/traces?limit=1")?;
        process.took = begun.elapsed();
        Ok(process)
    }

    /// Asks Glassbox's query API.
    pub(crate) fn ask(&self, client: &reqwest::blocking::Client, path: &str) -> Result<Value> {
        let request = client.get(format!("{}{path}", self.otlp)).bearer_auth(&self.token);
        let response = request.send()?;
        ensure!(response.status().is_success(), "{path}: {}", response.status());
        Ok(serde_json::from_slice(&response.bytes()?)?)
    }

    /// Returns the ids of all traces of Glassbox's, and how many spans each has.
    pub(crate) fn traces(
        &self,
        client: &reqwest::blocking::Client,
    ) -> Result<Vec<(String, usize)>> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.ask(client, &format!("/api/v1/traces?limit=500{cursor}"))?;
            for trace in page["items"].as_array().context("no items")? {
                let spans = trace["spans"].as_u64().unwrap_or_default();
                all.push((
                    trace["trace_id"].as_str().unwrap_or_default().to_owned(),
                    usize::try_from(spans)?,
                ));
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }

    /// Ends the server at once, as `kill -9` does.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Returns what the process and those that it started have used.
    pub(crate) fn used(&self) -> Used {
        used(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process and those below it have used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) cpu: Duration,
    /// Bytes that are in memory now.
    pub(crate) memory: u64,
    /// The most there were.
    pub(crate) peak: u64,
}

fn used(pid: u32) -> Used {
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let stat = read("stat");
    // What is in the parentheses may hold spaces; user and system time are the 14th and 15th field.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    let status = read("status");
    let kilobytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or_default() * 1024
    };
    let mut sum = Used {
        cpu: Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)),
        memory: kilobytes("VmRSS:"),
        peak: kilobytes("VmHWM:"),
    };
    let below = read(&format!("task/{pid}/children"));
    for child in below.split_whitespace().filter_map(|pid| pid.parse().ok()).map(used) {
        sum.cpu += child.cpu;
        sum.memory += child.memory;
        sum.peak += child.peak;
    }
    sum
}

pub(crate) fn client() -> Result<reqwest::blocking::Client> {
    let client = reqwest::blocking::Client::builder().no_proxy().timeout(PATIENCE);
    Ok(client.build()?)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
