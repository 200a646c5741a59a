//! Which MLflow server, and who asks.
//!
//! The environment variables are those of MLflow's own clients. A secret is held by [`Credentials`] and [`TrackingUri`] alone,
//! neither of which shows it.

use crate::redact::{self, redact};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The address of a server. User and password may stand in it; they are never shown or written.
#[derive(Clone, PartialEq, Eq)]
pub struct TrackingUri(String);

impl TrackingUri {
    /// Takes an address as it was typed.
    pub fn new(text: impl Into<String>) -> Self {
        TrackingUri(text.into())
    }

    /// Whether this says that nothing shall be sent, whatever the environment says.
    pub fn is_off(&self) -> bool {
        self.0 == "off"
    }

    /// What is wrong with it, if something is.
    pub fn check(&self) -> Option<String> {
        if self.is_off() {
            return None;
        }
        let rest = self.0.strip_prefix("http://").or_else(|| self.0.strip_prefix("https://"));
        let why = match rest.map(|rest| rest.rsplit_once('@').unwrap_or(("", rest))) {
            // A database's address may hold a password, which is shown as `self` shows it.
            None if self.is_store() => format!(
                "it begins with http:// or https://; MLflow's databases and folders are written by its server, which is started by: mlflow server \
                 --backend-store-uri '{}' --port 5000",
                self.to_string().replace('\'', "'\\''")
            ),
            None => "it begins with http:// or https://".to_owned(),
            Some((user_info, _)) if user_info.contains(['/', ' ']) => {
                "in a user or a password / is written %2F, and a blank %20".to_owned()
            }
            Some((_, host)) if !is_host(host) => {
                "a host, perhaps a port, perhaps a path, and nothing else".to_owned()
            }
            Some(_) => return None,
        };
        Some(format!(
            "must be the address of an MLflow server, such as http://localhost:5000, or off; got `{self}` ({why})"
        ))
    }

    /// Whether it is where a server keeps runs: a folder or a database.
    fn is_store(&self) -> bool {
        let schemes = ["file:", "sqlite:", "postgresql:", "mysql:", "mssql:"];
        let is_folder = |text: &str| text.starts_with(['.', '/', '~']) || !text.contains([':', '@']);
        schemes.iter().any(|scheme| self.0.starts_with(scheme)) || is_folder(&self.0)
    }

    /// The address without credentials and trailing slash, and the credentials in it.
    fn split(&self) -> (String, Option<Credentials>) {
        let Some((scheme, rest)) = self.0.split_once("://") else { return (self.0.clone(), None) };
        let (user_info, host) = rest.rsplit_once('@').map_or((None, rest), |(u, h)| (Some(u), h));
        let credentials = user_info.map(|user_info| {
            let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
            Credentials::Basic { user: unescaped(user), password: unescaped(password) }
        });
        (format!("{scheme}://{}", host.trim_end_matches('/')), credentials)
    }
}

/// Whether this is a host with perhaps a port and a path. A query would be lost, and might be a secret.
fn is_host(text: &str) -> bool {
    let authority = text.split('/').next().unwrap_or_default();
    // The colons in brackets are those of an IPv6 address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    !host.is_empty()
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
        && !text.contains(|c: char| c.is_whitespace() || c == '?' || c == '#')
}

/// `%40` to `@`: what a URI's user and password may have to be written as.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut plain, mut i) = (Vec::new(), 0);
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[i] == b'%' => {
                plain.push(byte);
                i += 3;
            }
            _ => {
                plain.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Without credentials, however it was typed.
impl fmt::Display for TrackingUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((before, host)) = self.0.rsplit_once('@') else { return f.write_str(&redact(&self.0)) };
        let scheme = before.find("://").map_or(0, |at| at + 3);
        write!(f, "{}{}@{}", &before[..scheme], redact::REDACTED, redact(host))
    }
}

/// Without credentials.
impl fmt::Debug for TrackingUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrackingUri({self})")
    }
}

/// Without credentials.
impl Serialize for TrackingUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TrackingUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(TrackingUri)
    }
}

