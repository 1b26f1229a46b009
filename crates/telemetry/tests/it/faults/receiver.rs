//! A receiver that misbehaves below HTTP: it resets, drips and hangs. It speaks just enough of it for that.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the receiver does with a request.
pub(super) enum Act {
    /// Takes the spans.
    Take,
    /// Takes the spans, and answers a byte at a time, with this pause between them.
    Drip(Duration),
    /// Refuses, with a status and a further header line.
    Refuse(u16, &'static str),
    /// Reads a part of the body and resets the connection.
    Reset,
    /// Reads the request and never answers.
    Hang,
}

/// What is known of a request when it is decided what to do.
pub(super) struct Request {
    /// From 0 on.
    pub(super) number: usize,
    /// Since the receiver started.
    pub(super) age: Duration,
    /// The size of the body.
    pub(super) size: usize,
    /// Without those of requests that are reset.
    pub(super) spans: Vec<Span>,
}

/// A receiver. It runs until the process ends.
pub(super) struct Faulty {
    pub(super) url: String,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    requests: Vec<Instant>,
    taken: Vec<Span>,
}

type Decide = dyn Fn(&Request) -> Act + Send + Sync;

impl Faulty {
    pub(super) fn start(decide: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap(), decide)
    }

    pub(super) fn at(
        listener: TcpListener,
        decide: impl Fn(&Request) -> Act + Send + Sync + 'static,
    ) -> Self {
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let log = Arc::<Mutex<Log>>::default();
        let (decide, shared): (Arc<Decide>, _) = (Arc::new(decide), Arc::clone(&log));
        let began = Instant::now();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (decide, log) = (Arc::clone(&decide), Arc::clone(&shared));
                std::thread::spawn(move || serve(&stream, began, &*decide, &log));
            }
        });
        Self { url, log }
    }

    /// The spans that were taken, in the order in which they came.
    pub(super) fn taken(&self) -> Vec<Span> {
        self.log.lock().unwrap().taken.clone()
    }

    /// When requests came.
    pub(super) fn requests(&self) -> Vec<Instant> {
        self.log.lock().unwrap().requests.clone()
    }
}

/// Serves one request and closes the connection. Errors end it as well: the other side may be gone.
fn serve(stream: &TcpStream, began: Instant, decide: &Decide, log: &Mutex<Log>) {
    let mut reader = BufReader::new(stream);
    let mut size = 0;
    loop {
        let mut line = String::new();
        if !matches!(reader.read_line(&mut line), Ok(1..)) {
            return;
        }
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            size = length.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let number = {
        let mut log = log.lock().unwrap();
        log.requests.push(Instant::now());
        log.requests.len() - 1
    };
    // A reset is decided before the body is read.
    let head = Request { number, age: began.elapsed(), size, spans: Vec::new() };
    if matches!(decide(&head), Act::Reset) {
        let mut half = vec![0; size / 2];
        let _ = reader.read_exact(&mut half);
        // Closed with unread bytes in it: the other side gets a reset.
        let _ = stream.shutdown(Shutdown::Both);
        return;
    }
    let mut body = vec![0; size];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let export = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
    let scopes = export.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let request = Request { spans: scopes.flat_map(|scope| scope.spans).collect(), ..head };
    let take = |spans: Vec<Span>| log.lock().unwrap().taken.extend(spans);
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let mut stream = stream;
    match decide(&request) {
        Act::Take => {
            take(request.spans);
            let _ = stream.write_all(ok.as_bytes());
        }
        Act::Drip(pause) => {
            take(request.spans);
            for byte in ok.bytes() {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                std::thread::sleep(pause);
            }
        }
        Act::Refuse(status, header) => {
            let answer = format!(
                "HTTP/1.1 {status} No\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
        Act::Hang => std::thread::sleep(Duration::from_secs(3600)),
        Act::Reset => (),
    }
}
