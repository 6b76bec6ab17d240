"""How much memory many targets take, and many sessions at once: a Markdown table.

usage: memory_of_many.py MCONNECT FARM FOLDER TARGETS SESSIONS
"""

import os
import sys

from farm import Farm, Run, load, raise_limits

MCONNECT, FARM, FOLDER = sys.argv[1:4]
TARGETS, SESSIONS = map(int, sys.argv[4:])
# In milliseconds: all are open before the first ends.
DELAY = 6000


def measure(what, kind, targets, exchangers, delay, options):
    path = os.path.join(FOLDER, "targets")
    with open(path, "w") as file:
        file.writelines(f"d{n}.{kind}.test\n" for n in range(targets))
    with Farm(FARM, exchangers, delay, FOLDER) as farm:
        run = Run(MCONNECT, farm, path, options, "/dev/null")
        run.watch()
        took, tally = run.samples[-1][0], farm.tally()
    if run.process.returncode != 0:
        sys.exit(f"{what}: status {run.process.returncode}")
    print(f"| {what} | {tally['sessions']:,} | {tally['most']:,} | {run.peak:.1f} | {run.descriptors:,} | {took:,.0f} |", flush=True)


raise_limits()
print(f"{load()}\n\n| what | sessions | at once | peak MiB | descriptors | s |\n|---|---:|---:|---:|---:|---:|")
most = ["--jobs", str(SESSIONS), "--timeout", "60"]
measure(f"{SESSIONS:,} sessions at once, plain", "slow-clear", SESSIONS, SESSIONS, DELAY, most)
measure(f"{SESSIONS:,} sessions at once, inside TLS", "slow", SESSIONS, SESSIONS, DELAY, most)
measure(f"{TARGETS // 10:,} targets at 1,000 exchangers", "clear", TARGETS // 10, 1000, 0, ["--jobs", "200"])
measure(f"{TARGETS:,} targets at 1,000 exchangers", "clear", TARGETS, 1000, 0, ["--jobs", "200"])
