"""Many targets at the farm, all kinds of servers, killed once and resumed: all accounted for, memory and descriptors flat.

usage: endurance.py MCONNECT FARM FOLDER TARGETS
"""

import collections
import json
import os
import signal
import sys

from farm import KINDS, Farm, Run, load, raise_limits

MCONNECT, FARM, FOLDER, TARGETS = *sys.argv[1:4], int(sys.argv[4])
JOBS, PATIENCE = 500, 2
# Each exchanger is met many times: what is known of it is there after the first time.
EXCHANGERS = max(5, TARGETS // len(KINDS) // 10)


def lines(path):
    with open(path, "rb") as file:
        return file.read().count(b"\n")


def flat(samples, what, room):
    """Once each exchanger has been met, and nobody is waited for who hangs, nothing grows."""
    begin, end = samples[0][4], samples[-1][4]
    late = [sample[what] for sample in samples if sample[4] > begin + (end - begin) / 2]
    half = len(late) // 2
    if half < 4:
        return "too short to tell"
    first, last = max(late[:half]), max(late[half:])
    if last > first * 1.1 + room:
        sys.exit(f"it grows: {first:.1f} at most in the third quarter, {last:.1f} in the last")
    return f"{first:.1f} at most in the third quarter, {last:.1f} in the last"


def main():
    raise_limits()
    kinds = list(KINDS)
    expected = {f"d{n // len(kinds)}.{kinds[n % len(kinds)]}.test": KINDS[kinds[n % len(kinds)]] for n in range(TARGETS)}
    targets, output = os.path.join(FOLDER, "targets"), os.path.join(FOLDER, "reports.jsonl")
    with open(targets, "w") as file:
        file.writelines(f"{name}\n" for name in expected)
    options = ["--resume", output, "--jobs", str(JOBS), "--per-address", "5", "--timeout", str(PATIENCE)]
    print(f"{TARGETS:,} targets, {EXCHANGERS:,} exchangers of each of {len(kinds)} kinds; {load()}")
    open(output, "w").close()
    with Farm(FARM, EXCHANGERS, 300, FOLDER) as farm:
        first = Run(MCONNECT, farm, targets, options, output)
        if first.watch(lambda: lines(output) > TARGETS // 3):
            sys.exit(f"it ended by itself, with {lines(output)} lines")
        first.end(signal.SIGKILL)
        before = lines(output)
        print(f"killed after {first.samples[-1][0]:.1f} s, with {before:,} lines")
        second = Run(MCONNECT, farm, targets, options, output)
        second.watch()
        if second.process.returncode != 0:
            sys.exit(f"status {second.process.returncode}")
        took, tally = second.samples[-1][0], farm.tally()
    told, wrong = collections.Counter(), []
    with open(output) as file:
        for line in file:
            report = json.loads(line)
            told[report["input"]] += 1
            findings = report["report"]["findings"]
            if expected.get(report["input"]) not in [finding["code"] for finding in findings]:
                wrong.append((report["input"], [(finding["code"], finding["evidence"]) for finding in findings]))
    lost, doubled = [name for name in expected if not told[name]], [name for name, count in told.items() if count > 1]
    print(f"resumed: the other {TARGETS - before:,} in {took:.1f} s, {(TARGETS - before) / took:,.0f} a second")
    print(f"lost {len(lost)}, doubled {len(doubled)}, with another finding than expected {len(wrong)} {wrong[:3]}")
    print(f"sessions {tally['sessions']:,}, open at once {tally['most']:,} at most, at one address {tally['at-one']}")
    print(f"peak {second.peak:.1f} MiB, {second.descriptors} descriptors at most")
    print(f"memory, MiB: {flat(second.samples, 1, 2)}\ndescriptors: {flat(second.samples, 3, 50)}")
    if lost or doubled or wrong or tally["at-one"] > 5:
        sys.exit("not all is well")


main()
