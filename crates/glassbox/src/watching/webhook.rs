//! Alerts as HTTP requests: posted from a thread of their own, tried again, never in the way of the program.

use crate::error::{Error, ErrorKind};
use glassbox_events::watch::alert::AlertChange;
use glassbox_telemetry::loopback::is_loopback;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde_json::{Map, Value, json};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use url::Url;

/// So many posts wait for a slow receiver; further ones are dropped and told of.
const WAITING: usize = 256;
/// A receiver that asks for a longer pause is not waited for that long.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Posts alerts to an address, as JSON: `state` (`fired` or `resolved`), `alert`, `measure`, `value`, `threshold`, `labels`,
/// `at`, and `text` for people.
///
/// A post that fails for now (no connection, 408, 429, 5xx) is tried again, five times in all, with growing pauses and
/// as `Retry-After` asks. What cannot be delivered is logged.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use glassbox::{Bus, Webhook};
/// use glassbox::watch::{Alert, Alerts, alert::Measure};
/// let webhook = Webhook::new("https://hooks.example.com/glassbox").header("authorization", "Bearer secret");
/// let rule = Alert::above(Measure::ErrorShare, 0.2);
/// let _watching = Alerts::new().rule(rule).hook(webhook.start()?).start(&Bus::global())?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is posted until it is started"]
#[derive(Clone)]
pub struct Webhook {
    url: String,
    headers: Vec<(String, String)>,
    attempts: u32,
    pause: Duration,
    timeout: Duration,
    patience: Duration,
}

impl Webhook {
    /// Posts to this address, of HTTP or HTTPS.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            attempts: 5,
            pause: Duration::from_millis(500),
            timeout: Duration::from_secs(10),
            patience: Duration::from_secs(5),
        }
    }

    /// Adds a header, such as one with a key.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets how often a post is tried; at least once.
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts: attempts.max(1), ..self }
    }

    /// Sets the pause after the first attempt, which doubles with each: half a second unless said otherwise.
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Sets how long an attempt may take: ten seconds unless said otherwise.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets how long the end of watching waits for what is still to be posted: five seconds unless said otherwise.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Starts the thread that posts, and returns the hook for [`Alerts::hook`](glassbox_events::watch::Alerts::hook).
    ///
    /// # Errors
    ///
    /// The address or a header makes no sense, or the system gives no thread.
    pub fn start(self) -> Result<impl Fn(&AlertChange) + Send + 'static, Error> {
        let patience = self.patience;
        let post = Post::new(&self)?;
        let (sender, receiver) = sync_channel(WAITING);
        let (ends, ended) = channel();
        let life = move || {
            keep(&post, &receiver);
            // Nobody may be waiting any more.
            let _told = ends.send(());
        };
        let thread = thread::Builder::new().name("glassbox-webhook".to_owned());
        thread.spawn(life).map_err(|error| {
            wrong(format!("the thread of the webhook cannot be started: {error}"))
        })?;
        let queue = Queue { sender, ended: Mutex::new(ended), patience };
        Ok(move |change: &AlertChange| queue.put(change))
    }
}

/// What the thread is told. What is to be posted and the end travel the same way.
enum Message {
    Post(Value),
    Stop,
}

struct Queue {
    sender: SyncSender<Message>,
    /// In a mutex only because a receiver cannot be shared.
    ended: Mutex<Receiver<()>>,
    patience: Duration,
}

impl Queue {
    fn put(&self, change: &AlertChange) {
        if self.sender.try_send(Message::Post(body(change))).is_err() {
            let alert = &*change.alert.rule;
            tracing::warn!(alert, "an alert was not posted: {WAITING} others wait for the webhook");
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // A queue that is full has a receiver that does not answer: it is not waited for.
        if self.sender.try_send(Message::Stop).is_ok() {
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if ended.recv_timeout(self.patience).is_err() {
                tracing::warn!("the webhook does not answer; its last alerts may be lost");
            }
        }
    }
}

/// The life of the thread.
fn keep(post: &Post, receiver: &Receiver<Message>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::warn!(%error, "the webhook cannot work, alerts are not posted");
            return;
        }
    };
    while let Ok(Message::Post(body)) = receiver.recv() {
        if let Err(problem) = runtime.block_on(post.deliver(&body)) {
            let (alert, host) = (body["alert"].as_str().unwrap_or_default(), &post.host);
            tracing::warn!(alert, "an alert could not be posted to {host}: {problem}");
        }
    }
}

