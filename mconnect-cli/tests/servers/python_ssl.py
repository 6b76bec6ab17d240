#!/usr/bin/env python3
"""python_ssl.py VERSION CERT KEY: an SMTP server with Python's ssl (OpenSSL), with TLS 1.2 or 1.3 only. It writes two
ports on 127.0.0.1, a line each: one offers STARTTLS, the other is inside TLS from the first byte on. It serves until its
standard input ends."""
import os, socket, ssl, sys, threading

version, cert, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]


def serve(client, tls_first):
    try:
        talk(client, tls_first)
    except ssl.SSLError:
        pass  # a client that wants another version


def talk(client, tls_first):
    if tls_first:
        client = context.wrap_socket(client, server_side=True)
    lines = client.makefile("rb")
    client.sendall(b"220 python\r\n")
    while line := lines.readline():
        verb = line.strip().upper()
        if verb == b"STARTTLS":
            client.sendall(b"220 go\r\n")
            client = context.wrap_socket(client, server_side=True)
            lines = client.makefile("rb")
        elif verb == b"QUIT":
            client.sendall(b"221 bye\r\n")
            if isinstance(client, ssl.SSLSocket):
                client.unwrap()
            return
        else:
            client.sendall(b"250-%s\r\n250 STARTTLS\r\n" % getattr(client, "version", lambda: "plain")().encode())


def accept(listener, tls_first):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], tls_first), daemon=True).start()


for tls_first in False, True:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(listener, tls_first), daemon=True).start()
sys.stdin.read()
os._exit(0)
