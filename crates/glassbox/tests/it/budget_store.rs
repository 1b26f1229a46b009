//! Budgets in SQLite hold across restarts, across processes, and when a process is killed.

use crate::coffee_shop::{CoffeeShopAgent, latte};
use crate::provider::{Wire, sim};
use crate::stage::Stage;
use glassbox::gate::{Action, Permit, Spent};
use glassbox::watch::budget::{Balance, BudgetStore, Limits, Reserve, Spending};
use glassbox::watch::{Budget, Budgets, Key};
use glassbox::{Cost, EventName, Module, Refusal, Scope, SqliteBudgetStore, Usage};
use rust_decimal_macros::dec;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const FILE: &str = "GLASSBOX_TEST_BUDGETS";

fn open(path: &Path) -> Arc<SqliteBudgetStore> {
    Arc::new(SqliteBudgetStore::open(path).unwrap())
}

fn ask(scope: &Scope) -> Result<Permit, Refusal> {
    let action = Action::LlmAttempt {
        model: "openai/m".into(),
        input_tokens: 60,
        output_tokens: 40,
        cost: Some(dec!(0.000001234)),
    };
    scope.context().child(&"chat m".into()).ask(&action, &[])
}

fn used(tokens: u64) -> Spent {
    let usage = Usage { input: Some(tokens), output: Some(0), ..Usage::default() };
    Spent::Known { usage, cost: Cost::ZERO }
}

#[tokio::test]
async fn a_restart_does_not_reset_a_day() {
    let (folder, sim) = (tempfile::tempdir().unwrap(), sim());
    let path = folder.path().join("budgets.db");
    let lm = Wire::OpenAi.lm(&sim).build().unwrap();
    let agent = CoffeeShopAgent::new(&lm);
    let stage = Stage::new();
    for expected in [true, true, false, false] {
        // Everything is made anew, as after a restart.
        let terms = Budget::calls(2).named("daily");
        let per_day = Budgets::per([Key::User, Key::Day], terms).kept_in(open(&path));
        let scope = stage.scope().user("ada").gate(per_day.clone());
        assert_eq!(scope.run(agent.call(latte())).await.is_ok(), expected);
        let other = stage.scope().user("eve").gate(per_day);
        assert!(ask(&other).map(|permit| permit.settle(Spent::Nothing)).is_ok());
    }
    assert_eq!(sim.counters().calls, 2);
    // Thresholds are told once, whichever process passes them: 50 percent, and 80 and 100 at once.
    assert_eq!(stage.count(EventName::BudgetThreshold), 3);
    assert_eq!(stage.count(EventName::BudgetExceeded), 2);
}

#[test]
fn money_is_kept_to_the_last_digit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("budgets.db");
    let budget = || Budget::usd(dec!(1)).named("cents").kept_in(open(&path));
    for _ in 0..3 {
        drop(ask(&Scope::new().gate(budget())).unwrap());
    }
    assert_eq!(budget().spent().usd, dec!(0.000003702));
    assert_eq!(
        budget().spent(),
        Spending { tokens: 300, usd: dec!(0.000003702), calls: 3, ..Spending::default() }
    );
}

#[test]
fn a_reservation_whose_lease_runs_out_counts_as_spent_and_is_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("budgets.db");
    let store = Arc::new(SqliteBudgetStore::open(&path).unwrap().lease(Duration::ZERO));
    let budget = Budget::tokens(150).named("team").kept_in(store);
    let scope = Scope::new().gate(budget.clone());
    let held = ask(&scope).unwrap();
    let spent = Spending { tokens: 100, usd: dec!(0.000001234), calls: 1, ..Spending::default() };
    assert_eq!(budget.balance(), Balance { spent, reserved: Spending::default() });
    assert!(ask(&scope).is_err());
    // The call did end, after all.
    held.settle(used(30));
    assert_eq!(budget.spent().tokens, 30);
    assert!(ask(&scope).is_ok());
}

#[test]
fn what_nobody_uses_can_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("budgets.db"));
    let budget =
        |name: &str| Budget::calls(1).named(name.to_owned()).kept_in(Arc::clone(&store) as _);
    drop(ask(&Scope::new().gate(budget("old"))).unwrap());
    let held = ask(&Scope::new().gate(budget("held"))).unwrap();
    assert_eq!(store.forget_unused(Duration::from_secs(60)).unwrap(), 0);
    assert_eq!(budget("old").spent().calls, 1);
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(store.forget_unused(Duration::ZERO).unwrap(), 1);
    assert_eq!((budget("old").spent().calls, budget("held").reserved().calls), (0, 1));
    drop(held);
}

#[test]
fn a_file_that_is_something_else_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "these are my notes, and no database\n".repeat(100)).unwrap();
    let error = SqliteBudgetStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("notes.txt cannot be opened"), "{error}");
    let error = SqliteBudgetStore::open(folder.path().join("no/such/folder.db")).unwrap_err();
    assert!(error.to_string().contains("folder.db cannot be opened"), "{error}");
}

/// Asks until it is refused. Is a test like the others, unless the environment names a file of budgets.
#[test]
#[allow(clippy::print_stdout, reason = "it is how the child tells its parent")]
fn spends_all_it_can() {
    let Some(path) = variable(FILE) else { return };
    let budget = Budget::tokens(20_000).named("shared").kept_in(open(Path::new(&path)));
    let threads = [(); 2].map(|()| {
        let scope = Scope::new().gate(budget.clone());
        std::thread::spawn(move || {
            let mut made = 0;
            // What is spent is what was reserved, or half of it.
            while let Ok(permit) = ask(&scope) {
                permit.settle(used(if made % 2 == 0 { 100 } else { 50 }));
                made += 1;
            }
            made
        })
    });
    let made: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("made {made} calls");
    // Killed with a reservation in its hands.
    let limits = Limits::default();
    let needed = Spending { tool_calls: 1, ..Spending::default() };
    let held = open(Path::new(&path)).reserve("shared", &limits, needed);
    assert!(matches!(held, Ok(Reserve::Granted(_))));
    std::process::abort();
}

#[test]
fn two_processes_share_a_budget_and_survive_being_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("budgets.db");
    drop(open(&path));
    let children = [(); 2].map(|()| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "budget_store::spends_all_it_can", "--nocapture"])
            .env(FILE, &path)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    });
    let mut made = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let calls = said.split_once("made ").unwrap().1.split(' ').next().unwrap();
        made += calls.parse::<u64>().unwrap();
        assert!(!output.status.success());
    }
    let balance = open(&path).balance("shared").unwrap();
    assert_eq!(balance.spent.calls, made);
    assert!((19_900..=20_000).contains(&balance.spent.tokens), "{balance:?}");
    // What the killed ones held is still held, until its lease runs out.
    assert_eq!(balance.reserved, Spending { tool_calls: 2, ..Spending::default() });
}

#[allow(clippy::disallowed_methods, reason = "tells a child process what to do")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
