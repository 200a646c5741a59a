//! Signs of life of running trials, in Optuna's table of heartbeats.

use super::database::{Cell, Database, Dialect};
use super::{Known, Rdb};
use crate::storage::{StorageError, time};

/// The last sign of life of a running trial.
#[derive(Clone, Copy)]
pub(super) struct Heartbeat {
    /// The trial's id.
    pub(super) trial: i64,
    pub(super) number: u64,
    /// Another one after each heartbeat and each report.
    pub(super) sign: [i64; 2],
    /// How long ago the heartbeat was, in microseconds.
    pub(super) age_us: i64,
}

impl Rdb {
    /// The time of heartbeats, as SQL: a server's own, by which Optuna judges too.
    fn now_of_heartbeats(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Sqlite => self.now(),
            Dialect::Postgres => "LOCALTIMESTAMP".to_owned(),
        }
    }

    pub(super) fn set_heartbeat(&self, database: &mut dyn Database, id: i64) -> Result<(), String> {
        let now = self.now_of_heartbeats(database.dialect());
        let sql = format!(
            "INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES ($1, {now}) \
             ON CONFLICT (trial_id) DO UPDATE SET heartbeat = excluded.heartbeat"
        );
        database.run(&sql, &[Cell::Int(id)]).map(drop)
    }

    /// The running trials that have a heartbeat.
    pub(super) fn heartbeats(&self, database: &mut dyn Database) -> Result<Vec<Heartbeat>, String> {
        let now = self.now_of_heartbeats(database.dialect());
        let sql = format!(
            "SELECT t.trial_id, t.number, CAST(h.heartbeat AS VARCHAR(40)), CAST({now} AS VARCHAR(40)), \
             (SELECT COUNT(*) FROM trial_intermediate_values v WHERE v.trial_id = t.trial_id) \
             FROM trials t JOIN trial_heartbeats h ON h.trial_id = t.trial_id \
             WHERE t.study_id = $1 AND t.state = 'RUNNING' ORDER BY t.trial_id"
        );
        let rows = database.run(&sql, &[Cell::Int(self.study)])?;
        let read = |row: &Vec<Cell>| {
            let number = u64::try_from(row[1].int()?).ok()?;
            let (beat, now) = (time::read(row[2].text())?, time::read(row[3].text())?);
            let (trial, sign) = (row[0].int()?, [beat, row[4].int()?]);
            Some(Heartbeat { trial, number, sign, age_us: now.saturating_sub(beat) })
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// Fails a trial, unless it has ended or shown a sign of life since.
    pub(super) fn fail(
        &self,
        known: &mut Known,
        seen: Heartbeat,
        retries: usize,
    ) -> Result<bool, StorageError> {
        self.write(known, |known| {
            let database = &mut known.database;
            let sql = format!(
                "SELECT trial_id FROM trials WHERE trial_id = $1 AND state = 'RUNNING'{}",
                database.dialect().for_update()
            );
            let is_running = !database.run(&sql, &[Cell::Int(seen.trial)])?.is_empty();
            let now = self.heartbeats(&mut **database)?;
            if !is_running || !now.iter().any(|beat| beat.trial == seen.trial && beat.sign == seen.sign) {
                return Ok(false);
            }
            self.fail_and_retry(known, seen.trial, seen.number, retries)?;
            Ok(true)
        })
    }
}
