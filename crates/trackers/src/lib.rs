//! Write-only sinks of training events
