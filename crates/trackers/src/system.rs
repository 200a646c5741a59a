//! How busy the machine is, by the names that MLflow's system metrics have. Linux only; elsewhere there is nothing.

use std::fs::read_to_string;

/// Samples the processor's load since the last sample, and memory.
#[derive(Debug, Default)]
pub struct SystemMetrics {
    samples: u64,
    /// Ticks of all processors, busy and in all, at the last sample.
    ticks: (u64, u64),
}

const MEBIBYTE: f64 = 1024.0 * 1024.0;

impl SystemMetrics {
    /// Begins to measure.
    pub fn start() -> Self {
        SystemMetrics { samples: 0, ticks: ticks().unwrap_or_default() }
    }

    /// The number of this sample, from 0, and the values by their tags; none where the system doesn't say.
    pub fn sample(&mut self) -> Option<(u64, Vec<(String, f64)>)> {
        let (busy, all) = ticks()?;
        let (busy_before, all_before) = std::mem::replace(&mut self.ticks, (busy, all));
        let mut values = Vec::new();
        if all > all_before {
            let share = busy.saturating_sub(busy_before) as f64 / (all - all_before) as f64;
            values.push(("system/cpu_utilization_percentage".to_owned(), 100.0 * share));
        }
        let memory = read_to_string("/proc/meminfo").ok()?;
        let (total, available) = (kibibytes(&memory, "MemTotal:")?, kibibytes(&memory, "MemAvailable:")?);
        let used = (total - available) * 1024.0;
        values.push(("system/system_memory_usage_megabytes".to_owned(), used / MEBIBYTE));
        values.push(("system/system_memory_usage_percentage".to_owned(), 100.0 * used / (total * 1024.0)));
        if let Some(resident) = read_to_string("/proc/self/status").ok().and_then(|s| kibibytes(&s, "VmRSS:"))
        {
            values.push(("system/process_memory_usage_megabytes".to_owned(), resident * 1024.0 / MEBIBYTE));
        }
        self.samples += 1;
        Some((self.samples - 1, values))
    }
}

/// Ticks in which the processors worked, and all ticks, since the system started.
fn ticks() -> Option<(u64, u64)> {
    let stat = read_to_string("/proc/stat").ok()?;
    let numbers: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guests are in user already.
    let all: u64 = numbers.iter().take(8).sum();
    let idle: u64 = numbers.iter().skip(3).take(2).sum();
    Some((all - idle, all))
}

/// A line such as `MemTotal:  16 kB`.
fn kibibytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shares_and_memory_is_there() {
        let mut system = SystemMetrics::start();
        let burn: u64 = (0..20_000_000u64).map(|i| i.wrapping_mul(i) ^ 7).fold(0, u64::wrapping_add);
        std::thread::sleep(std::time::Duration::from_millis(if burn == 1 { 51 } else { 50 }));
        let (number, values) = system.sample().unwrap();
        assert_eq!(number, 0);
        assert!(values.len() >= 3);
        for (tag, value) in &values {
            assert!(tag.starts_with("system/") && *value >= 0.0, "{tag} {value}");
            assert!(!tag.ends_with("percentage") || *value <= 100.0, "{tag} {value}");
        }
        assert_eq!(system.sample().unwrap().0, 1);
    }
}
