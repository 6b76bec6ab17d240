//! From a name, or addresses, to a connection.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use mconnect_core::server::Server;
use mconnect_core::{Connect, Error, Event, Family, observer_fn};

use crate::common::driven::DRIVERS;

#[test]
fn addresses_are_tried_in_turn_and_each_attempt_is_told() {
    for driver in DRIVERS {
        let server = Server::start().unwrap();
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let closed_v6: SocketAddr = (Ipv6Addr::LOCALHOST, closed.port()).into();
        let told = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&told);
        let connect = Connect::new("mx.example.org", server.port()).observer(observer_fn(move |_, event| {
            notes.lock().unwrap().push(match event {
                Event::Connecting { peer } => format!("to {}", peer.address().unwrap()),
                Event::ConnectFailed { error, has_next, .. } => format!("{:?} {has_next}", error.kind()),
                Event::Connected { peer } => peer.to_string(),
                other => format!("{other:?}"),
            });
        }));
        let session = driver.open(&connect.clone().addresses([closed, closed_v6, server.address()])).unwrap();
        assert_eq!(session.peer().address(), Some(server.address()));
        assert_eq!(session.local_address().unwrap().ip(), Ipv4Addr::LOCALHOST);
        let (open, refused) = (server.address(), "ConnectionRefused true");
        assert_eq!(
            told.lock().unwrap().as_slice(),
            [
                format!("to {closed}"),
                refused.into(),
                format!("to {closed_v6}"),
                refused.into(),
                format!("to {open}"),
                format!("mx.example.org ({open})"),
            ]
        );
        drop(session);

        match driver.open(&connect.clone().addresses([closed, closed_v6])).unwrap_err() {
            error @ Error::Connect { .. } => {
                let port = server.port();
                assert_eq!(
                    error.to_string(),
                    format!("cannot connect to mx.example.org, port {port}, at any of its 2 addresses")
                );
                let Error::Connect { attempts, .. } = error else { unreachable!() };
                assert_eq!(attempts.iter().map(|attempt| attempt.address).collect::<Vec<_>>(), [closed, closed_v6]);
            }
            error => panic!("{error}"),
        }
        let session = driver.open(&connect.clone().family(Family::V4).addresses([closed_v6, open])).unwrap();
        assert_eq!(session.peer().address(), Some(open));
        match driver.open(&connect.family(Family::V6).addresses([open])).unwrap_err() {
            Error::Connect { attempts, source, .. } => {
                assert_eq!((attempts.len(), source.to_string().as_str()), (0, "it has no IPv6 address"));
            }
            error => panic!("{error}"),
        }
    }
}

#[test]
fn ipv6_and_a_source_address() {
    for driver in DRIVERS {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let session = driver.open(&Connect::new("[::1]", port).source(Ipv6Addr::LOCALHOST.into())).unwrap();
        assert_eq!(session.peer().to_string(), format!("[::1]:{port}"));

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let source = Ipv4Addr::new(127, 0, 0, 9);
        // Not every system takes all of 127.0.0.0/8 as its own, as Linux does.
        let Ok(session) = driver.open(&Connect::new("127.0.0.1", port).source(source.into())) else { return };
        assert_eq!(listener.accept().unwrap().1.ip(), source);
        drop(session);
    }
}

#[test]
fn a_name_that_cannot_be_is_an_error_of_resolving() {
    for driver in DRIVERS {
        match driver.open(&Connect::new("no host name", 25)).unwrap_err() {
            error @ Error::Resolve { .. } => assert_eq!(error.to_string(), "cannot resolve no host name"),
            error => panic!("{error}"),
        }
        assert!(matches!(driver.open(&Connect::new("", 25)), Err(Error::Address { .. })));
    }
}
