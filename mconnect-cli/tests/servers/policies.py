#!/usr/bin/env python3
"""A web server with Python's ssl (OpenSSL) for policies of MTA-STS: policies.py ADDRESS CHAIN KEY FOLDER. At port 443 of
the address it has https://HOST/.well-known/mta-sts.txt, which is FOLDER/HOST, if that is there. It writes a line when it
listens, and serves until its standard input ends."""
import http.server, os, ssl, sys, threading

address, chain, key, folder = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)


class Policies(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        path = os.path.join(folder, os.path.basename(self.headers.get("Host", "")))
        is_there = self.path == "/.well-known/mta-sts.txt" and os.path.isfile(path)
        text = open(path, "rb").read() if is_there else b"not here\n"
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client_address):
        request.settimeout(30)
        super().finish_request(context.wrap_socket(request, server_side=True), client_address)

    def handle_error(self, *_):
        pass


server = Server((address, 443), Policies)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
