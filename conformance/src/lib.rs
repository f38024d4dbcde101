//! The reference server that clients of Webflow's Update Items endpoint are judged against.

pub mod reference;
