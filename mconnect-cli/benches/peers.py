"""Targets a second, beside other programs, at the same farm of servers that take 300 ms for each reply: Markdown tables.

usage: peers.py ROUNDS METER MCONNECT FARM FOLDER PYTHON TARGETS AT_ONCE ...

PYTHON has aiosmtplib. The programs run in turn. Each target is a server of its own; the others are given its address,
and mconnect the name of a domain, for which it asks the DNS as well. A program that is not done in three minutes is left
out from there on.
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys

from farm import Farm, load, raise_limits

ROUNDS, (METER, MCONNECT, FARM, FOLDER, PYTHON), LEAST = int(sys.argv[1]), sys.argv[2:7], int(sys.argv[7])
SIZES = [int(word) for word in sys.argv[8:]]
HERE, PATIENCE = os.path.dirname(os.path.abspath(__file__)), 180


def run(command, mark, targets):
    """Returns wall seconds, CPU seconds and the peak MiB of the largest process; None if it did not get to the end."""
    output = os.path.join(FOLDER, "output")
    read_end, write_end = os.pipe()
    with open(output, "wb") as out:
        process = subprocess.Popen(["sh", "-c", f'exec "$@" 3>&{write_end}', "sh", METER, "/dev/null", "sh", "-c", command],
                                   stdout=out, stderr=out, pass_fds=[write_end], start_new_session=True)
    os.close(write_end)
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None
    with os.fdopen(read_end) as report:
        wall, cpu, peak, _ = report.read().split()
    with open(output, "rb") as told:
        asked = told.read().count(mark)
    if asked != targets:
        print(f"{asked} of {targets}: {command}", file=sys.stderr)
        return None
    return float(wall) / 1e6, int(cpu) / 1e6, int(peak) / 1024


def programs(tls, farm, at_once):
    """Their commands, and what each says once for a target that it has asked."""
    names, addresses = (os.path.join(FOLDER, file) for file in ("names", "addresses"))
    yield "mconnect", (f"{MCONNECT} --probe --targets {names} --json --jobs {at_once} --timeout 60 {' '.join(farm.options())}",
                       b'"tls":{' if tls else b'"starttls_missing"')
    if PYTHON:
        way = "tls" if tls else "clear"
        yield "aiosmtplib", (f"{PYTHON} {HERE}/by_aiosmtplib.py {at_once} {farm.port} {way} <{addresses}", b"asked ")
    # A process for each session: ten thousand are more than a machine of this size has memory for.
    if tls and shutil.which("posttls-finger") and shutil.which("parallel") and at_once <= 1000:
        finger = f"posttls-finger -c -l encrypt -t 60 -T 60 '[{{}}]:{farm.port}'"
        yield "posttls-finger, GNU parallel", (f"parallel --will-cite -j {at_once} \"{finger}\" <{addresses}", b"TLS connection established")
    if not tls and shutil.which("nmap"):
        yield "nmap, smtp-commands", (
            f"nmap -sT -n -Pn -p {farm.port} --script +smtp-commands --min-hostgroup {min(at_once, 4096)} "
            f"--min-parallelism {at_once} --max-parallelism {at_once} -iL {addresses}", b"smtp-commands:")


def table(title, tls):
    print(f"\n### {title}\n\n| at once | targets | program | targets/s | to mconnect | CPU ms a target | peak MiB |")
    print("|---:|---:|---|---:|---:|---:|---:|")
    out = set()
    for at_once in SIZES:
        count = max(LEAST, at_once * 2) if at_once < 10_000 else at_once
        kind, octet = ("slow", 3) if tls else ("slow-clear", 4)
        with open(os.path.join(FOLDER, "names"), "w") as names, open(os.path.join(FOLDER, "addresses"), "w") as addresses:
            for n in range(count):
                names.write(f"d{n}.{kind}.test\n")
                addresses.write(f"127.{octet}.{n // 256}.{n % 256}\n")
        runs = {}
        with Farm(FARM, count, 300, FOLDER) as farm:
            for turn in range(ROUNDS):
                commands = list(programs(tls, farm, at_once))
                for name, (command, mark) in commands[turn % len(commands):] + commands[:turn % len(commands)]:
                    if name in out:
                        continue
                    result = run(command, mark, count)
                    if result is None:
                        out.add(name)
                        runs.pop(name, None)
                    else:
                        runs.setdefault(name, []).append(result)
        for name, results in runs.items():
            speed = statistics.median(count / wall for wall, _, _ in results)
            base = statistics.median(count / wall for wall, _, _ in runs.get("mconnect", results))
            cpu = statistics.median(cpu for _, cpu, _ in results) * 1e3 / count
            row = [f"{at_once:,}", f"{count:,}", name, f"{speed:,.1f}", f"{speed / base:.2f}", f"{cpu:.2f}",
                   f"{max(peak for _, _, peak in results):.1f}"]
            print("|", " | ".join(row), "|", flush=True)
    if out:
        print(f"\nNot done in {PATIENCE} s, or not with all: {', '.join(sorted(out))}, from where it is missing on.")


raise_limits()
print(f"{ROUNDS} rounds; {load()}")
table("Greeting, EHLO, STARTTLS, EHLO, QUIT", True)
table("Greeting, EHLO, QUIT, without TLS", False)
