//! Whether what is polled is part of a call.

use std::cell::Cell;

thread_local! {
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn a_call() -> bool {
    WITHIN.get()
}

/// Does something as part of a call.
pub(super) fn call<T>(part: impl FnOnce() -> T) -> T {
    /// Also after a panic.
    struct Back(bool);

    impl Drop for Back {
        fn drop(&mut self) {
            WITHIN.set(self.0);
        }
    }

    let _back = Back(WITHIN.replace(true));
    part()
}
