"""Measures sessions that are open at once, each with a message, from one process: the library's, as threads and over tokio,
plain and inside TLS, beside smtp-source, which has no TLS. Prints Markdown tables.

usage: sessions.py ROUNDS METER OUTPUT PROGRAMS SESSIONS AT_ONCE ...

PROGRAMS is where `sessions` and `sink` were built to, SESSIONS how many there are at least. The programs run in turn, as
pair.py has it, each at a sink of its own, which answers MAIL once so many sessions have said it. Memory is that of the
process at its peak, beyond what it is where one session is open at a time, for each of those that are; without the
system's own.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys

from pair import interval, run


def once(meter, output, programs, client, at_once, tls):
    """Returns wall seconds, CPU seconds and peak MiB of one program."""
    with subprocess.Popen([programs + "/sink", str(at_once), *tls], stdout=subprocess.PIPE) as sink:
        try:
            port = int(sink.stdout.readline())
            return run(meter, output, "/dev/null", "", client.format(server=f"127.0.0.1:{port}"))
        finally:
            sink.terminate()


def table(title, rounds, measure, clients, least, sizes):
    base = next(iter(clients))
    print(f"\n### {title}\n\n| at once | in all | program | sessions/s | to {base} | 95 % | CPU s | to {base} | KiB each |")
    print("|---:|---:|---|---:|---:|---:|---:|---:|---:|")
    alone = {}
    for at_once in sizes:
        count = max(at_once, least)
        runs = {name: [] for name in clients}
        for turn in range(-1, rounds):  # the first is a warm-up
            order = list(clients)[turn % len(clients):] + list(clients)[:turn % len(clients)]
            for name in order:
                client = clients[name].replace("{sessions}", str(count)).replace("{at_once}", str(at_once))
                result = measure(client, at_once)
                if turn >= 0:
                    runs[name].append(result)
        for name, results in runs.items():
            ratios = [b[0] / r[0] for r, b in zip(results, runs[base])]
            low, high = interval(ratios)
            cpu = statistics.median(r[1] / b[1] for r, b in zip(results, runs[base]) if b[1] > 0)
            peak = statistics.median(r[2] for r in results)
            alone.setdefault(name, peak)
            each = f"{(peak - alone[name]) * 1024 / (at_once - sizes[0]):.1f}" if at_once >= 100 > sizes[0] else ""
            row = [f"{at_once:,}", f"{count:,}", name, f"{statistics.median(count / r[0] for r in results):,.0f}",
                   f"{statistics.median(ratios):.2f}", "" if name == base else f"{low:.2f}-{high:.2f}",
                   f"{statistics.median(r[1] for r in results):.2f}", f"{cpu:.2f}", each]
            print("|", " | ".join(row), "|", flush=True)
    print(f"\n{rounds} interleaved rounds; ratio: the median of the rounds' ratios.")


def main():
    rounds, (meter, output, programs), numbers = int(sys.argv[1]), sys.argv[2:5], [int(word) for word in sys.argv[5:]]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ours = {name: f"{programs}/sessions {{server}} {{sessions}} {{at_once}} {name}" for name in ("threads", "tokio")}
    theirs = {"smtp-source": "smtp-source -s {at_once} -m {sessions} {server}"} if shutil.which("smtp-source") else {}
    for title, clients, tls in [("In the clear", theirs | ours, []),
                                ("After STARTTLS", {name: f"{client} tls" for name, client in ours.items()}, ["tls"])]:
        def measure(client, at_once, tls=tls):
            return once(meter, os.path.abspath(output), programs, client, at_once, tls)
        table(title, rounds, measure, clients, numbers[0], numbers[1:])


main()
