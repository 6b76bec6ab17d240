//! What a person who types at a session is told and may do, during it and after it, by the escapes.

pub mod aside;
pub mod escapes;
mod known;

pub use known::Known;
