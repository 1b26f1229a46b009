//! Looks for a glassbox server that starts after the program, or comes back somewhere else. It runs beside the exporter,
//! on the worker's thread, and reads a small file now and then: the program itself does nothing for it.

use crate::address::ServerAddress;
use crate::destination::{Here, Whereabouts, is_at};
use crate::queue::Queue;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);

/// Looks for the server of one destination.
#[derive(Debug)]
pub(crate) struct Lookout {
    pub(crate) queue: Arc<Queue>,
    pub(crate) whereabouts: Arc<Whereabouts>,
    /// Where spans go already: a server that is there gets nothing twice.
    pub(crate) others: Vec<Url>,
}

impl Lookout {
    /// Looks until the runtime ends.
    pub(crate) async fn run(self) {
        let mut clock = tokio::time::interval(EVERY);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            self.look();
        }
    }

    fn look(&self) {
        let Some(found) = ServerAddress::find(&self.whereabouts.folder) else { return };
        if self.others.iter().any(|url| is_at(url, &found)) {
            return;
        }
        // What stands in the file can be no address only if somebody else wrote it.
        let Ok(here) = Here::at(&found) else { return };
        if self.whereabouts.move_to(here) {
            tracing::info!("spans go to the glassbox server at {}", found.url);
            self.queue.awaken();
        }
    }
}
