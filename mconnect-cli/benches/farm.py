"""The farm of servers, and the tool asking about many targets there, as the script `probe` and its parts start and watch them."""

import contextlib
import os
import resource
import signal
import socket
import struct
import subprocess
import time

# What each kind of server comes to (mconnect-core/benches/farm/kind.rs): a finding, or none that is a failure.
KINDS = {
    "healthy": "unprotected", "slow": "unprotected", "clear": "starttls_missing", "refusing": "refused", "busy": "refused",
    "hanging": "session_failed", "dropping": "session_failed", "closing": "starttls_missing",
    "tls-refused": "starttls_refused", "tls-injected": "tls_failed", "tls-garbage": "tls_failed", "tls-cut": "tls_failed",
    "tls-alert": "tls_failed", "tls-silent": "tls_failed", "tls-reset": "tls_failed",
    "tls-expired": "certificate_expired", "tls-other": "certificate_name", "tls-own": "certificate_untrusted",
    "null-mx": "null_mx", "missing": "no_such_domain", "failing": "lookup_failed",
}


def raise_limits():
    """Sessions take descriptors, in the farm and in the tool: as many as the system lets there be."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Farm:
    """A farm, until the end of the block."""

    def __init__(self, program, exchangers, delay, folder):
        self.root = os.path.join(folder, "root.pem")
        self.process = subprocess.Popen([program, str(exchangers), str(delay), self.root], stdout=subprocess.PIPE, text=True)
        self.port, self.dns = map(int, self.process.stdout.readline().split())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def tally(self):
        """Returns what has come to it: sessions, open, most, at-one."""
        question = b"\x05tally\x04test\x00" + struct.pack("!HH", 16, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.sendto(struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + question, ("127.0.0.1", self.dns))
            answer = client.recv(512)
        words = answer[12 + len(question) + 13:].decode().split()
        return {name: int(count) for name, count in (word.split("=") for word in words)}

    def options(self):
        """How the tool finds it."""
        return ["-p", str(self.port), "--resolver", f"127.0.0.1:{self.dns}", "--allow-private", "--cafile", self.root]


class Run:
    """The tool asking about the targets of a file, watched: memory and descriptors, four times a second."""

    def __init__(self, tool, farm, targets, options, reports=os.devnull):
        self.samples, self.begun, self.reports = [], time.monotonic(), reports
        command = [tool, "--quiet", "--probe", "--targets", targets, "--json", *farm.options(), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def watch(self, until=lambda: False, patience=3600):
        """Waits for its end, or until something is so, and returns whether it has ended."""
        while time.monotonic() < self.begun + patience:
            if self.process.poll() is not None:
                return True
            self.sample()
            if until():
                return False
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.25)
        self.end(signal.SIGKILL)
        raise SystemExit(f"not done after {patience} s")

    def sample(self):
        folder = f"/proc/{self.process.pid}"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, KeyError), open(f"{folder}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
            memory, peak = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
            size = os.path.getsize(self.reports)
            self.samples.append((time.monotonic() - self.begun, memory, peak, len(os.listdir(f"{folder}/fd")), size))

    def end(self, how):
        self.process.send_signal(how)
        return self.process.wait()

    @property
    def peak(self):
        return max(peak for _, _, peak, _, _ in self.samples)

    @property
    def descriptors(self):
        return max(count for _, _, _, count, _ in self.samples)


def load():
    """Says how busy the machine is otherwise."""
    return "load {:.1f}, {:.1f}, {:.1f} over 1, 5, 15 minutes".format(*os.getloadavg())
