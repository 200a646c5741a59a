//! A SQLite file with Optuna's tables; the feature `sqlite`.

use super::rdb::Rdb;
use super::rdb::database::{Cell, Database, Dialect, Rows};
use super::{Clock, Storage, StorageError};
use crate::trial::Direction;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a statement waits while another process writes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Statements that are kept prepared; there are about 20.
const PREPARED: usize = 64;

/// Opens a file for a study; file, tables and study are made where they are not there.
///
/// # Errors
/// The file cannot be written, is none of SQLite or another program's, or the study has another direction or several objectives.
pub fn open(
    path: &Path,
    study: &str,
    direction: Direction,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Storage>, StorageError> {
    let address = format!("sqlite:///{}", path.display());
    let failed = |source| StorageError::Io { place: address.clone(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let connect = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        Ok(connection)
    };
    let connection = connect().map_err(|error: rusqlite::Error| StorageError::Database {
        place: address.clone(),
        message: error.to_string(),
    })?;
    Ok(Box::new(Rdb::open(Box::new(Sqlite(connection)), address, study, direction, clock)?))
}

/// A connection to a file.
#[derive(Debug)]
struct Sqlite(Connection);

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => ToSqlOutput::Owned(Value::Null),
            Cell::Int(n) => ToSqlOutput::Owned(Value::Integer(*n)),
            Cell::Real(x) => ToSqlOutput::Owned(Value::Real(*x)),
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl Database for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn connect(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn run(&mut self, sql: &str, values: &[Cell]) -> Result<Rows, String> {
        let run = || {
            let mut statement = self.0.prepare_cached(sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(values))?;
            let mut read = Vec::new();
            while let Some(row) = rows.next()? {
                let cell = |place| {
                    Ok(match row.get_ref(place)? {
                        ValueRef::Null => Cell::Null,
                        ValueRef::Integer(n) => Cell::Int(n),
                        ValueRef::Real(x) => Cell::Real(x),
                        ValueRef::Text(text) | ValueRef::Blob(text) => {
                            Cell::Text(String::from_utf8_lossy(text).into_owned())
                        }
                    })
                };
                read.push((0..columns).map(cell).collect::<rusqlite::Result<_>>()?);
            }
            Ok(read)
        };
        run().map_err(|error: rusqlite::Error| error.to_string())
    }
}
