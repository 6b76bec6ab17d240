//! What the binary need not do at every start.
//!
//! The unwinder of GCC is linked in where that can be had: one shared library less to find, map and relocate, which is a
//! tenth of a millisecond. The binary is position-independent, as the toolchain makes it, so that every process of it lies
//! elsewhere; the thousands of pointers to be set right for that are packed, where the C library that is here can read
//! that: glibc since 2.36. A linker that cannot pack them leaves them as they are.
//!
//! What a session runs stands together (`start.ld`, which `benches/start` writes): it is a ninth of the program, and
//! would be read from nearly all of it. A linker of somebody's own choice may not know such a script, and gets none.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let of = |name: &str| env::var(name).unwrap_or_default();
    let is_native =
        of("HOST") == of("TARGET") && of("CARGO_CFG_TARGET_OS") == "linux" && of("CARGO_CFG_TARGET_ENV") == "gnu";
    let is_static = of("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static");
    // A sanitizer's runtime has an unwinder of its own.
    if !is_native || is_static || !of("CARGO_CFG_SANITIZE").is_empty() {
        return;
    }
    if glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    let is_chosen = env::var_os("RUSTC_LINKER").is_some() || of("CARGO_ENCODED_RUSTFLAGS").contains("link");
    if !is_chosen {
        println!("cargo::rerun-if-changed=start.ld");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}/start.ld", of("CARGO_MANIFEST_DIR"));
    }
    // Without such a file, the name alone is printed.
    let path = said("cc", "-print-file-name=libgcc_eh.a").unwrap_or_default();
    if let Some(folder) = Path::new(&path).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:+whole-archive=gcc_eh");
    }
}

/// Returns the version of the C library, of which `getconf` says `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let version = said("getconf", "GNU_LIBC_VERSION")?;
    let (major, minor) = version.strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

fn said(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
