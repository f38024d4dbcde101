//! Marks the thread as polling a call, so that nested calls are recognized.

use std::cell::Cell;

thread_local! {
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn a_call() -> bool {
    WITHIN.get()
}

/// Runs `part` as part of a call.
pub(super) fn call<T>(part: impl FnOnce() -> T) -> T {
    /// Restores the mark, also after a panic.
    struct Back(bool);

    impl Drop for Back {
        fn drop(&mut self) {
            WITHIN.set(self.0);
        }
    }

    let _back = Back(WITHIN.replace(true));
    part()
}
