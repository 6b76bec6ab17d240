#!/usr/bin/env python3
"""An SMTP server with Python's ssl (OpenSSL), with one version of TLS only. It writes two ports on 127.0.0.1, a line each:
one offers STARTTLS, the other is inside TLS from the first byte on. It serves until its standard input ends."""
import argparse, os, socket, ssl, sys, threading

parser = argparse.ArgumentParser()
parser.add_argument("version")
parser.add_argument("cert")
parser.add_argument("key")
parser.add_argument("--ciphers", default="ALL:@SECLEVEL=0")
parser.add_argument("--curve")
parser.add_argument("--clients", help="the authority of the clients, who must have a certificate")
options = parser.parse_args()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.set_ciphers(options.ciphers)
context.load_cert_chain(options.cert, options.key)
context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv" + options.version.replace(".", "_")]
if options.curve:
    context.set_ecdh_curve(options.curve)
if options.clients:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(options.clients)


def serve(client, tls_first):
    try:
        converse(client, tls_first)
    except OSError:
        # Clients break off, and shake hands in vain; the tests look at what they say of it.
        client.close()


def is_inside_tls(client):
    return isinstance(client, ssl.SSLSocket) and client.version() is not None


def converse(client, tls_first):
    if tls_first:
        client = context.wrap_socket(client, server_side=True)
    lines = client.makefile("rb")
    client.sendall(b"220 python\r\n")
    while True:
        line = lines.readline()
        if not line:
            if not is_inside_tls(client):
                return
            # The client has ended TLS, or all of it: OpenSSL answers.
            client = client.unwrap()
            lines = client.makefile("rb")
            continue
        verb = line.strip().upper()
        if verb == b"STARTTLS":
            client.sendall(b"220 go\r\n")
            client = context.wrap_socket(client, server_side=True)
            lines = client.makefile("rb")
        elif verb == b"QUIT":
            client.sendall(b"221 bye\r\n")
            if is_inside_tls(client):
                client.unwrap()
            return
        elif verb == b"END":
            # It says that TLS ends, and does not go on before the client has said so, too.
            client.sendall(b"250 ending\r\n")
            client = client.unwrap()
            lines = client.makefile("rb")
            client.sendall(b"250 outside\r\n")
        elif verb == b"LEAVE":
            client.sendall(b"250 leaving\r\n")
            client.shutdown(socket.SHUT_RDWR)
            return
        else:
            version = client.version() if is_inside_tls(client) else "plain"
            client.sendall(b"250-%s\r\n250 STARTTLS\r\n" % version.encode())


def accept(listener, tls_first):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], tls_first), daemon=True).start()


for tls_first in False, True:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(listener, tls_first), daemon=True).start()
sys.stdin.read()
os._exit(0)
