//! What the binary need not do at every start.
//!
//! The unwinder of GCC is linked in where that can be had: one shared library less to find, map and relocate, which is a
//! tenth of a millisecond. And the binary is linked to a fixed address, so that its thousands of pointers are right as
//! they are, which is two tenths; libraries, heap and stack still lie elsewhere every time.
//!
//! And the standard library does not learn where the main thread's stack ends, which the C library finds out by reading
//! and parsing the list of all mappings: another tenth. A stack that overflows still ends the process by a signal; only
//! the sentence that names it is missing.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let of = |name: &str| env::var(name).unwrap_or_default();
    let is_native =
        of("HOST") == of("TARGET") && of("CARGO_CFG_TARGET_OS") == "linux" && of("CARGO_CFG_TARGET_ENV") == "gnu";
    let is_static = of("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static");
    // A sanitizer's runtime has to know where stacks end.
    if !is_native || is_static || !of("CARGO_CFG_SANITIZE").is_empty() {
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
    let object = PathBuf::from(of("OUT_DIR")).join("stack_bounds.o");
    if compile(STACK_BOUNDS, &object).is_ok_and(|is_done| is_done) {
        println!("cargo::rustc-link-arg-bins={}", object.display());
    }
}

/// Compiles a C text, and says whether that went well.
fn compile(text: &str, object: &Path) -> io::Result<bool> {
    let mut compiler =
        Command::new("cc").args(["-x", "c", "-", "-c", "-O2", "-o"]).arg(object).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = compiler.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    Ok(compiler.wait()?.success())
}

/// Comes before the C library's own of that name, and says that the bounds cannot be had.
const STACK_BOUNDS: &str = "#include <errno.h>\nint pthread_getattr_np(void) { return ENOSYS; }\n";
