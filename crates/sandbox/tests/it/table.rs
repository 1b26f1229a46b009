//! The escape table: what becomes of hostile code, and that the host goes on.

use crate::escapes::{ESCAPES, Hostile, outcome};
use crate::sandbox;
use glassbox_sandbox::NoTools;
use std::fmt::Write;
use std::sync::Arc;
use tokio::sync::Semaphore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_out_and_the_host_goes_on() {
    let at_once = Arc::new(Semaphore::new(6));
    let rows: Vec<_> = ESCAPES
        .iter()
        .map(|escape| {
            let at_once = Arc::clone(&at_once);
            tokio::spawn(async move {
                let _turn = at_once.acquire().await.unwrap();
                let mut sandbox = sandbox(escape.limits());
                sandbox.warm_up().await.unwrap();
                let worker = sandbox.worker_id().unwrap();
                let execution = sandbox.run(&escape.code(), &Hostile { worker }).await.unwrap();
                let next = sandbox.run("6 * 7", &NoTools).await.unwrap();
                assert_eq!(next.value, Some(42.into()), "after {}", escape.name);
                assert_eq!(next.state_lost, execution.worker_lost, "after {}", escape.name);
                format!("{:<26} {}", escape.name, outcome(&execution))
            })
        })
        .collect();
    let mut table = String::new();
    for row in rows {
        writeln!(table, "{}", row.await.unwrap().trim_end()).unwrap();
    }
    insta::assert_snapshot!(table);
}
