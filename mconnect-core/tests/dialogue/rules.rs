//! What a server does to clients by rules: a client is a dialogue here, and meets the same every time.

use std::time::{Duration, Instant};

use mconnect_core::Connect;
use mconnect_core::dialogue::Dialogue;
use mconnect_core::server::{Rule, Server, Setup, Stage};

/// Plays each session of a dialogue to a server with these rules.
#[track_caller]
fn meets(rules: &[Rule], dialogue: &str) -> Server {
    let server = rules.iter().cloned().fold(Setup::new(), Setup::rule).start().unwrap();
    for session in Dialogue::parse(dialogue).unwrap().sessions() {
        let played = Connect::new("127.0.0.1", server.port()).open().unwrap().play(&session);
        drop(played.require().unwrap_or_else(|failure| panic!("{failure}")));
    }
    server
}

const HELLO: &str = "S: 220\nC: EHLO x\nS: 250\n";

#[test]
fn each_stage_can_be_refused() {
    let no = "450 4.3.0 not here";
    for (stage, dialogue) in [
        (Stage::Greeting, "S: 450 4.3.0 not here\nC: QUIT\nS: 221"),
        (Stage::Hello, "S: 220\nC: EHLO x\nS: 450\nC: HELO x\nS: 450"),
        (Stage::Mail, "S: 220\nC: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 450\nC: RCPT TO:<a@x>\nS: 503"),
        (Stage::Recipient, "S: 220\nC: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<a@x>\nS: 450"),
        (
            Stage::Data,
            "S: 220\nC: EHLO x\nS: 250\nC: MAIL FROM:<>\nC: RCPT TO:<a@x>\nS: 250\nS: 250\nC: DATA\nS: 450\n\
            C: BDAT 2 LAST\nC> hi\nS: 450\nC: NOOP\nS: 250",
        ),
        (
            Stage::Body,
            "S: 220\nC: EHLO x\nS: 250\nC: MAIL FROM:<>\nC: RCPT TO:<a@x>\nS: 250\nS: 250\nC: DATA\nS: 354\n\
            C: first\nS: 450\nC: .\nC: NOOP\nS: 250 2.0.0 nothing done",
        ),
        (
            Stage::Message,
            "S: 220\nC: EHLO x\nS: 250\nC: MAIL FROM:<>\nC: RCPT TO:<a@x>\nS: 250\nS: 250\nC: DATA\nS: 354\n\
            C: *body*\nS: 450\nC: MAIL FROM:<>\nS: 250",
        ),
        (Stage::Quit, "S: 220\nC: QUIT\nS: 450\nC: NOOP\nS: 250"),
    ] {
        let server = meets(&[Rule::at(stage).reply(no)], dialogue);
        assert!(server.messages().is_empty(), "{stage:?}");
    }
}

#[cfg(all(feature = "tls", feature = "auth"))]
#[test]
fn starttls_and_auth_can_be_refused() {
    let identity = mconnect_core::server::Identity::self_signed(["localhost"]);
    let setup = Setup::new().tls(&identity).auth([("tim", "pencil")]);
    let server = setup
        .rule(Rule::at(Stage::StartTls).reply("454 4.7.0 not now"))
        .rule(Rule::at(Stage::Auth).of("plain").reply("534 5.7.9 too weak"))
        .start()
        .unwrap();
    let dialogue = "S: 220\nC: STARTTLS\nS: 454\nC: AUTH PLAIN AHRpbQBwZW5jaWw=\nS: 534\n\
        C: *authenticate CRAM-MD5 tim pencil*\nC: QUIT\nS: 221";
    drop(Connect::new("127.0.0.1", server.port()).open().unwrap().play(&dialogue.parse().unwrap()).require().unwrap());
    let session = &server.sessions()[0];
    let commands = ["STARTTLS", "AUTH PLAIN [hidden]", "AUTH CRAM-MD5", "[hidden]", "QUIT"];
    assert_eq!(session.commands(), commands);
    assert!(!format!("{session:?}").contains("AHRpbQ"), "{session:?}");
}