/// How a request says who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// User and password.
    Basic {
        /// User.
        user: String,
        /// Password.
        password: String,
    },
    /// A bearer token.
    Token(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl Credentials {
    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> String {
        match self {
            Credentials::Basic { user, password } => {
                format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
            }
            Credentials::Token(token) => format!("Bearer {token}"),
        }
    }

    /// Takes the secrets out of a text that a server has sent, should it repeat them.
    pub(super) fn scrub(&self, text: &str) -> String {
        let secrets = match self {
            Credentials::Basic { password, .. } => vec![password.clone(), self.header()[6..].to_owned()],
            Credentials::Token(token) => vec![token.clone()],
        };
        secrets
            .iter()
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), redact::REDACTED))
    }
}

/// Base 64 (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().enumerate().fold(0u32, |word, (i, &byte)| word | u32::from(byte) << (16 - 8 * i));
        for i in 0..4 {
            let six = (word >> (18 - 6 * i)) & 63;
            text.push(if i <= chunk.len() { char::from(ALPHABET[six as usize]) } else { '=' });
        }
    }
    text
}

/// Where a run is sent, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The server's address, without credentials and trailing slash.
    pub uri: String,
    /// Who asks.
    pub credentials: Option<Credentials>,
    /// Whether a TLS certificate that cannot be verified is accepted (`MLFLOW_TRACKING_INSECURE_TLS`).
    pub insecure_tls: bool,
    /// The experiment's name.
    pub experiment: String,
    /// The run's name on the server; the folder's where none is given.
    pub run_name: Option<String>,
    /// An existing run to write into (`MLFLOW_RUN_ID`).
    pub run_id: Option<String>,
    /// The registered model that the run's model becomes a version of.
    pub register: Option<String>,
    /// The alias that this version gets.
    pub alias: Option<String>,
}

/// The experiment where neither the recipe nor the environment names one.
const DEFAULT_EXPERIMENT: &str = "pupila";

