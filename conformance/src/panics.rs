//! Collects panics on the threads that run cases, for the report.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;

thread_local! {
    static IS_KEPT: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a panic hook that keeps panics of the threads that run cases for the report. Panics of other threads are
/// printed as before.
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

/// Drops the last panic.
pub(crate) fn forget() {
    LAST.take();
}

/// The message of the panic that was just caught, with its location if it was kept.
pub(crate) fn caught(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked");
    with_place(message)
}

/// As [`caught`], from the message of the panic alone.
pub(crate) fn with_place(message: &str) -> String {
    LAST.take()
        .filter(|kept| kept.ends_with(message))
        .unwrap_or_else(|| message.to_owned())
}
