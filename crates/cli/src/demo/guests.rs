//! Customers who keep coming while the server stays open, so that there is something to look at: calmly, and not forever.

use super::program::Program;
use super::round;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use glassbox::Bus;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long they come. A server that is forgotten on some machine becomes quiet.
pub(super) const FOR: Duration = Duration::from_secs(15 * 60);

/// How many come at a time: one, now and then a few.
const TOGETHER: [usize; 6] = [1, 1, 2, 1, 3, 1];

/// How many there are at most: whoever comes when it is full goes away.
const MOST: usize = 8;

/// Serves customers from the number `next` on, some of them `every` so often, until nobody comes any more.
pub(super) async fn come(program: &dyn Program, service: &'static str, next: u64, every: Duration) {
    let (bus, began) = (Bus::global(), Instant::now());
    let mut inside = FuturesUnordered::new();
    let mut customers = next..;
    for (visit, together) in (0_u32..).zip(TOGETHER.into_iter().cycle()) {
        let at = every.saturating_mul(visit);
        if at > FOR {
            break;
        }
        loop {
            tokio::select! {
                // What came of it is on the page.
                Some(_) = inside.next() => (),
                () = sleep_until(began + at) => break,
            }
        }
        let room = MOST.saturating_sub(inside.len());
        for number in customers.by_ref().take(together.min(room)) {
            inside.push(round::visit(program, &bus, (service, "walk-in"), number));
        }
    }
    while inside.next().await.is_some() {}
}
