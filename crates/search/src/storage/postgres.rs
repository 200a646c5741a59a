//! A PostgreSQL server with Optuna's tables; the feature `postgres`.

use super::rdb::Rdb;
use super::rdb::database::{Cell, Database, Dialect, Rows};
use super::{Clock, Storage, StorageError};
use crate::trial::Direction;
use postgres::types::{ToSql, Type};
use postgres::{Client, Config, NoTls, Row, Statement};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a server may take to answer the first time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a password stands that is not in the address; libpq's, so that Optuna on `psycopg` takes the same. A command line can be read by everybody
/// on the machine, and is kept in the records of runs.
const PASSWORD: &str = "PGPASSWORD";

/// Opens a database for a study; tables and study are made where they are not there. `address` is the URL, and `shown` the one without its
/// password, which may be left to [`PASSWORD`] of the environment. The connection is not encrypted.
///
/// # Errors
/// The server cannot be reached or refuses, the tables are of another version, or the study has another direction or several objectives.
pub fn open(
    address: &str,
    shown: String,
    study: &str,
    direction: Direction,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Storage>, StorageError> {
    let mut config: Config = address.parse().map_err(|error: postgres::Error| StorageError::Address {
        address: shown.clone(),
        message: format!("{}: type postgresql://USER:PASSWORD@HOST/DATABASE", told(&error)),
    })?;
    if config.get_password().is_none()
        && let Some(password) = std::env::var_os(PASSWORD)
    {
        config.password(password.as_encoded_bytes());
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    if config.get_application_name().is_none() {
        config.application_name("pupila");
    }
    let postgres = Postgres { config, connection: None };
    Ok(Box::new(Rdb::open(Box::new(postgres), shown, study, direction, clock)?))
}

/// A connection to a server, made anew after it was lost.
struct Postgres {
    config: Config,
    connection: Option<(Client, HashMap<String, Statement>)>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive() // the password stays here
    }
}

/// What an error says, with its cause.
fn told(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => error.to_string(),
        None => {
            let cause = std::error::Error::source(error);
            cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
        }
    }
}

/// A value as the type that a statement wants in its place.
fn typed(cell: &Cell, kind: &Type) -> Result<Box<dyn ToSql + Sync>, String> {
    Ok(match (cell, kind) {
        (Cell::Int(n), &Type::INT4) => {
            Box::new(i32::try_from(*n).map_err(|_| format!("{n} does not fit into 32 bits"))?)
        }
        (Cell::Int(n), _) => Box::new(*n),
        (Cell::Real(x), _) => Box::new(*x),
        (Cell::Text(text), _) => Box::new(text.clone()),
        (Cell::Null, _) => Box::new(None::<f64>), // only values of trials are ever left out
    })
}

/// A value of a row.
fn cell(row: &Row, place: usize) -> Result<Cell, postgres::Error> {
    let kind = row.columns()[place].type_();
    let read = match *kind {
        Type::INT4 => row.try_get::<_, Option<i32>>(place)?.map(|n| Cell::Int(n.into())),
        Type::INT8 => row.try_get::<_, Option<i64>>(place)?.map(Cell::Int),
        Type::FLOAT8 => row.try_get::<_, Option<f64>>(place)?.map(Cell::Real),
        _ => row.try_get::<_, Option<String>>(place)?.map(Cell::Text),
    };
    Ok(read.unwrap_or(Cell::Null))
}

impl Database for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn connect(&mut self) -> Result<(), String> {
        let is_there = self.connection.as_ref().is_some_and(|(client, _)| !client.is_closed());
        if !is_there {
            let client = self.config.connect(NoTls).map_err(|error| told(&error))?;
            self.connection = Some((client, HashMap::new()));
        }
        Ok(())
    }

    fn run(&mut self, sql: &str, values: &[Cell]) -> Result<Rows, String> {
        let (client, prepared) = self.connection.as_mut().ok_or("there is no connection")?;
        let statement = match prepared.get(sql) {
            Some(statement) => statement.clone(),
            None => client.prepare(sql).map_err(|error| told(&error))?,
        };
        // Statements without values name ids or times, and hardly come again.
        if !values.is_empty() && !sql.contains('\'') {
            prepared.insert(sql.to_owned(), statement.clone());
        }
        let values: Vec<Box<dyn ToSql + Sync>> = values
            .iter()
            .zip(statement.params())
            .map(|(cell, kind)| typed(cell, kind))
            .collect::<Result<_, _>>()?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value).collect();
        let rows = client.query(&statement, &values).map_err(|error| told(&error))?;
        let read = |row: &Row| (0..row.len()).map(|place| cell(row, place)).collect();
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| told(&error))
    }
}
