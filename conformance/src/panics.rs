//! Panics on the threads that try cases: kept for the report instead of printed.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;

thread_local! {
    static IS_KEPT: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Lets a panic on a thread that attempts cases be part of what the run says, in place of the standard error. On all
/// other threads nothing changes.
pub fn collect() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if IS_KEPT.get() {
            LAST.set(Some(panic.to_string()));
        } else {
            before(panic);
        }
    }));
}

/// Keeps the panics of this thread from now on.
pub(crate) fn keep() {
    IS_KEPT.set(true);
}

/// Forgets the last panic.
pub(crate) fn forget() {
    LAST.take();
}

/// What the panic that was just caught said, with its place if it was kept.
pub(crate) fn caught(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked");
    with_place(message)
}

/// The same for one whose message is all that is left of it.
pub(crate) fn with_place(message: &str) -> String {
    LAST.take()
        .filter(|kept| kept.ends_with(message))
        .unwrap_or_else(|| message.to_owned())
}