struct Post {
    client: Client,
    url: Url,
    /// What may be told of the address: its path can be a secret.
    host: String,
    headers: HeaderMap,
    attempts: u32,
    pause: Duration,
}

impl Post {
    fn new(webhook: &Webhook) -> Result<Self, Error> {
        let address = || {
            wrong(
                "the address of the webhook is none: write one such as https://hooks.example.com/glassbox",
            )
        };
        let url = Url::parse(&webhook.url).map_err(|_| address())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(address());
        }
        let host = url.host_str().ok_or_else(address)?.to_owned();
        let mut headers = HeaderMap::new();
        for (name, value) in &webhook.headers {
            let parsed = (HeaderName::try_from(name), HeaderValue::try_from(value));
            let (Ok(name), Ok(mut value)) = parsed else {
                return Err(wrong(format!(
                    "the webhook's header {name:?} is none: write a name and a value in one line"
                )));
            };
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let mut client = Client::builder()
            .timeout(webhook.timeout)
            .user_agent(concat!("glassbox/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none());
        if url.host_str().is_some_and(is_loopback) {
            client = client.no_proxy();
        }
        let client = client
            .build()
            .map_err(|error| wrong(format!("the webhook's HTTP client cannot be made: {error}")))?;
        let Webhook { attempts, pause, .. } = *webhook;
        Ok(Self { client, url, host, headers, attempts, pause })
    }

    /// Posts until it works, and says what went wrong if it does not.
    async fn deliver(&self, body: &Value) -> Result<(), String> {
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            let (problem, asked) = match self.try_once(body).await {
                Ok(()) => return Ok(()),
                Err(Refused::ForGood(problem)) => return Err(problem),
                Err(Refused::ForNow(problem, asked)) => (problem, asked),
            };
            if attempt >= self.attempts {
                return Err(format!("{problem}, {attempt} times"));
            }
            attempt += 1;
            let jitter = pause.mul_f64(fastrand::f64() / 2.0);
            tokio::time::sleep(asked.unwrap_or(pause + jitter).min(LONGEST_PAUSE)).await;
            pause = pause.saturating_mul(2);
        }
    }

    async fn try_once(&self, body: &Value) -> Result<(), Refused> {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .headers(self.headers.clone())
            .body(body.to_string());
        let response = request.send().await.map_err(|error| {
            Refused::ForNow(format!("no answer: {}", error.without_url()), None)
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let for_now = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if !for_now {
            return Err(Refused::ForGood(format!("it answers {status}")));
        }
        let asked = response.headers().get(RETRY_AFTER).and_then(|asked| asked.to_str().ok());
        let asked = asked.and_then(|asked| asked.trim().parse().ok()).map(Duration::from_secs);
        Err(Refused::ForNow(format!("it answers {status}"), asked))
    }
}

enum Refused {
    /// With the pause that was asked for.
    ForNow(String, Option<Duration>),
    ForGood(String),
}

fn body(change: &AlertChange) -> Value {
    let alert = &change.alert;
    let labels = alert.labels.iter().map(|(key, value)| (key.to_string(), Value::from(&**value)));
    json!({
        "state": if change.fired { "fired" } else { "resolved" },
        "alert": &*alert.rule,
        "measure": &*alert.measure,
        "value": alert.value,
        "threshold": alert.threshold,
        "labels": labels.collect::<Map<_, _>>(),
        "at": change.at.to_string(),
        "text": &*alert.message,
    })
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Address and headers can be secrets.
        f.debug_struct("Webhook").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}
