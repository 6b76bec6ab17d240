//! Waiting for what a descriptor can do.

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits until there is something to read, or its end, and says whether that came in time.
pub fn is_readable(fd: impl AsFd, patience: impl Into<PollTimeout>) -> bool {
    is_ready(fd, PollFlags::POLLIN, patience)
}

/// Waits until something can be written, and says whether it can.
pub fn is_writable(fd: impl AsFd, patience: impl Into<PollTimeout>) -> bool {
    is_ready(fd, PollFlags::POLLOUT, patience)
}

fn is_ready(fd: impl AsFd, events: PollFlags, patience: impl Into<PollTimeout>) -> bool {
    poll(&mut [PollFd::new(fd.as_fd(), events)], patience).is_ok_and(|count| count > 0)
}
