//! What this crate asks of a database: statements with values.

use std::fmt;

/// A value of a statement, or of a row.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::storage) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

impl Cell {
    /// A whole number.
    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Cell::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// A number.
    pub(super) fn real(&self) -> Option<f64> {
        match *self {
            Cell::Real(x) => Some(x),
            Cell::Int(n) => Some(n as f64),
            _ => None,
        }
    }

    /// A text; an empty one where there is none.
    pub(super) fn text(&self) -> &str {
        match self {
            Cell::Text(text) => text,
            _ => "",
        }
    }
}

/// Rows of a query.
pub(in crate::storage) type Rows = Vec<Vec<Cell>>;

/// A dialect of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Begins a transaction that writes. SQLite takes its only lock at once: a transaction that asked for it after reading would fail rather
    /// than wait.
    pub(super) fn begin_write(self) -> &'static str {
        match self {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        }
    }

    /// Begins a transaction whose statements all see the same.
    pub(super) fn begin_read(self) -> &'static str {
        match self {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// After a SELECT: the rows are this transaction's until it ends.
    pub(super) fn for_update(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE",
        }
    }

    /// The same for rows that nobody else has.
    pub(super) fn for_update_of_free(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// A query for the names of all tables.
    pub(super) fn tables(self) -> &'static str {
        match self {
            Dialect::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            }
            Dialect::Postgres => {
                "SELECT CAST(table_name AS VARCHAR) FROM information_schema.tables WHERE table_schema = current_schema()"
            }
        }
    }
}

/// A connection. The values of a statement are `$1`, `$2`, ..., which first stand in this order.
pub(in crate::storage) trait Database: fmt::Debug + Send {
    /// What it understands.
    fn dialect(&self) -> Dialect;

    /// Makes sure that there is a connection, before a transaction begins.
    ///
    /// # Errors
    /// What the database says.
    fn connect(&mut self) -> Result<(), String>;

    /// Runs a statement; gives back its rows, if it has any.
    ///
    /// # Errors
    /// What the database says.
    fn run(&mut self, sql: &str, values: &[Cell]) -> Result<Rows, String>;
}
