//! Requests to an MLflow server. An error never holds credentials.

use super::target::Target;
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig};

/// Longest that a request may take; a file gets longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FILE_TIMEOUT: Duration = Duration::from_secs(600);
/// As much of a server's answer is read, in bytes.
const MAX_ANSWER: u64 = 16 << 20;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// No answer: refused, timed out, cut off. Whether the server has done it is not known.
    #[error("{uri} does not answer: {reason}")]
    Unreachable {
        /// The server, without credentials.
        uri: String,
        /// Why.
        reason: String,
    },
    /// The server answers that it cannot or will not.
    #[error("{uri} answers {status}{}{message}", if .message.is_empty() { "" } else { ": " })]
    Refused {
        /// The server, without credentials.
        uri: String,
        /// HTTP status.
        status: u16,
        /// MLflow's error code, such as `RESOURCE_ALREADY_EXISTS`.
        code: String,
        /// What it says.
        message: String,
    },
    /// A file of the run folder cannot be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

impl ClientError {
    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } => true,
            // The database's word that another request has just written the same row, such as the data set of two runs that
            // begin at once. MLflow passes it on as a refusal; asked again, it finds the row.
            ClientError::Refused { status: 400, message, .. }
                if message.contains("IntegrityError") || message.contains("UniqueViolation") =>
            {
                true
            }
            ClientError::Refused { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            ClientError::File { .. } => false,
        }
    }

    /// Whether the server says that there is no such thing, or no such function.
    pub fn is_missing(&self) -> bool {
        matches!(self, ClientError::Refused { status: 404 | 405, .. })
            || matches!(self, ClientError::Refused { code, .. } if code == "RESOURCE_DOES_NOT_EXIST" || code == "ENDPOINT_NOT_FOUND")
    }
}

/// Speaks to one server.
#[derive(Debug)]
pub(super) struct Client {
    target: Target,
    agent: ureq::Agent,
}

impl Client {
    pub(super) fn new(target: Target) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .disable_verification(target.insecure_tls)
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .user_agent(concat!("pupila/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Client { target, agent }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Asks; `path` such as `mlflow/runs/get?run_id=1`.
    pub(super) fn get(&self, path: &str) -> Result<Value, ClientError> {
        let request = self.agent.get(self.url(path));
        let request = self.sign(request);
        self.answer(request.call())
    }

    /// Tells.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let request = self.sign(self.agent.post(self.url(path))).content_type("application/json");
        self.answer(request.send(body.to_string()))
    }

    /// Changes.
    pub(super) fn patch(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let request = self.sign(self.agent.patch(self.url(path))).content_type("application/json");
        self.answer(request.send(body.to_string()))
    }

    /// Puts a file's bytes at `place` of the server's artifacts, read as they are sent.
    pub(super) fn put_file(&self, place: &str, file: &Path) -> Result<(), ClientError> {
        let opened = File::open(file).map_err(|error| ClientError::File {
            path: file.display().to_string(),
            reason: error.to_string(),
        })?;
        let request = self.sign(self.agent.put(self.url(&format!("mlflow-artifacts/artifacts/{place}"))));
        let request = request.config().timeout_global(Some(FILE_TIMEOUT)).build();
        self.answer(request.send(opened)).map(|_| ())
    }

    /// Puts text at `place` of the server's artifacts.
    pub(super) fn put_text(&self, place: &str, text: &str) -> Result<(), ClientError> {
        let request = self.sign(self.agent.put(self.url(&format!("mlflow-artifacts/artifacts/{place}"))));
        self.answer(request.send(text)).map(|_| ())
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/2.0/{path}", self.target.uri)
    }

    fn sign<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.target.credentials {
            Some(credentials) => request.header("Authorization", credentials.header()),
            None => request,
        }
    }

    fn answer(
        &self,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, ClientError> {
        let uri = self.target.uri.clone();
        let lost = |error: ureq::Error| ClientError::Unreachable {
            uri: uri.clone(),
            reason: self.scrub(&in_plain_words(&error.to_string())),
        };
        let mut response = result.map_err(lost)?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string().map_err(lost)?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let message: String = match field("message") {
            // Not MLflow's own answer: a proxy's page, of which the first words say enough.
            empty if empty.is_empty() => text.chars().take(120).collect(),
            message => message.chars().take(400).collect(),
        };
        let message = self.scrub(message.trim());
        Err(ClientError::Refused { uri, status, code: field("error_code"), message })
    }

    fn scrub(&self, text: &str) -> String {
        self.target
            .credentials
            .as_ref()
            .map_or_else(|| text.to_owned(), |credentials| credentials.scrub(text))
    }
}

/// A failure to connect, with what to do where that is known.
fn in_plain_words(error: &str) -> String {
    // The library's own first word for a failure of the connection.
    let error = error.strip_prefix("io: ").unwrap_or(error);
    if error.contains("InvalidContentType") {
        "it does not speak TLS; perhaps its address begins with http, not https".into()
    } else if error.contains("peer certificate") {
        format!(
            "{error}: its authority has to be among the system's, or MLFLOW_TRACKING_INSECURE_TLS=true takes any"
        )
    } else {
        error.to_owned()
    }
}

/// A part of a URI, escaped.
pub(super) fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_succeed_later_is_told_from_what_never_will() {
        let refused = |status, message: &str| {
            let (uri, code) = ("http://h".to_owned(), "BAD_REQUEST".to_owned());
            ClientError::Refused { uri, status, code, message: message.into() }.is_passing()
        };
        assert!(refused(503, "") && refused(429, ""));
        // As MLflow 3.17 answers two runs that log one data set at once.
        let twice =
            "(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.experiment_id, datasets.name";
        assert!(refused(400, twice));
        assert!(refused(
            400,
            "(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint"
        ));
        assert!(!refused(400, "Invalid value for parameter") && !refused(401, "") && !refused(404, ""));
    }
}
