//! Credentials out of whatever is shown or written.

/// What stands in the place of a secret.
pub const REDACTED: &str = "***";

/// The text without credentials: what stands before the last `@` of a word that is an address, and the values behind its `?`.
///
/// Also of what was meant to be an address, since a mistake is shown to whoever made it, and often to others: `ana:secret@host`
/// without a scheme, and a password with a slash or a blank in it, which should have been escaped.
pub fn redact(text: &str) -> String {
    text.split_inclusive(|c: char| c.is_whitespace() || "\"'`".contains(c)).map(redact_word).collect()
}

fn redact_word(word: &str) -> String {
    let scheme = word.find("://").map(|at| at + 3);
    let begin = scheme.or_else(|| {
        let colon = word.find(':')?;
        Some(word[..colon].find('=').map_or(0, |at| at + 1))
    });
    let Some((before, rest)) = begin.map(|begin| word.split_at(begin)) else { return word.to_owned() };
    if let Some(at) = rest.rfind('@').filter(|&at| scheme.is_some() || rest[..at].contains(':')) {
        return format!("{before}{REDACTED}{}", without_query(&rest[at..]));
    }
    if scheme.is_some() && !has_port_or_none(rest) {
        let end = rest.find(|c: char| c.is_whitespace() || "\"'`".contains(c)).unwrap_or(rest.len());
        return format!("{before}{REDACTED}{}", &rest[end..]);
    }
    if scheme.is_some() { format!("{before}{}", without_query(rest)) } else { word.to_owned() }
}

/// Whether what follows the host's colon, if there is one, is a port: otherwise it is the beginning of a password.
fn has_port_or_none(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.trim_end_matches(|c: char| !c.is_alphanumeric() && c != ']');
    match authority.rsplit_once(':') {
        Some((_, port)) if !authority.ends_with(']') => port.bytes().all(|b| b.is_ascii_digit()),
        _ => true,
    }
}

fn without_query(rest: &str) -> String {
    match rest.split_once('?') {
        Some((path, query)) if query.contains('=') => {
            let end = query.find(|c: char| c.is_whitespace() || "\"'`".contains(c)).unwrap_or(query.len());
            format!("{path}?{REDACTED}{}", &query[end..])
        }
        _ => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn only_credentials_go() {
        for (text, shown) in [
            ("http://ana:s3cret@host:5000/x", "http://***@host:5000/x"),
            ("--mlflow https://token@host", "--mlflow https://***@host"),
            ("a http://u:p@h b https://q:r@i/", "a http://***@h b https://***@i/"),
            ("http://u:p@ss@h/", "http://***@h/"),
            ("http://u:p/p@h/", "http://***@h/"),
            ("http://u:p?p#@h/", "http://***@h/"),
            ("http://u:se cret@h", "http://*** cret@h"),
            ("http://h:5000/x, http://h:80: y", "http://h:5000/x, http://h:80: y"),
            ("http://[::1]/x http://[::1]:80/", "http://[::1]/x http://[::1]:80/"),
            ("`http://h/x?token=t` really?", "`http://h/x?***` really?"),
            ("--mlflow ana:s3cret@host:5000", "--mlflow ***@host:5000"),
            ("tracking.mlflow=ana:s3=cret@host", "tracking.mlflow=***@host"),
            ("http:/u:p@h http//u:p@h", "***@h ***@h"),
            ("C:\\photos\\skin", "C:\\photos\\skin"),
            ("mlflow = \"http://u:p@h\" # http://u:p@h", "mlflow = \"http://***@h\" # http://***@h"),
            ("no uri, ana@host", "no uri, ana@host"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }
}
