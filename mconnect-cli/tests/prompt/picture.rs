//! The picture of the prompt: a session typed at the tool, drawn as the terminal emulator shows it.

use std::fmt::Write as _;
use std::fs;

use crate::common::folder::Folder;
use crate::common::keys::RIGHT;
use crate::common::screen::Screen;
use mconnect_core::server::{Authority, Setup};
use vt100::{Cell, Color};

/// Where the picture goes, seen from this crate.
const PICTURE: &str = "../docs/prompt.svg";
const SIZE: (u16, u16) = (44, 88);

/// `cargo test -p mconnect-cli --test prompt -- --ignored picture` draws it anew.
#[test]
#[ignore = "it writes docs/prompt.svg"]
fn picture_of_the_prompt() {
    let authority = Authority::new("Example Root");
    let server = Setup::new().tls(&authority.intermediate("Example CA").issue(["127.0.0.1"])).start().unwrap();
    let folder = Folder::new();
    let root = folder.write("root.pem", &authority.pem());
    let options = ["--color", "always", "--helo", "client.example", "--cafile", root.as_str()];
    let mut screen = Screen::loud_with(server.port(), &options, &[], SIZE);
    screen.expect_last("smtp> EHLO client.example");
    screen.enter(RIGHT, "smtp> MAIL FROM:<SENDER> [PARAMETERS]");
    screen.enter("STARTTLS", "tls smtp> EHLO client.example");
    screen.enter(RIGHT, "tls smtp> MAIL FROM:<SENDER> [PARAMETERS]");
    screen.enter("MAIL FROM:<me@example.com>", "tls smtp> RCPT TO:<RECIPIENT> [PARAMETERS]");
    screen.enter("RCPT TO:<refused@example.com>", "tls smtp>");
    screen.enter("RCPT TO:<you@example.com>", "tls smtp> DATA");
    screen.enter(RIGHT, "data>");
    screen.enter("Subject: typed by hand", "data>");
    screen.enter("", "data>");
    screen.send("Hello from a terminal.");
    screen.expect_last("data> Hello from a terminal.");
    fs::write(PICTURE, drawn(screen.shown().screen())).unwrap();
    screen.interrupt();
}

/// Draws a screen: on a ground of its own, so that it is legible on light pages and on dark ones.
fn drawn(screen: &vt100::Screen) -> String {
    let (rows, columns) = SIZE;
    let used = (0..rows).rev().find(|row| (0..columns).any(|column| has_text(screen, *row, column))).unwrap_or(0) + 1;
    let (width, height) = (f32::from(columns) * WIDTH + 2.0 * MARGIN, f32::from(used) * HEIGHT + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"A session at the prompt of mconnect\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1e2127\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for row in 0..used {
        let y = MARGIN + f32::from(row) * HEIGHT + 14.0;
        let mut column = 0;
        while column < columns {
            let look = look(screen.cell(row, column).unwrap());
            let (start, mut text) = (column, String::new());
            while column < columns && self::look(screen.cell(row, column).unwrap()) == look {
                let contents = screen.cell(row, column).unwrap().contents();
                text.push_str(if contents.is_empty() { " " } else { contents });
                column += 1;
            }
            let text = text.trim_end();
            if !text.is_empty() {
                let (x, length) = (MARGIN + f32::from(start) * WIDTH, text.chars().count() as f32 * WIDTH);
                let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                writeln!(svg, "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" {look}>{text}</text>").unwrap();
            }
        }
    }
    svg + "</g>\n</svg>\n"
}

fn has_text(screen: &vt100::Screen, row: u16, column: u16) -> bool {
    screen.cell(row, column).is_some_and(|cell| !cell.contents().trim().is_empty())
}

/// Returns how a cell looks, as attributes.
fn look(cell: &Cell) -> String {
    let color = match cell.fgcolor() {
        Color::Idx(1) => "#ff7b72",
        Color::Idx(2) => "#7ee787",
        Color::Idx(3) => "#e3b341",
        Color::Idx(6) => "#76e3ea",
        _ if cell.dim() => "#9aa4b2",
        _ => "#e6edf3",
    };
    let weight = if cell.bold() { " font-weight=\"bold\"" } else { "" };
    format!("fill=\"{color}\"{weight}")
}

/// Of a cell, and around the screen.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 18.0;
const MARGIN: f32 = 16.0;
