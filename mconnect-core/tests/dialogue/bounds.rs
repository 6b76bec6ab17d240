//! What the other side sends, and what files hold, has its bounds.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use mconnect_core::dialogue::{Dialogue, LoadError, Player, Verdict};
use mconnect_core::protocol::Limits;
use mconnect_core::server::{Server, Setup};
use mconnect_core::{Connect, Timeouts};
use tempfile::TempDir;

use crate::open;

/// A folder that is gone after the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[test]
fn includes_are_bounded_in_depth_in_count_and_in_octets() {
    let folder = Folder::new();
    folder.write("step.txt", "C: A\n");
    let thousand = folder.write("thousand.txt", "*include step.txt*\n".repeat(1000));
    assert_eq!(Dialogue::load(&thousand).unwrap().steps().len(), 1000);
    let more = folder.write("more.txt", "*include step.txt*\n".repeat(1001));
    // Each includes ten of the next: ten million million files, and no more than sixteen deep.
    folder.write("12.txt", "C: A\n");
    for depth in 0..12 {
        folder.write(&format!("{depth}.txt"), format!("*include {}.txt*\n", depth + 1).repeat(10));
    }
    let endless = folder.write("endless.txt", "*include /dev/zero*\n");
    folder.write("\x1b[2J", "C: A\n");
    let steering = folder.write("steering.txt", "*include \x1b[2J*\n".repeat(1001));
    let told = Dialogue::load(&steering).unwrap_err().to_string();
    assert!(told.contains("/\\x1b[2J: more than 1,000 files"), "{told:?}");
    for file in [more, folder.0.path().join("0.txt").to_str().unwrap().to_owned(), endless] {
        let error = Dialogue::load(&file).unwrap_err();
        assert!(matches!(error, LoadError::TooMuch { .. }), "{error}");
        assert!(error.to_string().ends_with(": more than 1,000 files or 64 MiB are included"), "{error}");
    }
}

#[test]
fn what_the_other_side_said_names_no_file() {
    let folder = Folder::new();
    let file = folder.write("a.txt", "250 secret\r\n");
    for step in ["C: *file ${name}*", "C: *body ${name}*", "S: *file ${name}*", "C: *file /tmp/${name:-x}*"] {
        let server = Server::play(&format!("S: 220 {file}\nC: *close*")).unwrap();
        let dialogue = Dialogue::parse(&format!("S: 220 ${{name}}\n{step}")).unwrap();
        let played = open(&server).play(&dialogue);
        let failure = played.failure().unwrap();
        assert_eq!(failure.verdict, Verdict::Impossible, "{step}");
        assert_eq!(failure.got, "${name} was taken from what came: that names no file", "{step}");
        drop(played);
        server.join().unwrap();
    }
    let server = Server::play("C: HELP ${name}\nS: *file ${name}*").unwrap();
    drop(open(&server).play(&Dialogue::parse(&format!("C: HELP {file}\nS: *close*")).unwrap()));
    let told = server.join().unwrap_err().to_string();
    assert!(told.contains("got ${name} was taken from what came: that names no file"), "{told}");

    // One's own value does, before and after.
    let server = Server::play("S: 220 x\nS: 250 secret").unwrap();
    let mut player = Player::new();
    player.set("name", file.as_str());
    player.play(open(&server), &Dialogue::parse("S: 220\nS: *file ${name}*").unwrap()).require().unwrap();
    server.join().unwrap();
}

#[test]
fn a_long_file_is_compared_as_it_comes_and_where_it_differs_is_told() {
    let folder = Folder::new();
    let lines: String = (0..20_000).map(|line| format!("this is line {line} of them\r\n")).collect();
    let file = folder.write("a", &lines);
    let changed = folder.write("b", lines.replace("line 19999 ", "line 29999 "));
    let cut = folder.write("c", &lines[..500_000]);
    let others = format!("got {} octets as expected, then others", lines.find("19999").unwrap());
    for (sent, got) in
        [(&file, ""), (&changed, &*others), (&cut, "got 500000 octets as expected, then the end of the stream")]
    {
        let server = Server::play(&format!("S: *file {sent}*\nS: *half-close*\nC: *close*")).unwrap();
        let played = open(&server).play(&Dialogue::parse(&format!("S: *file {file}*")).unwrap());
        let told = played.failure().map(ToString::to_string).unwrap_or_default();
        assert!(told.contains(got) && told.is_empty() == got.is_empty(), "{told}");
        drop(played);
        drop(server.join());

        let play = |verb: &str| {
            let server = Server::play(&format!("C: *{verb} {file}*\nC: *close*")).unwrap();
            drop(open(&server).play(&Dialogue::parse(&format!("C: *{verb} {sent}*\nC: *close*")).unwrap()));
            server.join().err().map(|error| error.to_string()).unwrap_or_default()
        };
        let told = play("file");
        assert!(told.contains(got) && told.is_empty() == got.is_empty(), "{told}");
        let told = play("body");
        assert!(told.contains("another message, of ") != got.is_empty(), "{told}");
    }
}

#[test]
fn a_reply_of_many_lines_is_read_in_a_time_that_grows_with_its_size() {
    // Close to the limits of a reply: read with what was before copied for each line, 40 GiB would be moved.
    let line = format!("250-{}\r\n", "x".repeat(400));
    let folder = Folder::new();
    let file = folder.write("reply", [line.repeat(9_999).as_bytes(), b"250 end\r\n"].concat());
    let took = |text: &str| {
        let server = Server::play(&format!("S: *file {file}*\nC: *close*")).unwrap();
        let session = open(&server);
        let start = Instant::now();
        session.play(&Dialogue::parse(text).unwrap()).require().unwrap();
        let took = start.elapsed();
        server.join().unwrap();
        took
    };
    // The same octets, without replies: what reading and comparing them costs.
    let (plain, reply) = (took(&format!("S: *file {file}*\nC: *close*")), took("S: 250\nC: *close*"));
    assert!(reply < plain * 6 + Duration::from_millis(500), "{reply:?} against {plain:?}");
}

#[test]
fn the_widest_limits_and_the_longest_times_are_as_good_as_none() {
    let server = Setup::new()
        .scale(1e300)
        .play(&"S: 220 hi\n*within 4294967295 min*\nC: QUIT\nS: 221".parse().unwrap(), &Default::default())
        .unwrap();
    let mut limits = Limits::default();
    (limits.line, limits.lines, limits.reply) = (usize::MAX, usize::MAX, usize::MAX);
    let mut timeouts = Timeouts::default();
    (timeouts.connect, timeouts.greeting, timeouts.command) = (Duration::MAX, Duration::MAX, Duration::MAX);
    let connect = Connect::new("127.0.0.1", server.port()).limits(limits).timeouts(timeouts);
    let mut player = Player::new();
    player.scale(1e300);
    let dialogue = "*all within 1 s*\n*each within 1 s*\nS: 220\nC: QUIT\nS: 221".parse().unwrap();
    player.play(connect.open().unwrap(), &dialogue).require().unwrap();
    server.join().unwrap();
}

#[test]
fn a_file_that_has_no_end_is_compared_until_the_other_side_ends() {
    let folder = Folder::new();
    let path = folder.0.path().join("sparse");
    let file = File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    (&file).write_all(b"220 hi\r\n").unwrap();
    let server = Server::play("S: 220 hi\nS: *half-close*\nC: *close*").unwrap();
    let played = open(&server).play(&Dialogue::parse(&format!("S: *file {}*", path.display())).unwrap());
    assert_eq!(played.failure().unwrap().got, "`220 hi\\r\\n` and the end of the stream");
    drop(played);
    server.join().unwrap();
}
