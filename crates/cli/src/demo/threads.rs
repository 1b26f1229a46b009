//! Processor time of some of this process's threads, where the system tells it.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Returns the processor time of the living threads whose names begin with one of these; `None` if the system does not
/// tell. A thread that ends takes its time with it.
pub(super) fn cpu_time(names: &[&str]) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir("/proc/self/task").ok()? {
        let folder = thread.ok()?.path();
        // A thread may end between the list and the look.
        let Ok(name) = fs::read_to_string(folder.join("comm")) else { continue };
        if names.iter().any(|begin| name.starts_with(begin)) {
            sum += on_cpu(&folder)?;
        }
    }
    Some(sum)
}

/// Reads the nanoseconds that a thread was on a processor.
fn on_cpu(folder: &Path) -> Option<Duration> {
    let Ok(text) = fs::read_to_string(folder.join("schedstat")) else {
        return (!folder.exists()).then_some(Duration::ZERO);
    };
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use cpu_time::ThreadTime;
    use std::sync::mpsc;

    #[test]
    fn only_the_named_threads_count() {
        let (worked, has_worked) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let busy = std::thread::Builder::new().name("busy-bee".to_owned()).spawn(move || {
            let began = ThreadTime::now();
            while began.elapsed() < Duration::from_millis(20) {}
            worked.send(()).unwrap();
            // The other side is dropped: that is the sign.
            let _ = ended.recv();
        });
        has_worked.recv().unwrap();
        // Where the kernel keeps no such figures, there are none.
        let of = |name| cpu_time(&[name]);
        if let (Some(bee), Some(nobody)) = (of("busy-bee"), of("no such thread")) {
            assert!(bee >= Duration::from_millis(19), "{bee:?}");
            assert_eq!(nobody, Duration::ZERO);
        }
        drop(end);
        busy.unwrap().join().unwrap();
    }
}
