//! Credentials out of whatever is shown or written.

/// What stands in the place of a secret.
pub const REDACTED: &str = "***";

/// The text with `user:password@` cut out of every URI in it.
pub fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown += before;
        // The host begins behind the last @ before the path: passwords are not always escaped as they should be.
        let end = after.find(|c: char| c == '/' || c == '"' || c == '\'' || c == '?' || c.is_whitespace());
        let authority = &after[..end.unwrap_or(after.len())];
        match authority.rfind('@') {
            Some(host) => {
                shown += REDACTED;
                rest = &after[host..];
            }
            None => rest = after,
        }
    }
    shown + rest
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
            ("http://host/a@b", "http://host/a@b"),
            ("mlflow = \"http://u:p@h\" # http://u:p@h", "mlflow = \"http://***@h\" # http://***@h"),
            ("no uri, ana@host", "no uri, ana@host"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }
}
