//! Roads to and through what others have made: Dovecot's LMTP socket, Exim and Postfix as processes and behind PROXY headers,
//! XCLIENT and XFORWARD, and two proxies.

use std::fs;

use super::common::MCONNECT;
use super::common::real::{ROADS, RealServer, Talk};

#[test]
#[ignore = "installs and starts Postfix, Exim, Dovecot, microsocks and tinyproxy"]
fn sessions_go_over_every_road() {
    ROADS.serves(&[
        ("a UNIX socket", unix_socket),
        ("processes", processes),
        ("PROXY headers", headers),
        ("XCLIENT and XFORWARD", introduced),
        ("proxies", proxies),
        ("proxies that refuse", refusals),
    ]);
}

fn tool(options: &[&str], script: &str) -> Talk {
    Talk::of(&[&[MCONNECT], options].concat(), script.as_bytes())
}

const TRANSACTION: &str = "EHLO me\nMAIL FROM:<a@example.org>\nRCPT TO:<x@example.com>\nQUIT\n";

fn unix_socket(server: &RealServer) {
    let socket = format!("unix:{}/lmtp.sock", server.dir.display());
    let sent = tool(&["--lmtp", "--to", "ann@example.test", &socket], "");
    assert_eq!(sent.status, Some(0), "{sent:?}");
    sent.must_tell("(dovecot) of user root");
    let kept = fs::read_dir(server.dir.join("mail/ann/new")).unwrap().count();
    assert_eq!(kept, 1);
    let refused = tool(&["--lmtp", "--to", "nobody@example.test", &socket], "");
    assert_eq!(refused.status, Some(69), "{refused:?}");
    refused.must_tell("550 5.1.1 <nobody@example.test> User doesn't exist");
    tool(&["-r", &socket], "LHLO me\r\nQUIT\r\n").must_be(0, &["220", "250", "221"]);
}

fn processes(server: &RealServer) {
    let dir = server.dir.display();
    let exim = format!("{dir}/root/usr/sbin/exim4 -C {dir}/exim.conf -bs");
    let talk = tool(&["--pipe", &exim], TRANSACTION);
    talk.must_be(0, &["220", "250", "250", "250", "221"]);
    talk.must_tell("the process ended, exit status: 0");
    let postfix = format!("/usr/sbin/sendmail -C {dir}/etc -bs");
    tool(&["--pipe", &postfix], "EHLO me\nQUIT\n").must_be(0, &["220", "250", "221"]);
    let wrong = tool(&["--pipe", "/usr/sbin/sendmail -C /nonexistent -bs"], "QUIT\n");
    assert_ne!(wrong.status, Some(0), "{wrong:?}");
    wrong.must_tell("process: ");
}

fn headers(server: &RealServer) {
    let port = server.port.to_string();
    let say = |host: &str, options: &[&str]| tool(&[options, &["-p", &port, host]].concat(), TRANSACTION);
    for version in ["1", "2"] {
        let from = |from, host| say(host, &["--haproxy", from, "--haproxy-version", version]);
        let refused = from("192.0.2.66:4711", "127.0.0.2");
        refused.must_be(0, &["220", "250", "250", "554", "221"]);
        assert!(refused.out.contains("<unknown[192.0.2.66]>"), "{refused:?}");
        from("[2001:db8::66]:4711", "127.0.0.2").must_be(0, &["220", "250", "250", "250", "221"]);
        let refused = from("192.0.2.66", "127.0.0.3");
        refused.must_be(0, &["220", "250", "250", "550", "221"]);
        assert!(refused.out.contains("Hello me [192.0.2.66]"), "{refused:?}");
    }
    for host in ["127.0.0.2", "127.0.0.3"] {
        say(host, &["--haproxy", "local"]).must_be(0, &["220", "250", "250", "250", "221"]);
    }
    // Without one, the one closes, and the other refuses everything.
    assert_eq!(say("127.0.0.2", &[]).codes(), ["421"]);
    let bare = say("127.0.0.3", &[]);
    assert_eq!(bare.codes(), ["220", "503", "503", "503", "221"]);
    bare.must_tell("the server wants a PROXY header before anything else: --haproxy local sends one");
}

fn introduced(server: &RealServer) {
    let port = server.port.to_string();
    let say = |options: &[&str], script| tool(&[options, &["--helo", "me", "-p", &port, "127.0.0.1"]].concat(), script);
    let options = ["--xclient", "ADDR=192.0.2.66", "--xclient", "NAME=spike.example.net", "--xforward", "HELO=x+y"];
    let refused = say(&options, "MAIL FROM:<a@example.org>\nRCPT TO:<x@example.com>\nQUIT\n");
    refused.must_be(0, &["220", "250", "220", "250", "250", "250", "554", "221"]);
    assert!(refused.out.contains("<spike.example.net[192.0.2.66]>"), "{refused:?}");
    let sent = say(&["--xclient", "ADDR=192.0.2.66", "--to", "x@example.com"], "");
    assert_eq!(sent.status, Some(69), "{sent:?}");
    let sent = say(&["--xclient", "ADDR=2001:db8::1", "--to", "x@example.com"], "");
    assert_eq!(sent.status, Some(0), "{sent:?}");
    let unknown = say(&["--xclient", "FOO=1"], "QUIT\n");
    assert_eq!(unknown.status, Some(69), "{unknown:?}");
    unknown.must_tell("the server does not offer FOO in XCLIENT");
    let forced = say(&["--xclient", "FOO=1", "--xclient-anyway"], "QUIT\n");
    assert!(forced.out.contains("501 5.5.4 Bad XCLIENT attribute name: FOO"), "{forced:?}");
}

fn through(server: &RealServer, url: &str, port: &str, host: &str) -> Talk {
    tool(&["--via", &url.replace("PORT", &server.port.to_string()), "-p", port, host], TRANSACTION)
}

fn proxies(server: &RealServer) {
    let port = server.port.to_string();
    for url in [
        "socks5://user:pencil@127.0.0.4:PORT",
        "socks5h://user:pencil@127.0.0.4:PORT",
        "http://user:pencil@127.0.0.5:PORT",
    ] {
        for host in ["127.0.0.1", "localhost"] {
            let talk = through(server, url, &port, host);
            talk.must_be(0, &["220", "250", "250", "250", "221"]);
            assert!(!talk.err.contains("pencil"), "{talk:?}");
        }
    }
}

fn refusals(server: &RealServer) {
    let port = server.port.to_string();
    for (url, to, told) in [
        ("socks5h://user:wrong@127.0.0.4:PORT", port.as_str(), "the proxy refuses the user or the password"),
        ("socks5h://127.0.0.4:PORT", &port, "the proxy wants a login"),
        ("socks5://user:pencil@127.0.0.4:PORT", "1", "the server refused the connection (reply code 5)"),
        ("http://user:wrong@127.0.0.5:PORT", &port, "the proxy refuses the user or the password"),
        ("http://127.0.0.5:PORT", &port, "the proxy wants a login (Basic realm=\"Tinyproxy\")"),
        ("http://user:pencil@127.0.0.5:PORT", "1", "403 Access violation"),
        ("http://127.0.0.4:PORT", &port, "the proxy does not speak HTTP"),
        ("socks5://127.0.0.1:PORT", &port, "the proxy does not speak SOCKS 5: it answers \"22\""),
    ] {
        let talk = through(server, url, to, "127.0.0.1");
        assert_eq!(talk.status, Some(69), "{url}: {talk:?}");
        talk.must_tell(told);
        assert!(!format!("{}{}", talk.out, talk.err).contains("wrong"), "{talk:?}");
    }
}
