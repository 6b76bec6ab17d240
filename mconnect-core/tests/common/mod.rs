//! What the tests of sessions share.
#![allow(dead_code, reason = "not every test needs all of it")]

pub mod driven;
pub mod foe;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

/// A server whose part is played by a closure.
pub fn peer<T: Send + 'static>(act: impl FnOnce(TcpStream) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, thread::spawn(move || act(listener.accept().unwrap().0)))
}
