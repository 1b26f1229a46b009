//! One file of a spool: whose it is in the first bytes, records behind. Whoever holds its lock owns it.

use crate::parcel::Parcel;
use crate::spool::Identity;
use crate::spool::record::{self, HEAD, Head, Record};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;

const MAGIC: [u8; 8] = *b"gbspool1";
const PREFACE: u64 = 16;

/// A file of which we hold the lock.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) id: u64,
    path: PathBuf,
    file: File,
    length: u64,
    /// The parcels that wait, in the order in which they came.
    waiting: VecDeque<Slot>,
    /// The parcels that somebody tries to deliver.
    taken: Vec<Slot>,
}

/// Where a parcel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    place: u64,
    head: Head,
    spans: u64,
}

/// What was found in a file of a process that has ended.
#[derive(Debug)]
pub(super) enum Found {
    /// A segment with parcels, and how many bytes of it could not be read.
    Segment(Segment, u64),
    /// A segment without parcels, which is removed.
    Nothing,
    /// A file that is another process's, or none of ours.
    NotOurs,
}

impl Segment {
    /// Makes a new file that its user alone may read.
    pub(super) fn create(path: PathBuf, id: u64, identity: Identity) -> io::Result<Self> {
        // Others look only for the final name, so that nobody takes the lock in between.
        let unfinished = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.read(true).append(true).create_new(true);
        for_the_user_alone(&mut options);
        let mut file = options.open(&unfinished)?;
        file.try_lock()?;
        file.write_all(&MAGIC)?;
        file.write_all(&identity.0)?;
        fs::rename(&unfinished, &path)?;
        let (waiting, taken) = (VecDeque::new(), Vec::new());
        Ok(Self { id, path, file, length: PREFACE, waiting, taken })
    }

    /// Takes over a file whose process has ended.
    pub(super) fn adopt(path: &Path, id: u64, identity: Identity) -> io::Result<Found> {
        let file = OpenOptions::new().read(true).append(true).open(path)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Ok(Found::NotOurs),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let length = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(64 << 10, &file);
        let mut preface = [0; PREFACE as usize];
        let is_ours = length >= PREFACE && {
            reader.read_exact(&mut preface)?;
            preface[..8] == MAGIC && preface[8..] == identity.0
        };
        if !is_ours && length >= PREFACE {
            return Ok(Found::NotOurs);
        }
        let (waiting, end, damaged) =
            if is_ours { scan(&mut reader, length)? } else { (VecDeque::new(), 0, length) };
        drop(reader);
        // What is torn would stand between the records and the receipts to come.
        if end < length {
            file.set_len(end)?;
        }
        let segment =
            Self { id, path: path.to_owned(), file, length: end, waiting, taken: Vec::new() };
        if segment.is_done() {
            segment.remove();
            return Ok(Found::Nothing);
        }
        Ok(Found::Segment(segment, damaged))
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Counts the spans that wait, without those that somebody tries to deliver.
    pub(super) fn spans_waiting(&self) -> u64 {
        self.waiting.iter().map(|slot| slot.spans).sum()
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Tells whether there is nothing left to deliver.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.taken.is_empty()
    }

    /// Appends a parcel that was written as a record.
    pub(super) fn append(&mut self, parcel: &Parcel, record: &[u8]) -> io::Result<()> {
        let place = self.length;
        self.write(record)?;
        let mut bytes = [0; HEAD];
        bytes.copy_from_slice(&record[..HEAD]);
        let slot = Slot { place, head: Head::from_bytes(bytes), spans: parcel.spans };
        self.waiting.push_back(slot);
        Ok(())
    }

    /// Takes the oldest parcel that waits: its place, and what it is, unless the disk has lost it. Then the number of
    /// its spans is all there is.
    pub(super) fn take(&mut self) -> Option<(u64, Result<Parcel, u64>)> {
        let slot = self.waiting.pop_front()?;
        let read = self.read(slot);
        self.taken.push(slot);
        Some((slot.place, read.map_err(|_| slot.spans)))
    }

    /// Books a parcel as done with: it is not delivered again, not by another process either.
    pub(super) fn settle(&mut self, place: u64) -> io::Result<()> {
        self.taken.retain(|slot| slot.place != place);
        // The file is about to be removed, or it is to remember.
        if self.is_done() { Ok(()) } else { self.write(&record::of_receipt(place)) }
    }

    /// Lets a parcel wait again.
    pub(super) fn put_back(&mut self, place: u64) {
        let Some(at) = self.taken.iter().position(|slot| slot.place == place) else { return };
        let slot = self.taken.swap_remove(at);
        let before = self.waiting.partition_point(|waiting| waiting.place < place);
        self.waiting.insert(before, slot);
    }

    /// Has what was written handed over to the disk itself, which takes the time that it takes, so not here.
    pub(super) fn sync(&self) {
        let Ok(file) = self.file.try_clone() else { return };
        // If neither works, a power cut can cost more than it need.
        let _ =
            thread::Builder::new().name("glassbox-sync".to_owned()).spawn(move || file.sync_data());
    }

    /// Removes the file.
    pub(super) fn remove(self) {
        // Whoever has opened it meanwhile, and waits for the lock, finds it empty. If it cannot be removed, the next
        // process finds it empty and tries.
        let _ = self.file.set_len(0);
        let _ = fs::remove_file(&self.path);
    }

    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        match self.file.write_all(record) {
            Ok(()) => {
                self.length += record.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a record would hide all that come after it.
                let _ = self.file.set_len(self.length);
                Err(error)
            }
        }
    }

    fn read(&mut self, slot: Slot) -> io::Result<Parcel> {
        let mut body = vec![0; slot.head.length as usize];
        self.file.seek(SeekFrom::Start(slot.place + HEAD as u64))?;
        self.file.read_exact(&mut body)?;
        match slot.head.read(body) {
            Some(Record::Parcel(parcel)) => Ok(parcel),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Reads all records behind the preface. Returns the parcels without a receipt, where the last whole record ends, and
/// how many bytes made no sense. A record that is damaged costs itself, as long as its length is not.
fn scan(reader: &mut impl Read, length: u64) -> io::Result<(VecDeque<Slot>, u64, u64)> {
    let (mut parcels, mut receipts) = (VecDeque::new(), Vec::new());
    let (mut place, mut end, mut damaged) = (PREFACE, PREFACE, 0);
    while place + HEAD as u64 <= length {
        let mut bytes = [0; HEAD];
        reader.read_exact(&mut bytes)?;
        let head = Head::from_bytes(bytes);
        if head.size() > length - place {
            break;
        }
        let mut body = vec![0; head.length as usize];
        reader.read_exact(&mut body)?;
        match head.read(body) {
            Some(Record::Parcel(parcel)) => {
                parcels.push_back(Slot { place, head, spans: parcel.spans });
            }
            Some(Record::Receipt(of)) => receipts.push(of),
            None => {
                damaged += head.size();
                place += head.size();
                continue;
            }
        }
        place += head.size();
        end = place;
    }
    receipts.sort_unstable();
    parcels.retain(|slot| receipts.binary_search(&slot.place).is_err());
    // What is damaged before the last whole record was counted as it was passed.
    let torn = length - place;
    Ok((parcels, end, damaged + torn))
}

#[cfg(unix)]
fn for_the_user_alone(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
const fn for_the_user_alone(_: &mut OpenOptions) {}
