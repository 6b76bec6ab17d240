# Sourced by run: the parts that want nothing but Rust's toolchain.

target=${CARGO_TARGET_DIR:-$PWD/target}

# linted COMMAND...: what it builds of ours is linted by what builds it, as cargo clippy has it done: nothing is compiled
# once for the lints, and once more to be run.
linted() { RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__ "$@"; }

# tested ARGUMENT...: the tests as the README's second command builds them. With another choice of packages or features,
# most crates are built once more. In a background job, signals that the tests send would be ignored.
tested() { linted env --default-signal timeout 900 cargo test --workspace --all-features "$@"; }

locked() {
  step 'the dependencies are the locked ones'
  cargo fetch --locked
  cargo fetch --locked --manifest-path mconnect-core/fuzz/Cargo.toml
  cargo fetch --locked --manifest-path mconnect-core/benches/Cargo.toml
  cargo fetch --locked --manifest-path mconnect-core/examples/test_a_client/Cargo.toml
}

format() {
  step 'format'
  cargo fmt --all --check
}

lints() {
  step 'the tests are built, and linted'
  tested --no-run
}

session() {
  step "the README's first command opens a session"
  block=$(readme_block 1)
  [[ $block == *--demo* ]] || die "the first shell block of the README opens no demo session: $block"
  echo "$block"
  echo QUIT | bash -euo pipefail -c "$block" | tee "$TMPDIR/session"
  grep -q '^221' "$TMPDIR/session" || die "that was no session"
}

tests() {
  step "the README's second command runs the tests"
  block=$(readme_block 2)
  [[ $block == *'cargo test'* ]] || die "the second shell block of the README runs no tests: $block"
  echo "$block"
  linted env --default-signal bash -euo pipefail -c "$block"
}

fuzz() {
  step 'the fuzz targets: their properties hold for their seeds'
  cargo fmt --manifest-path mconnect-core/fuzz/Cargo.toml --check
  fuzz=(--manifest-path mconnect-core/fuzz/Cargo.toml --target-dir "$target" --locked --no-default-features)
  linted cargo test "${fuzz[@]}"
}

example() {
  step 'the example that tests a client is a test'
  example=(--manifest-path mconnect-core/examples/test_a_client/Cargo.toml)
  cargo fmt "${example[@]}" --check
  linted cargo test "${example[@]}" --target-dir "$target" --locked
  shorter() { # shorter FILE LINES: what it does in few lines is what it shows
    [ "$(wc -l <"mconnect-core/examples/$1")" -le "$2" ] || die "$1 has more than $2 lines, and is to show how short one is"
  }
  shorter test_a_client/client.rs 40
  shorter probe_one.rs 25
}

endurance() {
  step 'endurance'
  tested --test endurance -- --ignored --skip a_thousand_signals --show-output
}

licences() {
  step 'licences, duplicates and sources of the dependencies'
  if command -v cargo-deny >/dev/null; then
    cargo deny check licenses bans sources
  else
    echo 'not looked at: there is no cargo-deny here (docs/robustness.md)'
  fi
}

benches() {
  step 'the benchmarks, and their farm of servers'
  linted cargo build --manifest-path mconnect-core/benches/Cargo.toml --target-dir "$target" --locked --all-targets
}

documentation() {
  step 'documentation'
  RUSTDOCFLAGS='-D warnings' cargo doc -p mconnect-cli --no-deps --all-features
  # As docs.rs does it, with the features named.
  printf '#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@"\n' >"$TMPDIR/rustdoc"
  chmod +x "$TMPDIR/rustdoc"
  RUSTDOC=$TMPDIR/rustdoc RUSTDOCFLAGS='-D warnings --cfg docsrs' cargo doc -p mconnect-core --no-deps --all-features
  grep 'Available on.*feature.*tls' "$target/doc/mconnect_core/struct.Session.html" >/dev/null ||
    die 'the documentation does not say which feature brings Session::upgrade'
}

features() {
  step 'the library, without features, and built with each alone'
  features=$(sed -n '/^\[features\]/,/^\[[^f]/s/^\([a-z][a-z0-9_-]*\) *=.*/\1/p' mconnect-core/Cargo.toml | grep -vx default)
  # A feature adds and changes nothing: what its tests show is seen with all of them.
  linted cargo test -p mconnect-core --no-default-features
  for feature in $features; do
    echo "-- $feature"
    cargo clippy -p mconnect-core --no-default-features --features "$feature" -- -D warnings
  done
  dependencies=$(cargo tree -p mconnect-core --depth 1 --edges normal --target all --prefix none | sed '1d; s/ .*//' | sort | xargs)
  [ "$dependencies" = 'memchr socket2 thiserror' ] || die "the library depends on $dependencies by default"
}

without_tls() {
  step 'the tool without TLS'
  # It comes into a folder of its own: it would take the place of the tool that the other parts run.
  without=(-p mconnect-cli --no-default-features --target-dir "$target/without_tls")
  CARGO_BUILD_BUILD_DIR=$target linted cargo test "${without[@]}" --bins --test without_tls
}

packages() {
  step 'packages, installed from a folder of their own'
  # That they build is seen below.
  cargo package --workspace --allow-dirty --no-verify --target-dir "$TMPDIR/target" 2>&1 | tee "$TMPDIR/packages"
  ! grep '^warning' "$TMPDIR/packages" || die 'packaging is not clean'
  version=$(sed -n '/^\[workspace.package\]/,/^\[workspace.dep/s/^version = "\(.*\)"/\1/p' Cargo.toml)
  mkdir "$TMPDIR/crates"
  # They are of today (-m): of what is older than an earlier run's, Cargo would take what that run has built.
  for crate in mconnect-core mconnect-cli; do
    tar -xzmf "$TMPDIR/target/package/$crate-$version.crate" -C "$TMPDIR/crates"
  done
  # The library is not yet where the tool's package says it is. With the tests' profile, what they have built is built.
  CARGO_BUILD_BUILD_DIR=$target CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only cargo install --quiet --debug \
    --path "$TMPDIR/crates/mconnect-cli-$version" --root "$TMPDIR/installed" --target-dir "$TMPDIR/target" \
    --config "patch.crates-io.mconnect-core.path='$TMPDIR/crates/mconnect-core-$version'"
  echo QUIT | "$TMPDIR/installed/bin/mconnect" --demo | grep '^221' || die 'what was installed opens no session'
}
