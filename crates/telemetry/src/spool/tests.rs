//! Tests of the spool: what is written is taken once, by whoever comes next, whatever happened to the file's end.

use super::*;
use crate::parcel::Format;
use proptest::prelude::*;
use std::fs::OpenOptions;
use std::io::Write;
use tempfile::{TempDir, tempdir};

const ME: Identity = Identity([7; 8]);
const MIB: u64 = 1 << 20;

fn parcel(number: u64, size: usize) -> Parcel {
    let bytes = vec![number as u8; size].into();
    let format = Format { gzip: number.is_multiple_of(2), json: number.is_multiple_of(3) };
    Parcel { bytes, raw: 3 * size, spans: number, format }
}

fn spool(folder: &TempDir, max_bytes: u64) -> Spool {
    Spool::new(&SpoolConfig::new(folder.path()).max_bytes(max_bytes), ME)
}

/// Takes and settles whatever can be had, and returns the number of each parcel.
fn drain(spool: &mut Spool) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        while let Some((ticket, taken)) = spool.take() {
            let taken = taken.unwrap();
            assert_eq!(taken, parcel(taken.spans, taken.bytes.len()));
            spool.settle(ticket).unwrap();
            numbers.push(taken.spans);
        }
        if spool.adopt().is_none() {
            return numbers;
        }
    }
}

fn files(folder: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_is_written_is_taken_once_and_leaves_nothing() {
    let folder = tempdir().unwrap();
    let mut spool = spool(&folder, MIB);
    assert!(spool.take().is_none() && files(&folder).is_empty(), "nothing is made in advance");
    for number in 1..=100 {
        assert_eq!(spool.append(&parcel(number, 5000)).unwrap(), Room::default());
    }
    assert!(files(&folder).len() > 1, "several segments");
    assert!(spool.has_own() && spool.has_waiting());
    assert_eq!(drain(&mut spool), (1..=100).collect::<Vec<_>>());
    assert!(!spool.has_own() && files(&folder).is_empty());
}

#[test]
fn what_was_put_back_comes_first_again() {
    let folder = tempdir().unwrap();
    let mut spool = spool(&folder, MIB);
    for number in 1..=4 {
        spool.append(&parcel(number, 10)).unwrap();
    }
    let (first, _) = spool.take().unwrap();
    let (second, _) = spool.take().unwrap();
    assert!(spool.put_back(second) && spool.put_back(first));
    assert_eq!(drain(&mut spool), [1, 2, 3, 4]);
}

#[test]
fn the_next_process_gets_what_is_left_and_no_more() {
    let folder = tempdir().unwrap();
    let mut dead = spool(&folder, MIB);
    for number in 1..=5 {
        dead.append(&parcel(number, 100)).unwrap();
    }
    let (first, _) = dead.take().unwrap();
    dead.settle(first).unwrap();
    // Taken and neither settled nor put back: it died while it was sending.
    let _ = dead.take().unwrap();

    let mut other = Spool::new(&SpoolConfig::new(folder.path()), Identity([8; 8]));
    let mut next = spool(&folder, MIB);
    assert_eq!(next.adopt(), None, "it lives");
    drop(dead);
    assert_eq!(other.adopt(), None, "another destination");
    assert_eq!(next.adopt(), None, "not so soon again");
    next.look_again();
    assert_eq!(next.adopt(), Some(Adopted { spans: 2 + 3 + 4 + 5, damaged: 0 }));
    assert_eq!(drain(&mut next), [2, 3, 4, 5]);
    assert!(files(&folder).is_empty());
}

#[test]
fn two_processes_share_a_folder() {
    let folder = tempdir().unwrap();
    let (mut one, mut two) = (spool(&folder, MIB), spool(&folder, MIB));
    one.append(&parcel(1, 10)).unwrap();
    two.append(&parcel(2, 10)).unwrap();
    one.append(&parcel(3, 10)).unwrap();
    assert_eq!((one.adopt(), two.adopt()), (None, None));
    assert_eq!(drain(&mut two), [2]);
    assert_eq!(drain(&mut one), [1, 3]);
}

#[test]
fn many_adopt_and_each_parcel_is_taken_once() {
    let folder = tempdir().unwrap();
    for number in 1..=40 {
        spool(&folder, MIB).append(&parcel(number, 10)).unwrap();
    }
    let mut taken: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| drain(&mut spool(&folder, MIB)))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    taken.sort_unstable();
    assert_eq!(taken, (1..=40).collect::<Vec<_>>());
    assert!(files(&folder).is_empty());
}

