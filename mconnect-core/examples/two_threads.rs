//! One thread shows what the server says, whenever it says it; the other sends, and keeps the deadlines.
//!
//! `cargo run --example two_threads --features server`

use std::error::Error;
use std::thread;

use mconnect_core::Connect;
use mconnect_core::server::Server;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start()?;
    let session = Connect::new("127.0.0.1", server.port()).open()?;
    let (mut reader, mut writer) = session.split();

    let listening = thread::spawn(move || {
        while let Some(line) = reader.read_line()? {
            println!("S: {line}");
        }
        Ok::<_, mconnect_core::Error>(())
    });
    writer.wait()?;
    for line in ["EHLO client.example", "VRFY <postmaster>", "QUIT"] {
        println!("C: {line}");
        writer.send_line(line)?;
        // Without this line, the commands would go out together.
        writer.wait()?;
    }
    listening.join().expect("the listener does not panic")?;
    Ok(())
}
