//! Dialogues in files.

use std::fs;

use mconnect_core::dialogue::{Dialogue, LoadError};
use mconnect_core::server::Server;

use crate::open;

#[test]
fn files_include_others_with_a_byte_order_mark_too_and_name_themselves_in_errors() {
    let scrap = tempfile::tempdir().unwrap();
    let folder = scrap.path();
    fs::create_dir(folder.join("parts")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    // As editors on some systems write it.
    write("main.txt", "\u{feff}*include parts/hello.txt*\nC: *body parts/a.eml*\n");
    write("parts/hello.txt", "S: 220\n*include ehlo.txt*\n");
    write("parts/ehlo.txt", "\u{feff}C: EHLO x\n");
    write("parts/a.eml", ".a\nb");
    write("round.txt", "*include round.txt*");
    write("bad.txt", "*include parts/bad.txt*");
    write("parts/bad.txt", "\nnonsense");
    let dialogue = Dialogue::load(folder.join("main.txt")).unwrap();
    assert_eq!(dialogue.steps().len(), 3);
    let server = Server::play("S: 220 x\nC: EHLO x\nC> ..a\\r\\nb\\r\\n.\\r\\n").unwrap();
    open(&server).play(&dialogue).require().unwrap();
    server.join().unwrap();
    assert!(matches!(Dialogue::load(folder.join("round.txt")), Err(LoadError::Endless { .. })));
    assert!(matches!(Dialogue::load(folder.join("none.txt")), Err(LoadError::Read { .. })));
    let told = Dialogue::load(folder.join("bad.txt")).unwrap_err().to_string();
    assert!(told.contains("bad.txt: line 2, column 1: expected S: S>"), "{told}");
}
