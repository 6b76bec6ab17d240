#!/usr/bin/env python3
"""Times a dialogue of 1,000 steps beside the same commands piped, in turns, over loopback.

usage: dialogue.py MCONNECT [ROUNDS]      after cargo build --release
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time

tool, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 31
commands = [f"NOOP {number}" for number in range(999)] + ["QUIT"]
steps = "".join(f"C: {command}\nS: {'221' if command == 'QUIT' else '250'} ok\n" for command in commands)

with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/dialogue", "w") as file:
        file.write(f"S: 220 ready\n{steps}S: *close*\n")
    with open(f"{folder}/piped", "w") as file:
        file.write("\n".join(commands) + "\n")

    def once(*options):
        served = [tool, "--serve", f"{folder}/dialogue", "--once"]
        server = subprocess.Popen(served, stdout=subprocess.PIPE)
        port = re.search(rb":(\d+)\n", server.stdout.readline()).group(1)
        with open(f"{folder}/piped") as piped:
            start = time.perf_counter()
            command = [tool, "--quiet", *options, "-p", port, "127.0.0.1"]
            subprocess.run(command, stdin=piped, stdout=subprocess.DEVNULL, check=True)
            took = time.perf_counter() - start
        assert server.wait() == 0
        return took

    pairs = [(once(), once("--play", f"{folder}/dialogue")) for _ in range(rounds)]

piped, played = (statistics.median(times) * 1000 for times in zip(*pairs))
ratio = statistics.median(played / piped for piped, played in pairs)
print(f"piped {piped:.1f} ms, played {played:.1f} ms, played over piped, in pairs: {ratio:.2f}")