#[test]
fn the_oldest_makes_room_and_is_counted() {
    let folder = tempdir().unwrap();
    let mut spool = spool(&folder, 160_000);
    let mut dropped = 0;
    for number in 1..=100 {
        dropped += spool.append(&parcel(number, 4000)).unwrap().dropped;
        let size: u64 = files(&folder).iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(size <= 160_000, "{size}");
    }
    let left = drain(&mut spool);
    assert!(left.len() > 30 && left.last() == Some(&100), "{left:?}");
    assert_eq!(dropped + left.iter().sum::<u64>(), (1..=100).sum::<u64>());
    assert!(spool.append(&parcel(1, 200_000)).is_err(), "larger than all of it");
}

#[test]
fn what_others_left_makes_room_first() {
    let folder = tempdir().unwrap();
    let mut dead = spool(&folder, 100_000);
    dead.append(&parcel(9, 90_000)).unwrap();
    drop(dead);
    let mut spool = spool(&folder, 100_000);
    assert_eq!(
        spool.append(&parcel(1, 50_000)).unwrap(),
        Room { dropped: 0, adopted: 0, found: 9 }
    );
    // A living process keeps its own.
    let mut other = self::spool(&folder, 100_000);
    assert_eq!(other.append(&parcel(2, 5000)).unwrap(), Room::default());
    assert_eq!(drain(&mut spool), [1]);
    assert_eq!(drain(&mut other), [2]);
}

#[test]
fn a_parcel_in_flight_whose_segment_made_room_is_gone() {
    let folder = tempdir().unwrap();
    let mut spool = spool(&folder, 10_000);
    spool.append(&parcel(1, 9000)).unwrap();
    let (ticket, _) = spool.take().unwrap();
    let room = spool.append(&parcel(2, 9000)).unwrap();
    assert_eq!(room.dropped, 0, "it is in flight, and is booked when it lands");
    assert!(!spool.put_back(ticket));
    spool.settle(ticket).unwrap();
    assert_eq!(drain(&mut spool), [2]);
}

#[cfg(unix)]
#[test]
fn the_user_alone_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempdir().unwrap();
    let path = folder.path().join("a").join("b");
    let mut spool = Spool::new(&SpoolConfig::new(&path), ME);
    spool.append(&parcel(1, 10)).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
    let file = fs::read_dir(&path).unwrap().next().unwrap().unwrap();
    assert_eq!(mode(&file.path()), 0o600);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let folder = tempdir().unwrap();
    let name = format!("{:016x}-0000000000000-1-1.spool", u64::from_be_bytes(ME.0));
    fs::write(folder.path().join(&name), "something of another version, or of another program")
        .unwrap();
    fs::create_dir(folder.path().join(format!("{name}.spool"))).unwrap();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let mut spool = spool(&folder, MIB);
    assert_eq!(spool.adopt(), None);
    assert_eq!(files(&folder).len(), 3);
}

#[test]
fn what_the_disk_has_lost_is_told() {
    let folder = tempdir().unwrap();
    let mut spool = spool(&folder, MIB);
    spool.append(&parcel(1, 100)).unwrap();
    spool.append(&parcel(2, 100)).unwrap();
    let path = files(&folder).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[50] ^= 1;
    OpenOptions::new().write(true).open(&path).unwrap().write_all(&bytes).unwrap();
    let (ticket, lost) = spool.take().unwrap();
    assert_eq!(lost, Err(1));
    spool.settle(ticket).unwrap();
    assert_eq!(drain(&mut spool), [2]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// However the file of a process that was killed ends, all whole records before are there, and new receipts hold.
    #[test]
    fn a_torn_tail_costs_what_is_torn(
        sizes in prop::collection::vec(0_usize..300, 1..12), cut: prop::sample::Index, garbage in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let folder = tempdir().unwrap();
        let mut dead = spool(&folder, MIB);
        let mut ends = vec![16];
        for (number, size) in sizes.iter().enumerate() {
            dead.append(&parcel(number as u64 + 1, *size)).unwrap();
            ends.push(files(&folder)[0].metadata().unwrap().len());
        }
        drop(dead);
        let path = files(&folder).remove(0);
        let mut bytes = fs::read(&path).unwrap();
        let cut = cut.index(bytes.len() + 1);
        bytes.truncate(cut);
        bytes.extend(&garbage);
        fs::write(&path, &bytes).unwrap();

        let whole = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1);
        let mut next = spool(&folder, MIB);
        if cut < 16 {
            // The file's beginning is written before it has its name: then it is none of ours, or empty.
            prop_assert_eq!(next.adopt(), None);
            return Ok(());
        }
        let adopted = next.adopt();
        prop_assert_eq!(adopted.is_some(), whole > 0);
        if let Some((ticket, taken)) = next.take() {
            prop_assert_eq!(taken.unwrap().spans, 1);
            next.settle(ticket).unwrap();
        }
        drop(next);
        let mut last = spool(&folder, MIB);
        prop_assert_eq!(drain(&mut last), (2..=whole as u64).collect::<Vec<_>>());
    }
}
