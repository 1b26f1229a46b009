//! What a scope sets holds below it and nowhere else.

use glassbox_events::context::Context;
use glassbox_events::scope::{Scope, join_all, parallel, spawn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn user() -> Option<String> {
    Context::current().trace().user_id.as_deref().map(str::to_owned)
}

#[test]
fn inner_scopes_add_and_replace() {
    let outer = Scope::new().user("a").session("s").tag("x").metadata("k", 1);
    let trace = outer.enter(|| {
        Scope::new()
            .user("b")
            .tag("y")
            .metadata("k", 2)
            .enter(|| Arc::clone(Context::current().trace()))
    });
    assert_eq!(trace.user_id.as_deref(), Some("b"));
    assert_eq!(trace.session_id.as_deref(), Some("s"));
    assert_eq!(trace.tags.iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(trace.metadata, [("k".into(), 2.into())]);
    assert_eq!(user(), None);
}

#[test]
fn a_panic_leaves_the_context_as_it_was() {
    let panicked =
        std::panic::catch_unwind(|| Scope::new().user("a").enter(|| panic!("in the scope")));
    assert!(panicked.is_err());
    assert_eq!(user(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_keep_their_own_context() {
    let users = ["a", "b", "c", "d"];
    let tasks = users.map(|user_id| {
        Scope::new().user(user_id).run(async {
            tokio::task::yield_now().await;
            let spawned = spawn(async {
                tokio::task::yield_now().await;
                user()
            });
            (spawned.await.unwrap(), user())
        })
    });
    let seen = join_all(tasks).await;
    let expected = users.map(|user_id| (Some(user_id.to_owned()), Some(user_id.to_owned())));
    assert_eq!(seen, expected);
    assert_eq!(user(), None);
}

#[tokio::test]
async fn parallel_keeps_its_limit_and_the_order() {
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (running, most) = (&running, &most);
    let squares = parallel(
        3,
        (0..20).map(|n| async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..(20 - n) % 5 {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            n * n
        }),
    );
    assert_eq!(squares.await, (0..20).map(|n| n * n).collect::<Vec<_>>());
    assert_eq!(most.load(Ordering::SeqCst), 3);
}
