//! Proxies: asked for what is elsewhere, and never for what is on this machine.

use crate::command::{glassbox, json, langfuse_at, run};
use crate::langfuse::Langfuse;
use crate::tls::Tls;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy for one server: whatever host it is asked for, it connects to that. It runs until the process ends.
struct Proxy {
    address: SocketAddr,
    /// The first line of each request.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming() {
                let log = Arc::clone(&log);
                thread::spawn(move || pass(client.unwrap(), server, &log));
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Passes a connection on: behind `CONNECT` all of it, else from the first request on, with its whole address.
fn pass(client: TcpStream, server: SocketAddr, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    log.lock().unwrap().push(first.trim_end().to_owned());
    let mut upstream = TcpStream::connect(server).unwrap();
    if first.starts_with("CONNECT ") {
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    } else {
        // HTTP servers take whole addresses as well as paths.
        upstream.write_all(first.as_bytes()).unwrap();
    }
    let (mut answers, mut back) = (upstream.try_clone().unwrap(), client);
    let answering = thread::spawn(move || {
        // Either side may end the connection.
        let _ = std::io::copy(&mut answers, &mut back);
    });
    let _ = std::io::copy(&mut reader, &mut upstream);
    let _ = answering.join();
}

#[test]
fn spans_go_through_a_proxy() {
    let langfuse = Langfuse::start();
    let proxy = Proxy::to(langfuse.address());
    let variables = langfuse_at("http://langfuse.test:3000");
    let summary = json(
        glassbox(&["demo", "--json", "--speed", "20"])
            .envs(variables)
            .env("HTTP_PROXY", proxy.url()),
    );
    assert_eq!((&summary["failed"], &summary["spans_exported"]), (&0.into(), &24.into()));
    assert_eq!(langfuse.spans().len(), 24);
    // The provider and the demo's server are on this machine, and are reached without it.
    let expected = [
        "POST http://langfuse.test:3000/api/public/otel/v1/traces HTTP/1.1",
        // Whether it is a glassbox server.
        "GET http://langfuse.test:3000/healthz HTTP/1.1",
    ];
    let asked = proxy.asked();
    assert!(asked.iter().all(|line| expected.contains(&line.as_str())), "{asked:?}");
}

#[test]
fn spans_go_encrypted_through_a_proxy() {
    let langfuse = Langfuse::start();
    let tls = Tls::in_front_of(langfuse.address(), &["langfuse.test"]);
    let proxy = Proxy::to(tls.address);
    let variables = langfuse_at("https://langfuse.test");
    let mut demo = glassbox(&["demo", "--json", "--speed", "20"]);
    demo.envs(variables).env("HTTPS_PROXY", proxy.url()).env("GLASSBOX_CA_FILE", tls.authority());
    assert_eq!(json(&mut demo)["spans_exported"], 24);
    assert_eq!(langfuse.spans().len(), 24);
    assert!(proxy.asked().iter().all(|line| line == "CONNECT langfuse.test:443 HTTP/1.1"));

    let mut doctor = glassbox(&["doctor"]);
    doctor.envs(variables).env("HTTPS_PROXY", proxy.url()).env("GLASSBOX_CA_FILE", tls.authority());
    let (output, stdout, stderr) = run(&mut doctor);
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("the proxy 127.0.0.1"), "{stdout}");
}

#[test]
fn this_machine_and_hosts_of_no_proxy_are_reached_directly() {
    let langfuse = Langfuse::start();
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [langfuse.url.clone(), format!("http://localhost:{}", langfuse.address().port())] {
        let mut doctor = glassbox(&["doctor"]);
        doctor.envs(langfuse_at(&url)).env("HTTP_PROXY", format!("http://{dead}"));
        let (output, stdout, stderr) = run(&mut doctor);
        assert!(output.status.success(), "{stdout}{stderr}");
    }

    let mut doctor = glassbox(&["doctor"]);
    doctor.envs(langfuse_at("http://langfuse.test")).env("HTTP_PROXY", format!("http://{dead}"));
    let (output, stdout, _) = run(&mut doctor);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout.contains("nothing answers at the proxy's port"), "{stdout}");
}
