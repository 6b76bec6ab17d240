//! The driver that awaits, each session with a runtime of its own.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

pub use mconnect_core::AsyncSession;
use mconnect_core::{Connect, Error};
use tokio::io::{AsyncRead, ReadBuf};
pub use tokio::runtime::Runtime;

use super::Driver;

/// What a test goes through that holds for either.
pub const DRIVERS: [Driver; 2] = [Driver::Blocking, Driver::Awaited];

pub fn open(connect: &Connect) -> Result<(AsyncSession, Runtime), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Ok((runtime.block_on(connect.open_async())?, runtime))
}

/// A source that never makes anybody wait.
pub struct AtOnce<R>(pub R);

impl<R: Read + Unpin> AsyncRead for AtOnce<R> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = self.0.read(buffer.initialize_unfilled())?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}