#[test]
fn a_rule_holds_for_a_name_and_for_so_many_times() {
    let attempt = |to: &str, code: u16| format!("{HELLO}C: MAIL FROM:<>\nC: RCPT TO:<{to}>\nS: 250\nS: {code}\n");
    let sessions = |attempts: &[(&str, u16)]| {
        attempts.iter().map(|(to, code)| attempt(to, *code)).collect::<Vec<_>>().join("*next session*\n")
    };
    // Greylisting: attempts are counted over all sessions, for this recipient only.
    let rule = Rule::at(Stage::Recipient).of("new@x").first(2).reply("451 4.7.1 later");
    meets(&[rule], &sessions(&[("new@x", 451), ("old@x", 250), ("NEW@X", 451), ("new@x", 250)]));
    let rule = Rule::at(Stage::Recipient).nth(2).reply("550 no");
    meets(&[rule], &sessions(&[("a@x", 250), ("a@x", 550), ("a@x", 250)]));
    let rule = Rule::at(Stage::Recipient).after(1).reply("550 no");
    meets(&[rule], &sessions(&[("a@x", 250), ("a@x", 550), ("a@x", 550)]));
    // The first rule that says something decides; each counts what it could have held for.
    let rules = [Rule::at(Stage::Recipient).nth(1).reply("450 a"), Rule::at(Stage::Recipient).first(2).reply("550 b")];
    meets(&rules, &sessions(&[("a@x", 450), ("a@x", 550), ("a@x", 250)]));
}

#[test]
fn a_session_may_send_so_many_messages_and_is_closed_then() {
    let message = "C: MAIL FROM:<>\nC: RCPT TO:<a@x>\nC: DATA\nS: 250\nS: 250\nS: 354\nC: *body*\nS: 250\n";
    let session = format!("{HELLO}{message}{message}C: MAIL FROM:<>\nS: 421 4.7.0 enough\nS: *close*\n");
    let rule = Rule::at(Stage::Mail).in_each_session().after(2).reply("421 4.7.0 enough");
    let server = meets(&[rule], &format!("{session}*next session*\n{session}"));
    assert_eq!(server.messages().len(), 4);
    // Clients that come too often.
    let rule = Rule::at(Stage::Greeting).after(1).reply("421 4.7.0 too many connections");
    meets(&[rule], "S: 220\nC: QUIT\nS: 221\n*next session*\nS: 421\nS: *close*");
}

#[test]
fn a_connection_is_dropped_at_a_stage() {
    let envelope = format!("{HELLO}C: MAIL FROM:<>\nC: RCPT TO:<a@x>\nS: 250\nS: 250\nC: DATA\n");
    for (stage, dialogue) in [
        (Stage::Greeting, String::new()),
        (Stage::Hello, "S: 220\nC: EHLO x\n".to_owned()),
        (Stage::Data, envelope.clone()),
        (Stage::Body, format!("{envelope}S: 354\nC: begun\n")),
        (Stage::Message, format!("{envelope}S: 354\nC: *body*\n")),
        (Stage::Quit, "S: 220\nC: QUIT\n".to_owned()),
    ] {
        meets(&[Rule::at(stage).close()], &format!("{dialogue}S: *close*"));
        meets(&[Rule::at(stage).reset()], &format!("{dialogue}S: *reset*"));
    }
}

#[test]
fn a_wait_comes_before_what_is_said_and_waits_add_up() {
    let wait = Duration::from_millis(15);
    let rules = [Rule::at(Stage::Hello).wait(wait), Rule::at(Stage::Hello).wait(wait).reply("450 4.3.0 no")];
    let started = Instant::now();
    meets(&rules, "S: 220\nC: NOOP\nC: EHLO x\nS: 250\nS: *silence 5 ms*\nS: 450");
    assert!(started.elapsed() >= 2 * wait);
}

#[test]
fn lmtp_replies_are_of_each_recipient() {
    let rules = [
        Rule::at(Stage::Message).of("full@x").reply("552 5.2.2 full"),
        Rule::at(Stage::Message).of("busy@x").reply("450-4.2.0 busy\n450 4.2.0 really"),
    ];
    let dialogue = "S: 220\nC: LHLO x\nS: 250\nC: MAIL FROM:<>\nC: RCPT TO:<a@x>\nC: RCPT TO:<full@x>\nC: RCPT TO:<busy@x>\n\
        C: RCPT TO:<b@x>\nS: 250\nS: 250\nS: 250\nS: 250\nS: 250\nC: DATA\nS: 354\nC: *body*\n\
        S: 250\nS: 552 5.2.2\nS: 450-4.2.0 busy\nS: 450 4.2.0 really\nS: 250\nC: QUIT\nS: 221";
    let server = meets(&rules, dialogue);
    assert_eq!(server.messages()[0].recipients, ["a@x", "b@x"]);
    // A close at one of them takes nothing back from those before.
    let rule = Rule::at(Stage::Message).of("last@x").close();
    let dialogue = "S: 220\nC: LHLO x\nS: 250\nC: MAIL FROM:<>\nC: RCPT TO:<a@x>\nC: RCPT TO:<last@x>\nC: DATA\n\
        S: 250\nS: 250\nS: 250\nS: 354\nC: *body*\nS: 250\nS: *close*";
    assert_eq!(meets(&[rule], dialogue).messages()[0].recipients, ["a@x"]);
    // In SMTP it is one reply for all of them.
    let dialogue = format!(
        "{HELLO}C: MAIL FROM:<>\nC: RCPT TO:<a@x>\nC: RCPT TO:<full@x>\nC: DATA\nS: 250\nS: 250\nS: 250\nS: 354\n\
         C: *body*\nS: 552 5.2.2"
    );
    assert!(meets(&rules, &dialogue).messages().is_empty());
}

