//! Alerts of the process: those of the file that `GLASSBOX_ALERTS` names, and webhooks for those of any file.

use crate::config;
use crate::error::{Error, ErrorKind};
use glassbox_events::bus::Bus;
use glassbox_events::watch::Alerts;
use glassbox_events::watch::alert::{AlertError, Watching};
use glassbox_telemetry::observe::Observing;

mod webhook;

pub use webhook::Webhook;

/// Observes what happens in the process, and exports it to wherever the environment says: see
/// [`telemetry::config`](crate::telemetry::config). Watches the alerts of the file that `GLASSBOX_ALERTS` names, too. Keep the
/// guard until the program ends.
///
/// ```
/// fn main() -> Result<(), glassbox::Error> {
///     let _observing = glassbox::observe()?;
///     // ... the program ...
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// A variable has a value that makes no sense, or the file of alerts has mistakes; the error says what to write instead.
pub fn observe() -> Result<Observing, Error> {
    let mut observing = glassbox_telemetry::observe::observe()?;
    if let Some((path, alerts)) = config::alerts()? {
        let watching = start_alerts(alerts).map_err(|error| config::in_alerts(&path, &error))?;
        observing.keep(watching);
    }
    Ok(observing)
}

/// Begins to watch the events of the process by these rules, and posts to the webhooks that their file names. Watching
/// ends when the guard is dropped.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use glassbox::watch::Alerts;
/// let _watching = glassbox::start_alerts(Alerts::from_file("alerts.toml")?)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// A rule or the address of a webhook makes no sense.
pub fn start_alerts(mut alerts: Alerts) -> Result<Watching, Error> {
    for url in alerts.take_webhooks() {
        alerts = alerts.hook(Webhook::new(url).start()?);
    }
    Ok(alerts.start(&Bus::global())?)
}

impl From<AlertError> for Error {
    fn from(error: AlertError) -> Self {
        Self::new(ErrorKind::Config, error.to_string())
    }
}