impl Target {
    /// The target that a recipe (`uri`, `experiment`) and the environment ask for, the recipe first; none where neither
    /// names a server.
    ///
    /// # Errors
    /// The environment's address is none of a server; the message holds no credentials.
    pub fn resolve(
        uri: Option<&TrackingUri>,
        experiment: Option<&str>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Target>, String> {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        let uri = match uri {
            Some(uri) => uri.clone(),
            None => match variable("MLFLOW_TRACKING_URI") {
                Some(text) => TrackingUri(text),
                None => return Ok(None),
            },
        };
        if uri.is_off() {
            return Ok(None);
        }
        if let Some(message) = uri.check() {
            return Err(format!("the MLflow server (MLFLOW_TRACKING_URI) {message}"));
        }
        let (address, own) = uri.split();
        let named = match (variable("MLFLOW_TRACKING_USERNAME"), variable("MLFLOW_TRACKING_PASSWORD")) {
            (Some(user), Some(password)) => Some(Credentials::Basic { user, password }),
            // Out of a file, a token has a line's end.
            _ => variable("MLFLOW_TRACKING_TOKEN").map(|token| Credentials::Token(token.trim().to_owned())),
        };
        let experiment = experiment.map(str::to_owned).or_else(|| variable("MLFLOW_EXPERIMENT_NAME"));
        Ok(Some(Target {
            uri: address,
            credentials: own.or(named),
            insecure_tls: variable("MLFLOW_TRACKING_INSECURE_TLS")
                .is_some_and(|value| value == "true" || value == "1"),
            experiment: experiment.unwrap_or_else(|| DEFAULT_EXPERIMENT.into()),
            run_name: None,
            run_id: variable("MLFLOW_RUN_ID"),
            register: None,
            alias: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(uri: Option<&str>, environment: &[(&str, &str)]) -> Result<Option<Target>, String> {
        let variable =
            |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
        Target::resolve(uri.map(TrackingUri::new).as_ref(), None, variable)
    }

    #[test]
    fn the_recipe_wins_over_the_environment_and_off_wins_over_both() {
        assert_eq!(resolve(None, &[]), Ok(None));
        let environment = [("MLFLOW_TRACKING_URI", "http://env:5000/"), ("MLFLOW_EXPERIMENT_NAME", "skin")];
        let target = resolve(None, &environment).unwrap().unwrap();
        assert_eq!((target.uri.as_str(), target.experiment.as_str()), ("http://env:5000", "skin"));
        assert_eq!(resolve(Some("https://own/ml/"), &environment).unwrap().unwrap().uri, "https://own/ml");
        assert_eq!(resolve(Some("off"), &environment), Ok(None));
        let error = resolve(None, &[("MLFLOW_TRACKING_URI", "postgresql://u:secret@h/db")]).unwrap_err();
        assert!(error.contains("postgresql://***@h/db") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn a_folder_or_a_database_is_told_with_the_line_that_serves_it() {
        for (typed, line) in [
            ("./mlruns", "mlflow server --backend-store-uri './mlruns' --port 5000"),
            ("mlruns", "mlflow server --backend-store-uri 'mlruns' --port 5000"),
            ("sqlite:///mlflow.db", "mlflow server --backend-store-uri 'sqlite:///mlflow.db' --port 5000"),
            ("mysql://u:secret@h/db", "mlflow server --backend-store-uri 'mysql://***@h/db' --port 5000"),
        ] {
            let told = TrackingUri::new(typed).check().unwrap();
            assert!(told.contains(line) && !told.contains("secret"), "{told}");
        }
        for typed in ["h:5000", "hush@h:5000", "ftp://h"] {
            let told = TrackingUri::new(typed).check().unwrap();
            assert!(!told.contains("mlflow server"), "{told}");
        }
    }

    #[test]
    fn credentials_come_from_the_address_or_the_environment_and_are_never_shown() {
        let in_uri = resolve(Some("http://ana:p%40ss%2Fw@h:1/x"), &[]).unwrap().unwrap();
        assert_eq!(in_uri.uri, "http://h:1/x");
        let basic = in_uri.credentials.clone().unwrap();
        assert_eq!(basic, Credentials::Basic { user: "ana".into(), password: "p@ss/w".into() });
        // printf 'ana:p@ss/w' | base64
        assert_eq!(basic.header(), "Basic YW5hOnBAc3Mvdw==");
        assert!(!format!("{in_uri:?}").contains("p@ss"));
        assert_eq!(basic.scrub("no p@ss/w YW5hOnBAc3Mvdw=="), "no *** ***");
        let uri = TrackingUri::new("http://ana:hush@h");
        assert_eq!(
            format!("{uri} {uri:?} {}", serde_json::to_string(&uri).unwrap()),
            "http://***@h TrackingUri(http://***@h) \"http://***@h\""
        );

        let user = [("MLFLOW_TRACKING_USERNAME", "u"), ("MLFLOW_TRACKING_PASSWORD", "p")];
        let both = [user[0], user[1], ("MLFLOW_TRACKING_TOKEN", "t")];
        let header = |environment: &[(&str, &str)]| {
            resolve(Some("http://h"), environment).unwrap().unwrap().credentials.unwrap().header()
        };
        assert_eq!((header(&both).as_str(), header(&both[2..]).as_str()), ("Basic dTpw", "Bearer t"));
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for wrong in
            ["", "sqlite:///mlflow.db", "./mlruns", "localhost:5000", "http://", "http://u:p@", "databricks"]
        {
            assert!(TrackingUri::new(wrong).check().is_some(), "{wrong}");
        }
        for typo in [
            "htp://ana:hush@h",
            "ana:hush@h",
            "hush@h",
            "http:/ana:hush@h",
            "http//ana:hush@h",
            "http://ana:hush@h:port",
            "http://ana:hush@ h",
            "http://ana:hush/@h",
            "http://ana:hush hush@h",
            "http://h/?token=hush",
            "http://ana:hush",
        ] {
            let said = TrackingUri::new(typo).check().unwrap_or_else(|| panic!("{typo}"));
            assert!(!said.contains("hush"), "{said}");
        }
        for right in
            ["http://localhost:5000", "https://h/prefix/", "http://u:p@h", "http://[::1]:5000", "off"]
        {
            assert!(TrackingUri::new(right).check().is_none(), "{right}");
        }
    }
}
