//! The spool: spans on disk that a destination could not take yet, for this process or the next one.
//!
//! A spool is a folder of segments, files that are only appended to. Each process writes its own and holds a lock on
//! them. A file that nobody locks is from a process that has ended: whoever finds it takes it over. A file's name begins
//! with the identity of its destination, which is also in the file, so that spans go to no other.
//!
//! What is written survives the end of the process in whatever way, `kill -9` too. It is handed over to the disk itself
//! (`fsync`) when a segment is full: a power cut can cost what was written since, and what is torn is recognised.

use crate::parcel::Parcel;
use std::collections::VecDeque;
use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

mod record;
mod segment;

use segment::{Found, Segment};

/// Where spans wait on disk for a destination that cannot take them.
///
/// ```
/// use glassbox_telemetry::{observe::Observe, spool::SpoolConfig};
/// let observe = Observe::new().spool(SpoolConfig::new("/var/lib/coffee-shop/spool").max_bytes(64 << 20));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "hand it to `Observe::spool`"]
pub struct SpoolConfig {
    folder: PathBuf,
    max_bytes: u64,
}

impl SpoolConfig {
    /// The most bytes on disk, for each destination, unless something else is said: 512 MiB.
    pub const DEFAULT_MAX_BYTES: u64 = 512 << 20;

    /// Keeps spans in a folder, which is made when the first span is to be kept. Files in it are readable by the user
    /// alone.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), max_bytes: Self::DEFAULT_MAX_BYTES }
    }

    /// Sets the most bytes on disk, for each destination. What comes on top drops the oldest.
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Who a destination is, as far as its spans on disk are concerned: made of its address and of the public part of its
/// credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(pub(crate) [u8; 8]);

/// The spool of one destination in one process.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    identity: Identity,
    max_bytes: u64,
    segment_bytes: u64,
    /// The segments of this process; the last one is written to.
    own: VecDeque<Segment>,
    /// A segment that another process has left.
    adopted: Option<Segment>,
    /// Bytes of files that are not ours, when last looked.
    foreign: u64,
    looked: Option<Instant>,
    next_segment: u64,
}

/// Which parcel of which segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    segment: u64,
    place: u64,
    /// It is of this process, and not of another one.
    pub(crate) own: bool,
}

/// What had to go so that something could be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// Spans that were dropped, and had been known.
    pub(crate) dropped: u64,
    /// Those of them that other processes had left.
    pub(crate) adopted: u64,
    /// Spans of other processes that were found only to be dropped.
    pub(crate) found: u64,
}

/// What another process has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Adopted {
    pub(crate) spans: u64,
    /// Bytes that could not be read: usually the last record, which was being written when the process was killed.
    pub(crate) damaged: u64,
}

/// A segment is this share of a spool: that much goes at once when the spool is full.
const SEGMENTS: u64 = 16;
const LARGEST_SEGMENT: u64 = 32 << 20;
/// How often it is looked what others have left, at most.
const LOOK_PAUSE: Duration = Duration::from_secs(30);
/// An unfinished file of this age is left over from a process that was killed.
const UNFINISHED_AGE: Duration = Duration::from_secs(60);

