//! Budgets in SQLite: a restart does not reset a day, and processes share what they may spend.

use glassbox_events::clock;
use glassbox_events::spending::Spending;
use glassbox_events::watch::budget::{
    Balance, BudgetStore, Limits, Reserve, Settled, StoreError, Ticket,
};
use rusqlite::{
    Connection, OptionalExtension, Row, Transaction, TransactionBehavior, named_params, params,
};
use rust_decimal::Decimal;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Keeps budgets in an SQLite file, so that they outlive the process and several processes of one machine share them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use glassbox::SqliteBudgetStore;
/// use glassbox::watch::{Budget, Budgets, Key};
/// use std::sync::Arc;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("budgets.db");
/// let store = Arc::new(SqliteBudgetStore::open(&path)?);
/// let per_user = Budgets::per([Key::User, Key::Day], Budget::tokens(50_000).named("fair use")).kept_in(store);
/// let scope = glassbox::scope().user("ada").gate(per_user);
/// # Ok(())
/// # }
/// ```
///
/// Each reservation is a transaction of its own. A process that is killed leaves its reservations behind: when their
/// lease has run out, 15 minutes unless [said otherwise](Self::lease), they count as spent, since nobody knows what those
/// calls have cost.
///
/// Not for a file on a network drive, whose locks cannot be trusted.
#[derive(Debug)]
pub struct SqliteBudgetStore {
    /// A std mutex: it is held for one transaction, never across an await.
    connection: Mutex<Connection>,
    lease: Duration,
}

/// The version of the tables.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE budget (
        key TEXT PRIMARY KEY,
        tokens INTEGER NOT NULL,
        usd TEXT NOT NULL,
        calls INTEGER NOT NULL,
        tool_calls INTEGER NOT NULL,
        code_runs INTEGER NOT NULL,
        used INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE reservation (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        usd TEXT NOT NULL,
        calls INTEGER NOT NULL,
        tool_calls INTEGER NOT NULL,
        code_runs INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX reservation_key ON reservation (key);
";

impl SqliteBudgetStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or written, or is no file of budgets of this version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let connection = open(path)
            .map_err(|error| StoreError(format!("{} cannot be opened: {error}", path.display())))?;
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        match version.map_err(|error| StoreError(error.to_string()))? {
            VERSION => {
                Ok(Self { connection: Mutex::new(connection), lease: Duration::from_secs(15 * 60) })
            }
            other => Err(StoreError(format!(
                "{} has tables of version {other}, and not {VERSION}: name another file",
                path.display()
            ))),
        }
    }

    /// Sets how long a reservation may be held. It has to be longer than any attempt; one that is settled later than that
    /// is corrected then.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Forgets the budgets that nobody has used for so long, such as those of days that are over. Returns how many.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn forget_unused(&self, since: Duration) -> Result<usize, StoreError> {
        let before = seconds() - i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let delete =
            "DELETE FROM budget WHERE used < ?1 AND key NOT IN (SELECT key FROM reservation)";
        self.lock().execute(delete, [before]).map_err(in_words)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic in a transaction rolls it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that nothing comes between, in this process or another.
    fn alone<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(in_words)?;
        let done = work(&transaction).map_err(in_words)?;
        transaction.commit().map_err(in_words)?;
        Ok(done)
    }
}

impl BudgetStore for SqliteBudgetStore {
    fn reserve(&self, key: &str, limits: &Limits, needed: Spending) -> Result<Reserve, StoreError> {
        let now = seconds();
        let expires = now.saturating_add(i64::try_from(self.lease.as_secs()).unwrap_or(i64::MAX));
        self.alone(|transaction| {
            let balance = settle_expired(transaction, key, now)?;
            if limits.short_of(&balance, &needed).is_some() {
                return Ok(Reserve::Short(balance));
            }
            let insert =
                "INSERT INTO reservation (key, tokens, usd, calls, tool_calls, code_runs, expires)
                          VALUES (:key, :tokens, :usd, :calls, :tool_calls, :code_runs, :expires)";
            transaction.prepare_cached(insert)?.execute(named_params! {
                ":key": key,
                ":tokens": whole(needed.tokens),
                ":usd": needed.usd.to_string(),
                ":calls": whole(needed.calls),
                ":tool_calls": whole(needed.tool_calls),
                ":code_runs": whole(needed.code_runs),
                ":expires": expires,
            })?;
            let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
            Ok(Reserve::Granted(Ticket { id, amounts: needed }))
        })
    }

