"""How much memory the tool takes at most, whatever is said to it: a Markdown table for docs/robustness.md.

usage: memory.py MCONNECT METER, which is meter.c, compiled: a process that Python starts begins with the memory of Python.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading

MCONNECT, METER = sys.argv[1:]
OCTETS = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 01234567\r\n"


def serve(act):
    """Plays the server to one client, and returns its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        client, _ = listener.accept()
        with client, listener:
            try:
                act(client)
            except OSError:
                pass
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


def read_line(client):
    line = b""
    while not line.endswith(b"\n"):
        octets = client.recv(4096)
        if not octets:
            break
        line += octets


def ehlo(client):
    client.sendall(b"220 hi\r\n")
    for _ in range(2):
        read_line(client)
        client.sendall((b"250-" + b"x" * 60_000 + b"\r\n") * 999 + b"250 SIZE\r\n")
    read_line(client)
    client.sendall(b"221 bye\r\n")


def replies(client):
    threading.Thread(target=lambda: [None for _ in iter(lambda: client.recv(65536), b"")], daemon=True).start()
    client.sendall(b"220 hi\r\n")
    for _ in range(2000):
        client.sendall(b"250 2.0.0 nothing done\r\n" * 1000)
    client.sendall(b"221 bye\r\n")


def octets(client):
    client.sendall(b"220 hi\r\n")
    for _ in range(100):
        client.sendall(OCTETS * 16384)
    client.recv(1)


def body(client):
    client.sendall(b"220 hi\r\n" + (b"250-" + b"x" * 400 + b"\r\n") * 9999 + b"250 end\r\n")
    client.recv(1)


def peak(args, text, act):
    """Runs the tool against such a server, and returns its peak in MiB and its status."""
    command = [MCONNECT, "--quiet", "-p", str(serve(act)), *args, "127.0.0.1"]
    with tempfile.NamedTemporaryFile() as source:
        source.write(text)
        source.flush()
        run = subprocess.run(["sh", "-c", 'exec "$@" 3>&2 2>/dev/null >/dev/null', "sh", METER, source.name, *command],
                             stderr=subprocess.PIPE, check=True)
    _, _, kibioctets, status = run.stderr.split()
    return int(kibioctets) / 1024, int(status)


def main():
    with tempfile.TemporaryDirectory() as folder:
        record = os.path.join(folder, "record")
        rows = [
            ("a session", [], b"QUIT\n", lambda c: (c.sendall(b"220 hi\r\n"), read_line(c), c.sendall(b"221 bye\r\n"))),
            ("two replies to EHLO of 57 MiB each", [], b"EHLO x\nEHLO x\nQUIT\n", ehlo),
            ("two million replies, recorded", ["--no-wait", "--record", record], b"NOOP\n" * 2_000_000 + b"QUIT\n", replies),
            ("`S: *octets 104857600*`", ["--play", "-"], b"S: 220\nS: *octets 104857600*\nC: *close*\n", octets),
            ("a reply of 10,000 lines, played", ["--play", "-"], b"S: 220\nS: 250\nC: *close*\n", body),
        ]
        print("| what | peak MiB | status |\n|---|---:|---:|")
        for name, args, text, act in rows:
            mebioctets, status = peak(args, text, act)
            print(f"| {name} | {mebioctets:.1f} | {status} |", flush=True)


main()
