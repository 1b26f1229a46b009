//! Where a running `glassbox serve` can be found: a file in the user's runtime folder, valid while its server lives.
//!
//! The server holds a lock as long as it runs, and the system takes it away however the process ends. So a file that an
//! earlier server left is known to be stale without asking anybody, and what is sent never goes to a stranger that took
//! the port.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the file may have: more is none of ours.
const MOST_BYTES: u64 = 64 << 10;

/// Somebody who looks for a server holds the lock for a moment; a server that starts then tries again.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// A running server, and how to come in.
///
/// ```
/// use glassbox_telemetry::address::ServerAddress;
/// let address = ServerAddress::new("http://127.0.0.1:4318").with_secret("0123456789abcdef");
/// # let folder = std::env::temp_dir().join(format!("glassbox-address-doc-{}", std::process::id()));
/// let posted = address.post(&folder)?;
/// assert_eq!(ServerAddress::find(&folder).unwrap().url, "http://127.0.0.1:4318");
/// drop(posted);
/// assert!(ServerAddress::find(&folder).is_none());
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), glassbox_telemetry::address::PostError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerAddress {
    /// Where it answers HTTP, without a slash at the end, such as `http://127.0.0.1:4318`.
    pub url: String,
    /// What it asks for: a token, or `public:secret`.
    pub secret: Option<SecretString>,
    /// The process, if it runs on this machine.
    pub pid: Option<u32>,
    /// The file that it keeps traces in, if it runs on this machine.
    pub store: Option<PathBuf>,
}

/// Why an address could not be left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// Another server is found there, and goes on being found.
    #[error("programs find the server at {url} that runs already (process {pid})")]
    Taken {
        /// Where it is.
        url: String,
        /// Its process; 0 if it does not tell.
        pid: u32,
    },
    /// The folder cannot be written to.
    #[error("the folder {} cannot be written to: {error}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// An address that can be found until this is dropped.
#[derive(Debug)]
#[must_use = "the address can be found only as long as this is kept"]
pub struct Posted {
    path: PathBuf,
    /// Locked; the lock goes with it.
    _lock: File,
}

impl Drop for Posted {
    fn drop(&mut self) {
        // A file that stays is known to be stale, since nobody holds the lock any more.
        let _ = fs::remove_file(&self.path);
    }
}

impl ServerAddress {
    /// Makes an address. A slash at the end of the URL is left out.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { url, secret: None, pid: None, store: None }
    }

    /// Sets what the server asks for: its token, or a key pair as `public:secret`.
    #[must_use]
    pub fn with_secret(self, secret: impl Into<String>) -> Self {
        Self { secret: Some(secret.into().into()), ..self }
    }

    /// Sets the file that the server keeps traces in.
    #[must_use]
    pub fn with_store(self, store: impl Into<PathBuf>) -> Self {
        Self { store: Some(store.into()), ..self }
    }

    /// Returns the value of the header `authorization` that the server asks for.
    #[must_use]
    pub fn authorization(&self) -> Option<SecretString> {
        let secret = self.secret.as_ref()?.expose_secret();
        let text = match secret.contains(':') {
            true => format!("Basic {}", STANDARD.encode(secret)),
            false => format!("Bearer {secret}"),
        };
        Some(text.into())
    }

    /// Returns the address of its page; with its token, if that is what it asks for.
    #[must_use]
    pub fn page(&self) -> String {
        match self.secret.as_ref().map(|secret| secret.expose_secret()) {
            Some(token) if !token.contains(':') => format!("{}/?token={token}", self.url),
            _ => self.url.clone(),
        }
    }

    /// Finds the server whose address was left in a folder, if it still runs.
    #[must_use]
    pub fn find(folder: &Path) -> Option<Self> {
        let lock = File::open(lock_path(folder)).ok()?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Self::read(&path(folder)),
            // Nobody holds it: whatever is there is stale.
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    fn read(path: &Path) -> Option<Self> {
        let mut text = String::new();
        File::open(path).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        let said: Value = serde_json::from_str(&text).ok()?;
        let word = |key: &str| said[key].as_str().map(str::to_owned);
        Some(Self {
            url: word("url")?.trim_end_matches('/').to_owned(),
            secret: word("token").map(Into::into),
            pid: said["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()),
            store: word("store").map(Into::into),
        })
    }

    /// Leaves the address in a folder, for the programs of this user alone, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// Another server is found there already, or the folder cannot be written to.
    pub fn post(&self, folder: &Path) -> Result<Posted, PostError> {
        let failed = |error| PostError::Io { folder: folder.to_owned(), error };
        make_private(folder).map_err(failed)?;
        let lock = private().create(true).append(true).open(lock_path(folder)).map_err(failed)?;
        if !locked(&lock).map_err(failed)? {
            let other = Self::read(&path(folder));
            let pid = other.as_ref().and_then(|other| other.pid).unwrap_or_default();
            let url = other.map_or_else(|| "an unknown address".to_owned(), |other| other.url);
            return Err(PostError::Taken { url, pid });
        }
        self.write(&path(folder)).map_err(failed)?;
        Ok(Posted { path: path(folder), _lock: lock })
    }

    /// Writes the file as a whole, or not at all.
    fn write(&self, path: &Path) -> io::Result<()> {
        let said = json!({
            "url": self.url,
            "token": self.secret.as_ref().map(|secret| secret.expose_secret()),
            "pid": std::process::id(),
            "store": self.store,
            "version": env!("CARGO_PKG_VERSION"),
        });
        let draft = path.with_extension("draft");
        // It may be left from a server that was killed, with other permissions.
        let _ = fs::remove_file(&draft);
        let mut file = private().write(true).create_new(true).open(&draft)?;
        file.write_all(format!("{said}\n").as_bytes())?;
        fs::rename(draft, path)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("server.json")
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("server.lock")
}

fn locked(file: &File) -> io::Result<bool> {
    for attempt in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if attempt + 1 < TRIES => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => (),
        }
    }
    Ok(false)
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_left_that_is_gone_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(ServerAddress::find(folder).is_none());
        let address = ServerAddress::new("http://127.0.0.1:4318/").with_secret("t");
        let posted = address.post(folder).unwrap();
        let found = ServerAddress::find(folder).unwrap();
        assert_eq!(
            (found.url.as_str(), found.pid),
            ("http://127.0.0.1:4318", Some(std::process::id()))
        );
        assert_eq!(found.secret.unwrap().expose_secret(), "t");
        // As a process leaves it that is killed.
        let left = fs::read(path(folder)).unwrap();
        drop(posted);
        assert!(!path(folder).exists());
        fs::write(path(folder), left).unwrap();
        assert!(ServerAddress::find(folder).is_none());
    }

    #[test]
    fn the_first_server_is_found_as_long_as_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let first = ServerAddress::new("http://127.0.0.1:1").post(folder.path()).unwrap();
        let second = ServerAddress::new("http://127.0.0.1:2");
        let error = second.post(folder.path()).unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:1 that runs already"), "{error}");
        drop(first);
        let _posted = second.post(folder.path()).unwrap();
        assert_eq!(ServerAddress::find(folder.path()).unwrap().url, "http://127.0.0.1:2");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let _posted = ServerAddress::new("http://127.0.0.1:1").post(folder.path()).unwrap();
        for name in ["server.json", "server.lock"] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
