//! Looks for a glassbox server that starts after the program, or comes back somewhere else. It runs beside the exporter,
//! on the worker's thread: the program itself does nothing for it.
//!
//! A server of this user leaves its address in a file, which is looked at once a second. What a variable names may be a
//! server as well, of another user or machine: it is asked for its name, more and more rarely, and told nothing until
//! it has said so.

use crate::destination::{Entrance, Here, LiveTarget, Perhaps};
use crate::health::{HealthChange, HealthEvents};
use crate::http::Http;
use crate::queue::Queue;
use reqwest::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The pauses between two questions to who does not answer; they double.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pauses between two questions to who answers and is no server.
const FOREIGN_PAUSE: Duration = Duration::from_secs(5 * 60);
const LONGEST_FOREIGN_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Looks for the server of one destination.
#[derive(Debug)]
pub(crate) struct Lookout {
    queue: Arc<Queue>,
    http: Http,
    target: LiveTarget,
    /// Where the server was when it was looked last; nowhere if it did not run.
    here: Option<Here>,
    /// The same of a destination that is a server.
    entrance: Option<Entrance>,
    /// It stood in the file, and not only said so.
    is_in_file: bool,
    looks_at: Instant,
    question: Question,
}

/// Whether what a variable names is a server.
#[derive(Debug)]
struct Question {
    next: Instant,
    pause: Duration,
    asking: Option<JoinHandle<Said>>,
    said: Option<Said>,
    /// What becomes of the export: who comes back may be somebody else.
    health: HealthEvents,
}

/// What was said to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Glassbox,
    SomethingElse,
    Nothing,
}

impl Lookout {
    pub(crate) fn new(queue: &Arc<Queue>, http: Http, target: LiveTarget) -> Self {
        let (sender, health) = HealthEvents::channel();
        if matches!(target, LiveTarget::Perhaps(_)) {
            queue.listeners().add(sender);
        }
        let now = Instant::now();
        // What was seen before the program began is no news.
        let here = match &target {
            LiveTarget::Found(whereabouts) if !queue.slumbers() => whereabouts.now(),
            _ => None,
        };
        let question =
            Question { next: now, pause: SHORTEST_PAUSE, asking: None, said: None, health };
        Self {
            queue: Arc::clone(queue),
            http,
            target,
            here,
            entrance: None,
            is_in_file: false,
            looks_at: now,
            question,
        }
    }

    /// Returns where announcements go now; `None` if no server is there, as far as is known.
    pub(crate) fn entrance(&self) -> Option<Entrance> {
        match &self.target {
            LiveTarget::Named(entrance) => Some(entrance.clone()),
            LiveTarget::Found(whereabouts) => whereabouts.now().map(|here| here.entrance()),
            LiveTarget::Perhaps(_) => self.entrance.clone(),
        }
    }

    /// Waits until there is something to look at.
    pub(crate) async fn due(&mut self) {
        if matches!(self.target, LiveTarget::Named(_)) {
            return std::future::pending().await;
        }
        tokio::select! {
            () = tokio::time::sleep_until(self.looks_at) => (),
            () = self.question.answered() => self.looks_at = Instant::now(),
        }
    }

    /// Looks, if it is time to. Returns whether the server is newly there, or somewhere else.
    pub(crate) fn look(&mut self) -> bool {
        if matches!(self.target, LiveTarget::Named(_)) || self.looks_at > Instant::now() {
            return false;
        }
        self.looks_at = Instant::now() + EVERY;
        match &self.target {
            LiveTarget::Named(_) => false,
            LiveTarget::Found(whereabouts) => {
                let before = std::mem::replace(&mut self.here, whereabouts.now());
                let Some(here) = self.here.as_ref().filter(|here| Some(*here) != before.as_ref())
                else {
                    return false;
                };
                let at = here.spans.origin().ascii_serialization();
                tracing::info!("spans go to the glassbox server at {at}");
                self.queue.take_notes();
                self.queue.awaken();
                true
            }
            LiveTarget::Perhaps(perhaps) => {
                self.question.hear_of_health();
                let (found, before) = (perhaps.found(), self.entrance.take());
                let was_in_file = std::mem::replace(&mut self.is_in_file, found.is_some());
                // Who left the file has ended, and somebody else may be there.
                let known = found.or_else(|| before.clone().filter(|_| !was_in_file));
                self.entrance = known.or_else(|| self.question.ask(perhaps, &self.http));
                let is_new = self.entrance.is_some() && self.entrance != before;
                if is_new {
                    self.queue.take_notes();
                }
                is_new
            }
        }
    }

    /// Notes that an announcement was not taken: who is there now is to say who that is.
    pub(crate) fn doubt(&mut self) {
        self.entrance = None;
        self.question.pause = SHORTEST_PAUSE;
        self.question.next = Instant::now();
    }
}

impl Question {
    /// Waits until something is said.
    async fn answered(&mut self) {
        let Some(asking) = &mut self.asking else { return std::future::pending().await };
        // It does not panic. If it did, nobody would have answered.
        self.said = Some(asking.await.unwrap_or(Said::Nothing));
        self.asking = None;
    }

    /// Asks soon where somebody answers again.
    fn hear_of_health(&mut self) {
        while let Some(event) = self.health.try_next() {
            if matches!(event.change, HealthChange::Up) {
                self.next = Instant::now();
                self.pause = SHORTEST_PAUSE;
            }
        }
    }

    /// Returns how to come in if what was said is the right word, and asks anew if it is time to.
    fn ask(&mut self, perhaps: &Perhaps, http: &Http) -> Option<Entrance> {
        if let Some(said) = self.said.take() {
            self.pause = match said {
                Said::Glassbox => return Some(perhaps.entrance.clone()),
                Said::Nothing => (self.pause * 2).min(LONGEST_PAUSE),
                Said::SomethingElse => (self.pause * 2).clamp(FOREIGN_PAUSE, LONGEST_FOREIGN_PAUSE),
            };
            self.next = Instant::now() + self.pause;
        }
        if self.asking.is_none() && Instant::now() >= self.next {
            let (http, url) = (http.clone(), perhaps.name.clone());
            self.asking = Some(tokio::spawn(async move {
                match http.call(http.elsewhere(Method::GET, url)).await {
                    Ok(answer) => match serde_json::from_slice::<Value>(&answer) {
                        Ok(answer) if answer["name"] == "glassbox" => Said::Glassbox,
                        _ => Said::SomethingElse,
                    },
                    Err((0, _)) => Said::Nothing,
                    Err(_) => Said::SomethingElse,
                }
            }));
        }
        None
    }
}
