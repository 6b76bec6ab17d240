#!/usr/bin/env python3
"""The server of the measurements of bulk inside TLS, on 127.0.0.1, with TLS from the first byte on.

    tls_sink.py CERT KEY [FILE]

Greets, agrees to everything, counts the octets of a DATA body and says how many; closes on QUIT. With a FILE, it sends
that instead, and closes. It prints its port on one line, and serves one connection after another until it is killed."""
import re
import socket
import ssl
import sys

REPLIES = {b"EHLO": b"250-sink.example\r\n250 SIZE 0\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 2.0.0 bye\r\n"}
END = b"\r\n.\r\n"
block = bytearray(256 * 1024)


def body(client, have):
    """Counts a body, of which something may have come with DATA, and returns its length and what came behind it."""
    octets, tail = -2, b"\r\n"  # the CRLF of DATA is the one before the dot of an empty body
    while True:
        seen = tail + have
        end = seen.find(END)
        if end >= 0:
            return octets + end + 2, seen[end + len(END):]
        tail = seen[-4:]
        octets += len(seen) - len(tail)
        have = bytes(memoryview(block)[: client.recv_into(block)])
        if not have:
            return octets, b""


def smtp(client):
    client.sendall(b"220 sink.example ESMTP\r\n")
    have = b""
    while True:
        while not (line := re.match(rb"[^\n]*\n", have)):
            if not (more := client.recv(4096)):
                return
            have += more
        have = have[line.end():]
        verb = line[0][:4].upper()
        client.sendall(REPLIES.get(verb, b"250 2.0.0 ok\r\n"))
        if verb == b"QUIT":
            return
        if verb == b"DATA":
            octets, have = body(client, have)
            client.sendall(b"250 2.0.0 %d octets\r\n" % octets)


def source(client):
    with open(sys.argv[3], "rb") as file:
        while count := file.readinto(block):
            client.sendall(memoryview(block)[:count])


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:3])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    try:
        client = context.wrap_socket(client, server_side=True)
        (source if len(sys.argv) > 3 else smtp)(client)
        client.unwrap()
    except OSError:
        pass  # the client knows
    client.close()
