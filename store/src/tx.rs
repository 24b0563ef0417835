//! What a transaction's closure receives.

use crate::sql::{Row, Sql, Value};
use crate::{Failure, Fault};

/// An open transaction. After the first failed statement it is poisoned: PostgreSQL refuses
/// everything then, and SQLite must not go on where PostgreSQL would not.
pub struct Tx<'a> {
    sql: &'a mut dyn Sql,
    lane: i64,
    poison: Option<Fault>,
    woken: Vec<String>,
    synced: bool,
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("lane", &self.lane)
            .field("poison", &self.poison)
            .finish()
    }
}

impl<'a> Tx<'a> {
    /// A transaction over a connection whose writer owns this ledger lane.
    pub(crate) fn new(sql: &'a mut dyn Sql, lane: i64) -> Self {
        Self {
            sql,
            lane,
            poison: None,
            woken: Vec::new(),
            synced: false,
        }
    }

    /// What this transaction did must be on disk before its caller goes on, even if the caller
    /// thought that it need not ([`crate::Store::write_unsynced`]).
    pub(crate) fn must_be_synced(&mut self) {
        self.synced = true;
    }

    /// Must it?
    pub(crate) fn is_to_be_synced(&self) -> bool {
        self.synced
    }

    /// The ledger chain that this transaction may append to; no other writer does.
    pub fn lane(&self) -> i64 {
        self.lane
    }

    /// Something is due in this queue of deliveries once the transaction is committed.
    pub(crate) fn wake(&mut self, queue: &str) {
        if !self.woken.iter().any(|known| known == queue) {
            self.woken.push(queue.to_owned());
        }
    }

    /// The queues in which something is due after the commit.
    pub(crate) fn woken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.woken)
    }

    /// Runs a statement; the number of rows it changed.
    pub fn exec(&mut self, sql: &'static str, args: &[Value]) -> Result<u64, Fault> {
        self.usable()?;
        let result = self.sql.exec(sql, args);
        self.watch(result)
    }

    /// Runs a statement that answers rows.
    pub fn query(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, Fault> {
        self.usable()?;
        let result = self.sql.query(sql, args);
        self.watch(result)
    }

    /// The only row of an answer, or nothing.
    pub fn one(&mut self, sql: &'static str, args: &[Value]) -> Result<Option<Row>, Fault> {
        Ok(self.query(sql, args)?.into_iter().next())
    }

    /// Runs `work` so that a refusal undoes its effects and nothing else: the transaction goes on
    /// and can still record the refusal.
    pub fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<Result<T, domain::Refusal>, Fault> {
        self.exec("SAVEPOINT attempt", &[])?;
        match work(self) {
            Ok(value) => {
                self.exec("RELEASE SAVEPOINT attempt", &[])?;
                Ok(Ok(value))
            }
            Err(Failure::Refused(refusal)) => {
                self.exec("ROLLBACK TO SAVEPOINT attempt", &[])?;
                self.exec("RELEASE SAVEPOINT attempt", &[])?;
                Ok(Err(refusal))
            }
            Err(Failure::Fault(fault) | Failure::Unknown(fault)) => Err(fault),
        }
    }

    /// Fails if any statement failed, even if the closure overlooked it.
    pub(crate) fn sound(&self) -> Result<(), Failure> {
        self.usable().map_err(Failure::Fault)
    }

    fn usable(&self) -> Result<(), Fault> {
        self.poison.clone().map_or(Ok(()), Err)
    }

    fn watch<T>(&mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &result {
            self.poison = Some(fault.clone());
        }
        result
    }
}
