//! What bash, zsh and fish complete, in the shells themselves.

use std::fs;

use crate::common::Pty;
use crate::common::folder::Folder;

/// A shell that knows the completions, in a folder with one file.
struct Shell {
    pty: Pty,
    _folder: Folder,
}

/// What is typed up to a tab, and what the tool is called with.
const COMPLETED: &[(&str, &str)] = &[
    ("--st", "<--starttls>"),
    ("-p lm", "<-p><lmtp>"),
    ("--port=lm", "<--port=lmtp>"),
    ("--color al", "<--color><always>"),
    ("--color=ne", "<--color=never>"),
    ("--edit-mode v", "<--edit-mode><vi>"),
    ("--tls-min 1.3", "<--tls-min><1.3>"),
    ("--until gr", "<--until><greeting>"),
    ("--trace=h", "<--trace=hex>"),
    ("--timestamps=c", "<--timestamps=clock>"),
    ("--haproxy lo", "<--haproxy><local>"),
    ("--auth user:EXT", "<--auth><user:EXTERNAL>"),
    ("--auth=user@example.org:EXT", "<--auth=user@example.org:EXTERNAL>"),
    ("--via htt", "<--via><http://>"),
    ("--via socks5h", "<--via><socks5h://>"),
    ("--record only-", "<--record><only-file.txt>"),
    ("--play=only-", "<--play=only-file.txt>"),
    ("--pipe setsi", "<--pipe><setsid>"),
    ("--json --no-his", "<--json><--no-history>"),
    ("mx.kn", "<mx.known.example>"),
    ("--helo mx.kn", "<--helo><mx.known.example>"),
    ("--tls-name=mx.kn", "<--tls-name=mx.known.example>"),
    ("-- mx.kn", "<--><mx.known.example>"),
    ("--help-smtp greyl", "<--help-smtp><greylisting>"),
    ("--help-smtp mx.kn", "<--help-smtp><mx.kn>"),
    // A text is anything: nothing is offered, and no file either.
    ("--body only-", "<--body><only->"),
    ("only-", "<only->"),
];

impl Shell {
    /// Starts one that reads this first.
    fn start(program: &str, args: &[&str], variables: &[(&str, &str)], folder: Folder) -> Self {
        folder.write("only-file.txt", "");
        // Where bash has hosts from, by itself, and where all the others do.
        let hosts = folder.write("hosts", "192.0.2.1 mx.known.example\n");
        fs::create_dir(folder.path().join(".ssh")).unwrap();
        folder.write(".ssh/known_hosts", "mx.known.example ssh-ed25519 AAAA\n");
        let script = format!("stty rows 40 cols 200; cd {}; exec {program} \"$@\"", folder.text());
        let args = [&["-c", &script, "sh"], args].concat();
        let variables = [&[("TERM", "xterm"), ("HOME", folder.text()), ("HOSTFILE", &hosts)], variables].concat();
        let pty = Pty::start_with("sh", &args, &variables);
        Self { pty, _folder: folder }
    }

    fn bash(first: &str) -> Self {
        let folder = Folder::new();
        let bash = script("mconnect.bash");
        let rc = folder.write(
            "rc",
            &format!("{first}\nsource {bash}\nmconnect() {{ printf '<%s>' \"$@\"; echo; }}\nPS1='ready> '\n"),
        );
        Self::start("bash", &["--noprofile", "--rcfile", &rc, "-i"], &[], folder)
    }

    fn zsh() -> Self {
        let folder = Folder::new();
        let functions = script("");
        let rc = "autoload -U compinit; compinit -D -u\nmconnect() { printf '<%s>' \"$@\"; echo; }\nPS1='ready> '\n";
        folder.write(".zshrc", &format!("fpath=({functions} $fpath)\n{rc}"));
        let home = folder.text().to_owned();
        Self::start("zsh", &["-d", "-i"], &[("ZDOTDIR", &home)], folder)
    }

    fn fish() -> Self {
        let folder = Folder::new();
        let fish = script("mconnect.fish");
        let first = format!(
            "source {fish}; function mconnect; printf '<%s>' $argv; echo; end; function fish_prompt; echo -n 'ready> '; end"
        );
        Self::start("fish", &["--no-config", "-i", "-C", &first], &[], folder)
    }

    /// Types the beginning of a command, a tab and Enter; returns once the tool was called so.
    #[track_caller]
    fn completes(&mut self, typed: &str, called: &str) {
        self.pty.expect("ready> ");
        self.pty.send(format!("mconnect {typed}\t"));
        self.pty.send("\r");
        self.pty.expect(called);
    }

    #[track_caller]
    fn completes_all(&mut self) {
        for (typed, called) in COMPLETED {
            self.completes(typed, called);
        }
    }

    /// Types the beginning of a command, and tabs; all of this is shown.
    #[track_caller]
    fn shows(&mut self, typed: &str, shown: &[&str]) {
        self.pty.expect("ready> ");
        self.pty.send(format!("mconnect {typed}\t\t"));
        for words in shown {
            self.pty.expect(words);
        }
    }
}

#[test]
#[ignore = "needs bash: .ci/run runs it"]
fn bash_completes_by_itself() {
    let mut bash = Shell::bash("");
    bash.completes_all();
    bash.shows("--until ", &["auth", "connect", "data", "ehlo", "greeting", "mail", "rcpt", "starttls"]);
}

#[test]
#[ignore = "needs bash-completion: .ci/run installs it"]
fn bash_completes_with_its_package_of_completions() {
    let package = "/usr/share/bash-completion/bash_completion";
    assert!(fs::exists(package).unwrap());
    Shell::bash(&format!("source {package}")).completes_all();
}

#[test]
#[ignore = "needs zsh: .ci/run installs it"]
fn zsh_completes_and_says_what_options_do() {
    let mut zsh = Shell::zsh();
    zsh.completes_all();
    zsh.shows("--tls-", &["least version of TLS"]);
}

#[test]
#[ignore = "needs zsh: .ci/run installs it"]
fn zsh_offers_no_option_that_does_not_go_with_what_is_there() {
    let mut zsh = Shell::zsh();
    zsh.completes("--st", "<--starttls>");
    zsh.completes("--no-upgrade --st", "<--no-upgrade><--st>");
}

#[test]
#[ignore = "needs fish: .ci/run installs it"]
fn fish_completes_and_says_what_options_do() {
    let mut fish = Shell::fish();
    fish.completes_all();
    fish.shows("--tls-", &["least version of TLS"]);
}

/// Returns where a script is, or where all are.
fn script(name: &str) -> String {
    format!("{}/completions/{name}", env!("CARGO_MANIFEST_DIR"))
}
