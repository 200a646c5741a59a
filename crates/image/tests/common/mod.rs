//! What several tests ask.

/// The most memory this process has had resident so far, in bytes; nothing where the system does not say, which is then told, since the
/// test proves nothing there.
pub fn peak() -> Option<u64> {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    };
    let peak = read();
    if peak.is_none() {
        eprintln!("the system does not say how much memory was taken: not tested");
    }
    peak
}
