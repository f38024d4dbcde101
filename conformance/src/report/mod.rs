//! Renderings of the report of a run.

mod terminal;

pub use terminal::table;
