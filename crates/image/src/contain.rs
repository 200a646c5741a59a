//! Turns a decoder's panic into a value, without the panic's message on the user's terminal.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// The result of `work`, or the message of the panic that ended it.
///
/// A panic is announced by the process-wide hook before it can be caught, so a hook is put in front of the present one,
/// once; it stays silent on a thread that is inside this function and passes everything else on.
pub(crate) fn contain<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let announce = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // A thread that is being torn down has no flag any more; then the panic is not ours.
            if !CONTAINED.try_with(Cell::get).unwrap_or(false) {
                announce(info);
            }
        }));
    });
    let outer = CONTAINED.replace(true);
    // `work` owns or only reads what it touches: after a panic nothing half-changed can be seen.
    let result = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(outer);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::contain;

    #[test]
    fn a_panic_is_a_value() {
        assert_eq!(contain(|| 3), Ok(3));
        assert_eq!(contain(|| -> u8 { panic!("index {}", 7) }), Err("index 7".to_owned()));
        assert_eq!(contain(|| contain(|| -> u8 { panic!("inner") })), Ok(Err("inner".to_owned())));
    }
}