    fn settle(&self, key: &str, ticket: Ticket, spent: Spending) -> Result<Settled, StoreError> {
        self.alone(|transaction| {
            let delete = "DELETE FROM reservation WHERE id = ?1 AND key = ?2";
            let held =
                transaction.prepare_cached(delete)?.execute(params![whole(ticket.id), key])?;
            let before = spent_of(transaction, key)?;
            // If its lease had run out, it was counted as spent already.
            let counted = if held == 0 { ticket.amounts } else { Spending::default() };
            let after = before.minus(counted).plus(spent);
            write(transaction, key, &after, seconds())?;
            Ok(Settled { before, after })
        })
    }

    fn balance(&self, key: &str) -> Result<Balance, StoreError> {
        let now = seconds();
        let mut connection = self.lock();
        // A transaction, so that both are read of one moment.
        let transaction = connection.transaction().map_err(in_words)?;
        let read = || {
            let mut balance = Balance { spent: spent_of(&transaction, key)?, ..Balance::default() };
            for (reserved, expires) in reservations(&transaction, key)? {
                let sum = if expires <= now { &mut balance.spent } else { &mut balance.reserved };
                *sum = sum.plus(reserved);
            }
            Ok(balance)
        };
        read().map_err(in_words)
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    // Another process may be writing; a transaction takes well under a millisecond.
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A crash of the program loses nothing; one of the machine perhaps the last milliseconds.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (version, tables): (i64, i64) = (
        transaction.pragma_query_value(None, "user_version", |row| row.get(0))?,
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
    );
    if (version, tables) == (0, 0) {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(connection)
}

/// Counts the reservations of a key whose lease has run out as spent, and returns the balance.
fn settle_expired(transaction: &Transaction<'_>, key: &str, now: i64) -> rusqlite::Result<Balance> {
    let mut balance = Balance { spent: spent_of(transaction, key)?, ..Balance::default() };
    let mut expired = false;
    for (reserved, expires) in reservations(transaction, key)? {
        if expires <= now {
            balance.spent = balance.spent.plus(reserved);
            expired = true;
        } else {
            balance.reserved = balance.reserved.plus(reserved);
        }
    }
    if expired {
        let delete = "DELETE FROM reservation WHERE key = ?1 AND expires <= ?2";
        transaction.prepare_cached(delete)?.execute(params![key, now])?;
        write(transaction, key, &balance.spent, now)?;
    }
    Ok(balance)
}

fn spent_of(transaction: &Transaction<'_>, key: &str) -> rusqlite::Result<Spending> {
    let select = "SELECT tokens, usd, calls, tool_calls, code_runs FROM budget WHERE key = ?1";
    let found = transaction.prepare_cached(select)?.query_row([key], amounts).optional()?;
    Ok(found.unwrap_or_default())
}

fn reservations(
    transaction: &Transaction<'_>,
    key: &str,
) -> rusqlite::Result<Vec<(Spending, i64)>> {
    let select =
        "SELECT tokens, usd, calls, tool_calls, code_runs, expires FROM reservation WHERE key = ?1";
    let mut statement = transaction.prepare_cached(select)?;
    let rows = statement.query_map([key], |row| Ok((amounts(row)?, row.get(5)?)))?;
    rows.collect()
}

fn write(
    transaction: &Transaction<'_>,
    key: &str,
    spent: &Spending,
    now: i64,
) -> rusqlite::Result<()> {
    let replace =
        "INSERT OR REPLACE INTO budget (key, tokens, usd, calls, tool_calls, code_runs, used)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    transaction.prepare_cached(replace)?.execute(params![
        key,
        whole(spent.tokens),
        spent.usd.to_string(),
        whole(spent.calls),
        whole(spent.tool_calls),
        whole(spent.code_runs),
        now,
    ])?;
    Ok(())
}

fn amounts(row: &Row<'_>) -> rusqlite::Result<Spending> {
    let count = |at| row.get(at).map(|count: i64| u64::try_from(count).unwrap_or_default());
    let usd: String = row.get(1)?;
    let usd: Decimal = usd.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(Spending {
        tokens: count(0)?,
        usd,
        calls: count(2)?,
        tool_calls: count(3)?,
        code_runs: count(4)?,
    })
}

/// SQLite has no larger integers.
fn whole(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Returns the seconds since 1970.
fn seconds() -> i64 {
    whole(clock::now().unix_nanos() / 1_000_000_000)
}

#[allow(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn in_words(error: rusqlite::Error) -> StoreError {
    StoreError(error.to_string())
}