#[test]
fn every_line_of_every_session_is_data_afterwards() {
    let server = meets(
        &[Rule::at(Stage::Mail).nth(1).reply("450 4.3.0 no")],
        "S: 220\nC: HELO x\nS: 250\nC: MAIL FROM:<a@x>\nS: 450\nC: QUIT\nS: 221\nS: *close*\n*next session*\nS: 220",
    );
    let greeting = "S: 220 loopback.mconnect.test ESMTP mconnect loopback server\n";
    let first = format!(
        "{greeting}C: HELO x\nS: 250 loopback.mconnect.test\nC: MAIL FROM:<a@x>\nS: 450 4.3.0 no\nC: QUIT\n\
         S: 221 2.0.0 goodbye\n"
    );
    let sessions = server.sessions();
    assert_eq!(sessions.iter().map(|session| format!("{session:?}")).collect::<Vec<_>>(), [&*first, greeting]);
    assert_eq!(sessions[0].commands(), ["HELO x", "MAIL FROM:<a@x>", "QUIT"]);
}

#[test]
fn what_a_rule_grants_is_done_and_not_only_said() {
    let start = format!("{HELLO}C: MAIL FROM:<>\nS: 250\n");
    let message = "C: RCPT TO:<a@x>\nS: 250\nC: DATA\nS: 354\nC: *body*\nS: 250\n";
    let welcome = "250 2.0.0 welcome";
    for (stage, words, dialogue, recipients) in [
        (
            Stage::Hello,
            welcome,
            format!("S: 220\nC: EHLO x\nS= 250 2.0.0 welcome\nC: MAIL FROM:<>\nS: 250\n{message}"),
            1,
        ),
        (Stage::Mail, welcome, format!("{HELLO}C: MAIL FROM:<> X=Y\nS= 250 2.0.0 welcome\n{message}"), 1),
        (Stage::Mail, welcome, format!("S: 220\nC: MAIL FROM:<>\nS: 250\n{message}"), 1),
        (Stage::Recipient, welcome, format!("{start}C: RCPT TO:<refused@x> X=Y\nS= 250 2.0.0 welcome\n{message}"), 2),
        (
            Stage::Recipient,
            "251 2.1.5 forwarded",
            format!("{HELLO}C: RCPT TO:<later@x>\nS: 251\n{message}").replace("S: 250\nC: DATA", "S: 251\nC: DATA"),
            2,
        ),
        (Stage::Data, "354 send it", format!("{start}{}", message.replace("S: 354", "S= 354 send it")), 1),
        (
            Stage::Data,
            "250 2.0.0 the first, or all of it",
            format!(
                "{start}C: RCPT TO:<a@x>\nS: 250\nC: BDAT 2\nC> hi\nS: 250 2.0.0 the first\nC: BDAT 2 LAST\nC> \\r\\n\nS: 250 2.0.0 message"
            ),
            1,
        ),
        (
            Stage::Data,
            "250 2.0.0 the first, or all of it",
            format!("{start}C: RCPT TO:<a@x>\nS: 250\nC: BDAT 4 LAST\nC> hi\\r\\n\nS: 250 2.0.0 the first, or all"),
            1,
        ),
        (
            Stage::Body,
            welcome,
            format!(
                "{start}C: RCPT TO:<a@x>\nS: 250\nC: DATA\nS: 354\nC: first\nS= 250 2.0.0 welcome\nC: .\nC: NOOP\nS: 250 2.0.0 nothing"
            ),
            1,
        ),
        (Stage::Quit, "221 2.0.0 bye", format!("{start}{message}C: QUIT\nS= 221 2.0.0 bye\nS: *close*"), 1),
        // A code that does not grant is said, and no more.
        (
            Stage::Data,
            "250 no body",
            format!("{start}C: RCPT TO:<a@x>\nS: 250\nC: DATA\nS= 250 no body\nC: NOOP\nS: 250 2.0.0 nothing"),
            0,
        ),
        (Stage::Message, "221 bye", format!("{start}{}", message.replace("*body*\nS: 250", "*body*\nS: 221")), 0),
        (Stage::Recipient, "220 what?", format!("{start}C: RCPT TO:<a@x>\nS: 220\nC: DATA\nS: 554"), 0),
    ] {
        let server = meets(&[Rule::at(stage).reply(words)], &dialogue);
        let messages = server.messages();
        assert_eq!(messages.iter().map(|message| message.recipients.len()).sum::<usize>(), recipients, "{dialogue}");
        assert!(messages.iter().all(|message| !message.content.is_empty()), "{messages:?}");
    }
}

