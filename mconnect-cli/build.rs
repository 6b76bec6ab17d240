//! What the binary need not do at every start.
//!
//! The unwinder of GCC is linked in where that can be had: one shared library less to find, map and relocate, which is a
//! tenth of a millisecond. And the binary is linked to a fixed address, so that its thousands of pointers are right as
//! they are, which is two tenths; libraries, heap and stack still lie elsewhere every time.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let of = |name: &str| env::var(name).unwrap_or_default();
    let is_native =
        of("HOST") == of("TARGET") && of("CARGO_CFG_TARGET_OS") == "linux" && of("CARGO_CFG_TARGET_ENV") == "gnu";
    if !is_native || of("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static") {
        return;
    }
    println!("cargo::rustc-link-arg-bins=-no-pie");
    let Ok(output) = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output() else { return };
    let path = String::from_utf8_lossy(&output.stdout);
    // Without such a file, the name alone is printed.
    if let Some(folder) = Path::new(path.trim()).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:+whole-archive=gcc_eh");
    }
}
