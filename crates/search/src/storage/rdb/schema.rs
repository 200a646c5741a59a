//! The tables of Optuna's `RDBStorage`, as `optuna.storages._rdb.models` of 4.9 and 5.0 defines them. All of them are made, since
//! optuna-dashboard makes none.

use super::Dialect;

/// The version of the tables (`SCHEMA_VERSION`), which has stood still since Optuna changes them by Alembic.
pub(super) const VERSION: i64 = 12;
/// Alembic's name of the last change.
pub(super) const REVISION: &str = "v3.2.0.a";

/// A table: its name, its columns and constraints, and its indices. Words in capitals that SQL does not have are in `WORDS`.
struct Table(&'static str, &'static str, &'static [&'static str]);

const TABLES: [Table; 12] = [
    Table(
        "studies",
        "study_id ID, study_name VARCHAR(512) NOT NULL, PRIMARY KEY (study_id)",
        &["CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name)"],
    ),
    Table(
        "version_info",
        "version_info_id INTEGER NOT NULL, schema_version INTEGER, library_version VARCHAR(256), \
         PRIMARY KEY (version_info_id), CHECK (version_info_id=1)",
        &[],
    ),
    Table(
        "study_directions",
        "study_direction_id ID, direction DIRECTION NOT NULL, study_id INTEGER NOT NULL, objective INTEGER NOT NULL, \
         PRIMARY KEY (study_direction_id), UNIQUE (study_id, objective), OF_STUDY",
        &[],
    ),
    Table(
        "study_user_attributes",
        "study_user_attribute_id ID, study_id INTEGER, ATTRIBUTE, PRIMARY KEY (study_user_attribute_id), \
         UNIQUE (study_id, key), OF_STUDY",
        &[],
    ),
    Table(
        "study_system_attributes",
        "study_system_attribute_id ID, study_id INTEGER, ATTRIBUTE, PRIMARY KEY (study_system_attribute_id), \
         UNIQUE (study_id, key), OF_STUDY",
        &[],
    ),
    Table(
        "trials",
        "trial_id ID, number INTEGER, study_id INTEGER, state STATE NOT NULL, datetime_start TIME, datetime_complete TIME, \
         PRIMARY KEY (trial_id), OF_STUDY",
        &["CREATE INDEX ix_trials_study_id ON trials (study_id)"],
    ),
    Table(
        "trial_user_attributes",
        "trial_user_attribute_id ID, trial_id INTEGER, ATTRIBUTE, PRIMARY KEY (trial_user_attribute_id), \
         UNIQUE (trial_id, key), OF_TRIAL",
        &[],
    ),
    Table(
        "trial_system_attributes",
        "trial_system_attribute_id ID, trial_id INTEGER, ATTRIBUTE, PRIMARY KEY (trial_system_attribute_id), \
         UNIQUE (trial_id, key), OF_TRIAL",
        &[],
    ),
    Table(
        "trial_params",
        "param_id ID, trial_id INTEGER, param_name VARCHAR(512), param_value DOUBLE, distribution_json TEXT, \
         PRIMARY KEY (param_id), UNIQUE (trial_id, param_name), OF_TRIAL",
        &[],
    ),
    Table(
        "trial_values",
        "trial_value_id ID, trial_id INTEGER NOT NULL, objective INTEGER NOT NULL, value DOUBLE, \
         value_type VALUE_KIND NOT NULL, PRIMARY KEY (trial_value_id), UNIQUE (trial_id, objective), OF_TRIAL",
        &[],
    ),
    Table(
        "trial_intermediate_values",
        "trial_intermediate_value_id ID, trial_id INTEGER NOT NULL, step INTEGER NOT NULL, intermediate_value DOUBLE, \
         intermediate_value_type REPORT_KIND NOT NULL, PRIMARY KEY (trial_intermediate_value_id), UNIQUE (trial_id, step), \
         OF_TRIAL",
        &[],
    ),
    Table(
        "trial_heartbeats",
        "trial_heartbeat_id ID, trial_id INTEGER NOT NULL, heartbeat TIME NOT NULL, PRIMARY KEY (trial_heartbeat_id), \
         UNIQUE (trial_id), OF_TRIAL",
        &[],
    ),
];

/// The words above that differ, in SQLite and in PostgreSQL. SQLite has no enumerations: Optuna stores their names.
const WORDS: [(&str, &str, &str); 10] = [
    (
        "OF_STUDY",
        "FOREIGN KEY(study_id) REFERENCES studies (study_id)",
        "FOREIGN KEY(study_id) REFERENCES studies (study_id)",
    ),
    (
        "OF_TRIAL",
        "FOREIGN KEY(trial_id) REFERENCES trials (trial_id)",
        "FOREIGN KEY(trial_id) REFERENCES trials (trial_id)",
    ),
    ("ATTRIBUTE", "key VARCHAR(512), value_json TEXT", "key VARCHAR(512), value_json TEXT"),
    (" ID,", " INTEGER NOT NULL,", " SERIAL NOT NULL,"),
    (" DOUBLE,", " FLOAT,", " FLOAT(53),"),
    (" TIME", " DATETIME", " TIMESTAMP WITHOUT TIME ZONE"),
    (" DIRECTION ", " VARCHAR(8) ", " studydirection "),
    (" STATE ", " VARCHAR(8) ", " trialstate "),
    (" VALUE_KIND ", " VARCHAR(7) ", " trialvaluetype "),
    (" REPORT_KIND ", " VARCHAR(7) ", " trialintermediatevaluetype "),
];

/// The statements that make all tables, with their versions.
pub(super) fn statements(dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    if dialect == Dialect::Postgres {
        for (name, values) in [
            ("studydirection", "'NOT_SET', 'MINIMIZE', 'MAXIMIZE'"),
            ("trialstate", "'RUNNING', 'COMPLETE', 'PRUNED', 'FAIL', 'WAITING'"),
            ("trialvaluetype", "'FINITE', 'INF_POS', 'INF_NEG'"),
            ("trialintermediatevaluetype", "'FINITE', 'INF_POS', 'INF_NEG', 'NAN'"),
        ] {
            statements.push(format!("CREATE TYPE {name} AS ENUM ({values})"));
        }
    }
    for Table(name, columns, more) in TABLES {
        let mut columns = columns.to_owned();
        for (word, sqlite, postgres) in WORDS {
            columns = columns.replace(word, if dialect == Dialect::Sqlite { sqlite } else { postgres });
        }
        statements.push(format!("CREATE TABLE {name} ({columns})"));
        statements.extend(more.iter().map(|&statement| statement.to_owned()));
    }
    statements.push(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, \
         CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            .to_owned(),
    );
    let library = concat!("pupila ", env!("CARGO_PKG_VERSION"));
    statements.push(format!("INSERT INTO version_info VALUES (1, {VERSION}, '{library}')"));
    statements.push(format!("INSERT INTO alembic_version VALUES ('{REVISION}')"));
    statements
}

/// Whether a table is one of these.
pub(super) fn is_ours(table: &str) -> bool {
    table == "alembic_version" || TABLES.iter().any(|Table(name, ..)| *name == table)
}

/// How many there are.
pub(super) const COUNT: usize = TABLES.len() + 1;
