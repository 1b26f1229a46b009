//! The glassbox server that spans go to, as the environment and the server itself say.

use crate::address::ServerAddress;
use crate::config::read::Environment;
use crate::destination::{Destination, is_same_host};
use crate::error::{ConfigError, Kind};
use crate::limits::Limits;
use crate::sampling::Sampling;
use std::path::PathBuf;
use url::Url;

const SERVER: &str = "GLASSBOX_SERVER";
const KEY: &str = "GLASSBOX_SERVER_KEY";

/// Returns the server: the one that is named, else the one that runs.
pub(super) fn address(env: &Environment<'_>) -> Result<Option<ServerAddress>, ConfigError> {
    match env.get(SERVER) {
        Some(value) if super::spool::is_off(&value) => Ok(None),
        Some(url) if url.contains("://") => {
            let address = ServerAddress::new(&url);
            Ok(Some(match env.get(KEY) {
                Some(key) => address.with_secret(key),
                // The one that runs has told what it asks for.
                None => running(env).filter(|found| found.url == address.url).unwrap_or(address),
            }))
        }
        Some(value) => {
            let expected = "write an address such as http://localhost:4318, or off";
            Err(Kind::Value { variable: SERVER, value, expected }.into())
        }
        None => Ok(running(env)),
    }
}

fn running(env: &Environment<'_>) -> Option<ServerAddress> {
    ServerAddress::find(&folder(env)?)
}

/// The folder in which a server leaves its address: what is in it need not outlive the user's session.
pub(super) fn folder(env: &Environment<'_>) -> Option<PathBuf> {
    let absolute = |path: String| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let runtime = env.get("XDG_RUNTIME_DIR").and_then(absolute);
    Some(runtime.or_else(|| super::spool::state_folder(env))?.join("glassbox"))
}

/// Adds the server to the destinations, or lets the one that leads there already announce what begins. Returns it if it
/// does not run yet, but may.
pub(super) fn add(
    env: &Environment<'_>,
    destinations: &mut Vec<Destination>,
    (limits, sampling): (Limits, Sampling),
) -> Result<Option<Destination>, ConfigError> {
    let address = address(env)?;
    if env.get(SERVER).is_some_and(|value| super::spool::is_off(&value)) {
        return Ok(None);
    }
    let folder = folder(env);
    // A server that two of them lead to hears of a span once.
    let mut is_reached = false;
    let mut asked: Vec<Url> = Vec::new();
    for destination in destinations.iter_mut() {
        let Some(url) = destination.fixed_url().cloned() else { continue };
        if asked.iter().all(|other| !is_same_host(other, &url)) {
            is_reached |= destination.may_announce(folder.as_deref());
            asked.push(url);
        }
    }
    // One that is named stays where it is; one that was found may come back somewhere else.
    let folder = folder.filter(|_| env.get(SERVER).is_none());
    if let Some(address) = address.as_ref().filter(|_| folder.is_none()) {
        is_reached = false;
        for destination in destinations.iter_mut() {
            is_reached = is_reached || destination.announces_to(address)?;
        }
    }
    if is_reached {
        return Ok(None);
    }
    let destination = match (folder, &address) {
        (Some(folder), address) => Destination::found_in(folder, address.as_ref())?,
        (None, Some(address)) => Destination::server(address)?,
        (None, None) => return Ok(None),
    };
    let destination = destination.limits(limits).sampling(sampling);
    // Whoever says how long spans wait means it.
    let is_said = env.get("OTEL_BSP_SCHEDULE_DELAY").is_some();
    let destination = if is_said { destination } else { destination.hurried() };
    let destination = super::trusting(destination, env.first(&[super::CA_FILE]))?;
    if address.is_none() {
        return Ok(Some(destination));
    }
    destinations.push(destination);
    Ok(None)
}
