//! Showing what came of a run.

mod terminal;

pub use terminal::table;
