"""Runs commands in turn, A B C A B C ..., and prints a Markdown table with the ratio of each to the first.

usage: pair.py ROUNDS METER OUTPUT <plan

A line of the plan has five fields, separated by tabs: name, input, size, expected, command. Input is a file, or "-" and a
file that is typed: a line when the reply to the one before is there. A size in octets gives a throughput and "N sessions"
a rate (a higher ratio is better), 0 a duration (a lower one is better). Expected is a text that the output must hold, or
"=" where the output must be the input. Each ratio is taken within one round, so that the drift of a shared machine
cancels; the table has their median and the interval that holds the true median with 95 % confidence (by order statistics,
without a guess at the distribution; the whole range where the rounds are too few).
"""

import math
import os
import shlex
import signal
import statistics
import subprocess
import sys


def run(meter, output, source, expected, command):
    """Returns wall seconds, CPU seconds and peak MiB of one run, or exits if it went wrong."""
    read_end, write_end = os.pipe()
    with open(output, "wb") as stdout:
        # The meter reports on descriptor 3: the shell puts it there, and is replaced before the clock starts.
        process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3>&{write_end}', "sh", meter, source, *shlex.split(command)],
            stdout=stdout, stderr=subprocess.DEVNULL, pass_fds=[write_end], start_new_session=True)
    os.close(write_end)
    try:
        process.wait(timeout=300)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        sys.exit(f"{command}: not done after 300 s")
    with os.fdopen(read_end) as report:
        wall, cpu, peak, status = report.read().split()
    if expected == "=":
        good = subprocess.run(["cmp", "-s", source, output]).returncode == 0
    else:
        with open(output, "rb") as got:
            good = expected.encode() in got.read()
    os.unlink(output)
    if status != "0" or not good:
        sys.exit(f"{command}: status {status}, output {'as' if good else 'NOT as'} expected")
    return float(wall) / 1e6, int(cpu) / 1e6, int(peak) / 1024


def interval(values):
    """The 95 % confidence interval of the median."""
    ordered, n = sorted(values), len(values)
    tail, low = 0.5**n, 0
    while low + 1 < n // 2 and tail + math.comb(n, low + 1) * 0.5**n <= 0.025:
        low += 1
        tail += math.comb(n, low) * 0.5**n
    return ordered[low], ordered[n - 1 - low]


def main():
    rounds, meter, output = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    plan = [line.rstrip("\n").split("\t") for line in sys.stdin]
    sizes = {name: int(size.split()[0]) for name, _, size, _, _ in plan}
    base = plan[0][0]
    runs = {name: [] for name in sizes}
    for turn in range(-1, rounds):  # the first is a warm-up
        shift = turn % len(plan)
        for name, source, _, expected, command in plan[shift:] + plan[:shift]:
            result = run(meter, output, source, expected, command)
            if turn >= 0:
                runs[name].append(result)

    bulk = sizes[base] > 0
    scale = 1 if plan[0][2].endswith("sessions") else 1e6
    unit, cpu_unit = ("MB/s" if scale > 1 else "sessions/s", "CPU s") if bulk else ("ms", "CPU ms")
    print(f"| program | {unit} | to {base} | 95 % | {cpu_unit} | to {base} | peak MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, results in runs.items():
        def merit(result, size):
            return size / result[0] / scale if bulk else result[0] * 1e3
        speed = statistics.median(merit(r, sizes[name]) for r in results)
        ratios = [merit(r, sizes[name]) / merit(b, sizes[base]) for r, b in zip(results, runs[base])]
        low, high = interval(ratios)
        cpu_ratio = statistics.median(r[1] / b[1] for r, b in zip(results, runs[base]) if b[1] > 0)
        cpu = statistics.median(r[1] for r in results) * (1 if bulk else 1e3)
        peak = max(r[2] for r in results)
        speed = f"{speed:,.0f}" if speed >= 100 else f"{speed:.2f}"
        spread = "" if name == base else f"{low:.2f}-{high:.2f}"
        row = [name, speed, f"{statistics.median(ratios):.2f}", spread, f"{cpu:.2f}", f"{cpu_ratio:.2f}", f"{peak:.1f}"]
        print("|", " | ".join(row), "|", flush=True)
    print(f"\n{rounds} interleaved rounds; ratio: the median of the rounds' ratios.")


if __name__ == "__main__":
    main()