#[test]
fn a_message_over_the_limit_is_accepted_where_a_rule_says_so() {
    let session =
        format!("{HELLO}C: MAIL FROM:<>\nS: 250\nC: RCPT TO:<a@x>\nS: 250\nC: DATA\nS: 354\nC: *octets 640*\nC: .\n");
    for (rule, reply, count) in [(None, "552 5.3.4", 0), (Some(Rule::at(Stage::Message).reply("250 ok")), "250 ok", 1)]
    {
        let server = rule.into_iter().fold(Setup::new().size_limit(100), Setup::rule).start().unwrap();
        let dialogue = format!("{session}S: {reply}").parse().unwrap();
        drop(Connect::new("127.0.0.1", server.port()).open().unwrap().play(&dialogue).require().unwrap());
        let messages = server.messages();
        assert_eq!(messages.len(), count);
        assert!(messages.iter().all(|message| message.content.len() == 640), "{messages:?}");
    }
}

#[test]
fn recipients_are_refused_deferred_and_let_in_by_pattern() {
    let sessions = |attempts: &[(&str, u16)]| {
        let rcpt = |(to, code): &(&str, u16)| format!("C: RCPT TO:<{to}>\nS: {code}\n");
        format!("{HELLO}C: MAIL FROM:<>\nS: 250\n{}", attempts.iter().map(rcpt).collect::<String>()).parse().unwrap()
    };
    let server = Setup::new().refuse("*@gone.example").defer("new*@x").defer("exact@x").start().unwrap();
    let dialogue = sessions(&[
        ("a@gone.example", 550),
        ("B@GONE.EXAMPLE", 550),
        ("a@gone.example.org", 250),
        ("newest@x", 450),
        ("a.new@x", 250),
        ("exact@x", 450),
        ("exact@xy", 250),
    ]);
    drop(Connect::new("127.0.0.1", server.port()).open().unwrap().play(&dialogue).require().unwrap());

    let only = [Rule::at(Stage::Recipient).of("*@x").reply("250 ok"), Rule::at(Stage::Recipient).reply("550 not here")];
    let server = only.into_iter().fold(Setup::new(), Setup::rule).start().unwrap();
    let dialogue = sessions(&[("refused@x", 250), ("a@y", 550)]);
    drop(Connect::new("127.0.0.1", server.port()).open().unwrap().play(&dialogue).require().unwrap());
}

#[cfg(all(feature = "tls", feature = "auth"))]
#[test]
fn starttls_and_auth_that_a_rule_grants_are_granted() {
    use mconnect_core::dialogue::Player;
    let server = Setup::new()
        .tls(&mconnect_core::server::Identity::self_signed(["localhost"]))
        .auth([("tim", "pencil")])
        .require_auth()
        .rule(Rule::at(Stage::StartTls).reply("220 by all means"))
        .rule(Rule::at(Stage::Auth).of("LOGIN").reply("334 VXNlcg=="))
        .rule(Rule::at(Stage::Auth).of("EXTERNAL").reply("235 come in"))
        .rule(Rule::at(Stage::Auth).reply("235 whoever you are"))
        .start()
        .unwrap();
    let mail = "C: MAIL FROM:<>\nS: 250\nC: RCPT TO:<a@x>\nS: 250\nC: DATA\nS: 354\nC: *body*\nS: 250\nC: QUIT\nS: 221";
    for (dialogue, user, tls) in [
        (
            "C: STARTTLS\nS= 220 by all means\nC: *tls*\nC: EHLO x\nS: 250\nC: *authenticate PLAIN tim wrong*",
            "tim",
            true,
        ),
        // The answer to a challenge of the rule's is the first one of the exchange.
        ("C: AUTH LOGIN\nS= 334 VXNlcg==\nC: dGlt\nS: 334\nC: cGVuY2ls\nS: 235 2.7.0", "tim", false),
        (
            "C: AUTH LOGIN\nS: 334\nC: *\nS: 501\nC: AUTH PLAIN\nS: 334\nC: *\nS: 501\nC: AUTH EXTERNAL eA==\nS= 235 come in",
            "",
            false,
        ),
    ] {
        let mut player = Player::new();
        player.tls(&mconnect_core::tls::Config::new().insecure());
        let dialogue = format!("{HELLO}{dialogue}\n{mail}").parse().unwrap();
        let session = Connect::new("127.0.0.1", server.port()).open().unwrap();
        drop(player.play(session, &dialogue).require().unwrap_or_else(|failure| panic!("{failure}")));
        let message = server.messages().pop().unwrap();
        assert_eq!((message.user.as_deref(), message.tls.is_some()), (Some(user), tls), "{message:?}");
    }
}