impl Spool {
    /// Makes a spool. Nothing is read or written yet.
    pub(crate) fn new(config: &SpoolConfig, identity: Identity) -> Self {
        Self {
            folder: config.folder.clone(),
            identity,
            max_bytes: config.max_bytes,
            segment_bytes: (config.max_bytes / SEGMENTS).clamp(1, LARGEST_SEGMENT),
            own: VecDeque::new(),
            adopted: None,
            foreign: 0,
            looked: None,
            next_segment: 0,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Tells whether a parcel of this process waits or is being delivered.
    pub(crate) fn has_own(&self) -> bool {
        self.own.iter().any(|segment| !segment.is_done())
    }

    /// Tells whether a parcel waits.
    pub(crate) fn has_waiting(&self) -> bool {
        self.own.iter().chain(&self.adopted).any(Segment::has_waiting)
    }

    /// Writes a parcel, and tells what had to go for it.
    pub(crate) fn append(&mut self, parcel: &Parcel) -> io::Result<Room> {
        let too_large = || io::Error::other("a batch is larger than the spool may be");
        let record = record::of_parcel(parcel).ok_or_else(too_large)?;
        let size = record.len() as u64;
        if size > self.max_bytes {
            return Err(too_large());
        }
        if self.needs_segment(size) {
            self.foreign = self.foreign_bytes();
        }
        let room = self.make_room(size);
        if self.needs_segment(size) {
            if let Some(full) = self.own.back() {
                full.sync();
            }
            let segment = self.create()?;
            self.own.push_back(segment);
        }
        // It was pushed if it was not there.
        if let Some(segment) = self.own.back_mut() {
            segment.append(parcel, &record)?;
        }
        Ok(room)
    }

    /// Takes the next parcel: ours first, then what others have left. An error is the number of spans that the disk has
    /// lost; their ticket is to be settled as well.
    pub(crate) fn take(&mut self) -> Option<(Ticket, Result<Parcel, u64>)> {
        let own = self.own.iter_mut().map(|segment| (true, segment));
        let adopted = self.adopted.iter_mut().map(|segment| (false, segment));
        own.chain(adopted).find_map(|(own, segment)| {
            let id = segment.id;
            let (place, parcel) = segment.take()?;
            Some((Ticket { segment: id, place, own }, parcel))
        })
    }

    /// Books a parcel as done with.
    pub(crate) fn settle(&mut self, ticket: Ticket) -> io::Result<()> {
        let Some(segment) = self.segment(ticket) else { return Ok(()) };
        let settled = segment.settle(ticket.place);
        if segment.is_done() {
            self.forget(ticket.segment);
        }
        settled
    }

    /// Lets a parcel wait again. Returns whether it does: its segment may have been dropped to make room.
    pub(crate) fn put_back(&mut self, ticket: Ticket) -> bool {
        let segment = self.segment(ticket);
        let is_there = segment.is_some();
        if let Some(segment) = segment {
            segment.put_back(ticket.place);
        }
        is_there
    }

    /// Takes over a file that another process has left, one at a time, and not too often.
    pub(crate) fn adopt(&mut self) -> Option<Adopted> {
        if self.adopted.is_some() || self.looked.is_some_and(|at| at.elapsed() < LOOK_PAUSE) {
            return None;
        }
        let found = self.find_left();
        match found {
            Some((segment, damaged)) => {
                let adopted = Adopted { spans: segment.spans_waiting(), damaged };
                self.adopted = Some(segment);
                Some(adopted)
            }
            None => {
                self.looked = Some(Instant::now());
                None
            }
        }
    }

    /// Looks for what others have left at the next occasion, however short ago it was looked last.
    pub(crate) fn look_again(&mut self) {
        self.looked = None;
    }

    fn needs_segment(&self, size: u64) -> bool {
        let is_full = |segment: &Segment| segment.length() + size > self.segment_bytes;
        self.own.back().is_none_or(is_full)
    }

    /// Drops the oldest until a record fits. What living processes have is theirs, so each process may have a segment.
    fn make_room(&mut self, size: u64) -> Room {
        let mut room = Room::default();
        let own = |spool: &Self| spool.own.iter().map(Segment::length).sum::<u64>();
        let adopted = |spool: &Self| spool.adopted.as_ref().map_or(0, Segment::length);
        let mut looked = false;
        while own(self) + adopted(self) + self.foreign + size > self.max_bytes {
            if !std::mem::replace(&mut looked, true) {
                self.foreign = self.foreign_bytes();
                continue;
            }
            if own(self) + size <= self.segment_bytes && adopted(self) == 0 {
                break;
            }
            if let Some((segment, _)) = self.find_left() {
                room.found += segment.spans_waiting();
                self.foreign = self.foreign.saturating_sub(segment.length());
                segment.remove();
            } else if let Some(segment) = self.adopted.take() {
                room.dropped += segment.spans_waiting();
                room.adopted += segment.spans_waiting();
                segment.remove();
            } else if let Some(segment) = self.own.pop_front() {
                room.dropped += segment.spans_waiting();
                segment.remove();
            } else {
                break;
            }
        }
        room
    }

    fn segment(&mut self, ticket: Ticket) -> Option<&mut Segment> {
        self.own.iter_mut().chain(&mut self.adopted).find(|segment| segment.id == ticket.segment)
    }

    /// Removes a segment in which nothing is left.
    fn forget(&mut self, id: u64) {
        let own = self.own.iter().position(|segment| segment.id == id);
        let done = own.and_then(|at| self.own.remove(at)).or_else(|| self.adopted.take());
        if let Some(segment) = done {
            segment.remove();
        }
    }

    fn create(&mut self) -> io::Result<Segment> {
        make_folder(&self.folder)?;
        // Names sort by age.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (process, number) = (process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let name = format!("{}{millis:013x}-{process}-{number}.spool", self.prefix());
        let id = self.next_id();
        Segment::create(self.folder.join(name), id, self.identity)
    }

    /// Finds the oldest file that a process has left that has ended.
    fn find_left(&mut self) -> Option<(Segment, u64)> {
        for (path, _) in self.foreign_files() {
            let id = self.next_id();
            // What cannot be opened is left to whoever can.
            if let Ok(Found::Segment(segment, damaged)) = Segment::adopt(&path, id, self.identity) {
                return Some((segment, damaged));
            }
        }
        None
    }

    fn foreign_bytes(&self) -> u64 {
        self.foreign_files().iter().map(|(_, length)| length).sum()
    }

    /// The files of this destination that are not ours, and their lengths, the oldest first.
    fn foreign_files(&self) -> Vec<(PathBuf, u64)> {
        // Without a folder nobody has left anything.
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let prefix = self.prefix();
        let mut files = Vec::new();
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let (Ok(metadata), Some(name)) = (entry.metadata(), name.to_str()) else { continue };
            if !name.starts_with(&prefix) || !metadata.is_file() {
                continue;
            }
            let is_own = self.own.iter().chain(&self.adopted).any(|own| own.path() == path);
            if name.ends_with(".spool") && !is_own {
                files.push((path, metadata.len()));
            } else if name.ends_with(".new") && age(&metadata) > UNFINISHED_AGE {
                // Nothing is in it. If it cannot be removed, it does no harm.
                let _ = fs::remove_file(path);
            }
        }
        files.sort();
        files
    }

    fn prefix(&self) -> String {
        format!("{:016x}-", u64::from_be_bytes(self.identity.0))
    }

    const fn next_id(&mut self) -> u64 {
        self.next_segment += 1;
        self.next_segment
    }
}

fn age(metadata: &fs::Metadata) -> Duration {
    metadata.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default()
}

/// Makes a folder that its user alone may look into.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests;
