//! A server as its users run it: its own process, found by its own runtime folder.

use crate::command::glassbox;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A server, which ends with the test.
pub(crate) struct Stage {
    pub(crate) child: Child,
    /// What it said when it began to listen.
    pub(crate) said: Value,
    pub(crate) folder: TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(&[], &[])
    }

    /// Starts a server with further arguments and variables.
    pub(crate) fn with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::within(tempfile::tempdir().unwrap(), arguments, variables)
    }

    /// Ends the server, and starts another one of the same user.
    pub(crate) fn again(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Self::within(folder, &[], &[])
    }

    /// Starts a server of the user whose files are in a folder.
    pub(crate) fn within(folder: TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = glassbox(&["serve", "--grpc", "off", "--json"]);
        if !arguments.contains(&"--http") {
            command.args(["--http", "0"]);
        }
        command.args(arguments).envs(variables.iter().copied());
        command.env("XDG_RUNTIME_DIR", folder.path()).env("XDG_DATA_HOME", folder.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, said: serde_json::from_str(&line).unwrap(), folder }
    }

    pub(crate) fn url(&self) -> &str {
        self.said["otlp"].as_str().unwrap()
    }

    pub(crate) fn token(&self) -> &str {
        self.said["token"].as_str().unwrap()
    }

    /// A command of the same user, who has nothing else in the environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = glassbox(arguments);
        command.env("XDG_RUNTIME_DIR", self.folder.path());
        command
    }

    /// Asks the API.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &str) {
        let (status, body) = self.ask("POST", path, body);
        assert_eq!(status, 200, "{path}: {body}");
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let address = self.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token(),
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// Runs the coffee shop, which finds the server by itself.
    pub(crate) fn demo(&self) -> Value {
        crate::command::json(&mut self.command(&["demo", "--speed", "0", "--json"]))
    }
}
