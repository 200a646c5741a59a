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

/// What the system says of itself, as it says it.
struct Readings {
    /// `/proc/stat`
    stat: String,
    /// `/proc/meminfo`
    memory: String,
    /// `/proc/self/status`, where there is one.
    own: Option<String>,
}

impl Readings {
    fn now() -> Option<Self> {
        let (stat, memory) = (read_to_string("/proc/stat").ok()?, read_to_string("/proc/meminfo").ok()?);
        Some(Readings { stat, memory, own: read_to_string("/proc/self/status").ok() })
    }
}

impl SystemMetrics {
    /// Begins to measure.
    pub fn start() -> Self {
        SystemMetrics::since(Readings::now().as_ref())
    }

    /// The number of this sample, from 0, and the values by their tags; none where the system doesn't say.
    pub fn sample(&mut self) -> Option<(u64, Vec<(String, f64)>)> {
        self.sample_of(&Readings::now()?)
    }

    fn since(readings: Option<&Readings>) -> Self {
        SystemMetrics { samples: 0, ticks: readings.and_then(|r| ticks(&r.stat)).unwrap_or_default() }
    }

    fn sample_of(&mut self, readings: &Readings) -> Option<(u64, Vec<(String, f64)>)> {
        let (busy, all) = ticks(&readings.stat)?;
        let (busy_before, all_before) = std::mem::replace(&mut self.ticks, (busy, all));
        let mut values = Vec::new();
        if all > all_before {
            let share = busy.saturating_sub(busy_before) as f64 / (all - all_before) as f64;
            values.push(("system/cpu_utilization_percentage".to_owned(), 100.0 * share));
        }
        let of_memory = |name| kibibytes(&readings.memory, name);
        let (total, available) = (of_memory("MemTotal:")?, of_memory("MemAvailable:")?);
        let used = (total - available) * 1024.0;
        values.push(("system/system_memory_usage_megabytes".to_owned(), used / MEBIBYTE));
        values.push(("system/system_memory_usage_percentage".to_owned(), 100.0 * used / (total * 1024.0)));
        if let Some(resident) = readings.own.as_ref().and_then(|own| kibibytes(own, "VmRSS:")) {
            values.push(("system/process_memory_usage_megabytes".to_owned(), resident * 1024.0 / MEBIBYTE));
        }
        self.samples += 1;
        Some((self.samples - 1, values))
    }
}

/// Ticks in which the processors worked, and all ticks, since the system started.
fn ticks(stat: &str) -> Option<(u64, u64)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux writes them: these ticks of all processors, 16 GiB of memory with 4 GiB in use, 256 MiB of it by the process.
    fn readings(ticks: &str) -> Readings {
        Readings {
            stat: format!("cpu  {ticks}\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 7 0 9\n"),
            memory: "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:   12582912 kB\n"
                .into(),
            own: Some("Name:\tpupila\nVmPeak:\t  999999 kB\nVmRSS:\t  262144 kB\nThreads:\t2\n".into()),
        }
    }

    fn named(values: &[(&str, f64)]) -> Vec<(String, f64)> {
        values.iter().map(|&(tag, value)| (tag.to_owned(), value)).collect()
    }

    const MEMORY: [(&str, f64); 3] = [
        ("system/system_memory_usage_megabytes", 4096.0),
        ("system/system_memory_usage_percentage", 25.0),
        ("system/process_memory_usage_megabytes", 256.0),
    ];

    #[test]
    fn load_is_that_since_the_last_sample() {
        let mut system = SystemMetrics::since(Some(&readings("100 10 50 800 40 0 0 0 30 5")));
        // 30 user, 5 nice, 20 system, 3 irq, 2 softirq and 15 steal of 100 ticks; the guests' are among the user's.
        let (number, values) = system.sample_of(&readings("130 15 70 820 45 3 2 15 60 9")).unwrap();
        assert_eq!(number, 0);
        assert_eq!(values[0], ("system/cpu_utilization_percentage".to_owned(), 75.0));
        assert_eq!(values[1..], named(&MEMORY));
        let (number, values) = system.sample_of(&readings("130 15 70 860 105 3 2 15 60 9")).unwrap();
        assert_eq!((number, values[0].1), (1, 0.0));
        // Two samples in one tick: there is no share of nothing.
        let (number, values) = system.sample_of(&readings("130 15 70 860 105 3 2 15 60 9")).unwrap();
        assert_eq!((number, values), (2, named(&MEMORY)));
    }

    #[test]
    fn what_is_not_said_is_left_out() {
        let mut system = SystemMetrics::since(None);
        let said = readings("1 0 0 3 0 0 0 0 0 0");
        let (_, values) = system.sample_of(&Readings { own: None, ..said }).unwrap();
        assert_eq!(values[0].1, 25.0, "since the system started");
        assert_eq!(values[1..], named(&MEMORY[..2]));
        let silent = Readings { memory: String::new(), ..readings("1 0 0 3 0 0 0 0 0 0") };
        assert!(system.sample_of(&silent).is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_system_says_it() {
        let (number, values) = SystemMetrics::start().sample().unwrap();
        assert_eq!(number, 0);
        for (tag, _) in MEMORY {
            assert!(
                values.iter().any(|(other, value)| other == tag && *value > 0.0),
                "no {tag} in {values:?}"
            );
        }
    }
}
