//! Stands in for the driver that awaits where there is none: nothing can be of its type.

pub use mconnect_core::Session as AsyncSession;
use mconnect_core::{Connect, Error};

use super::Driver;

pub const DRIVERS: [Driver; 1] = [Driver::Blocking];

pub fn open(_: &Connect) -> Result<(AsyncSession, Runtime), Error> {
    panic!("nothing awaits without the feature tokio")
}

#[derive(Debug)]
pub enum Runtime {}

impl Runtime {
    /// Takes what a session that blocks returns as it is: it is no future.
    pub fn block_on<T>(&self, _: T) -> T {
        match *self {}
    }
}

pub use std::convert::identity as AtOnce;
