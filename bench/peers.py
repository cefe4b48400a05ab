"""What bench/cluster is measured beside: Debian's HAProxy as a gateway that checks tokens, and pgbench with an order's statements."""
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

SECRET = "a secret of thirty-two characters"
ANSWER = '{"id":"01932f4e-7b1c-7d2a-9c55-3f1f6a0b7c11","email":"user1@example.com","name":"User","role":"user"}'
# The fixed part of a public key on P-256 in DER; x and y follow.
P256_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")

FRONT = """global
    nbthread 1
    maxconn 8192
    log /dev/null local0
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    option forwardfor
    http-reuse always
frontend gateway
    bind 127.0.0.1:{port}
    unique-id-format %[uuid()]
    unique-id-header X-Request-Id
    stick-table type ip size 100k expire 10s store http_req_rate(1s)
    http-request track-sc0 src
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 1000000 }}
    http-request set-var(txn.token) http_auth_bearer
    http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
    http-request set-var(txn.iss) var(txn.token),jwt_payload_query('$.iss')
    http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
    http-request set-var(txn.sub) var(txn.token),jwt_payload_query('$.sub')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str {alg} }}
    http-request deny deny_status 401 unless {{ var(txn.iss) -m str {issuer} }}
    http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify(txn.alg,"{key}") 1 }}
    http-request set-header X-User-Id %[var(txn.sub)]
    http-response set-header X-Content-Type-Options nosniff
    http-response set-header Cache-Control no-store
    default_backend users
backend users
    server one 127.0.0.1:{back}
"""
BACK = """worker_processes 1; daemon off; pid {folder}/back.pid; error_log /dev/null; events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 10000000; server {{ listen 127.0.0.1:{back}; location / {{ default_type application/json;
return 200 '{answer}'; }} }} }}
"""


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def padded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def resigned(token):
    """The same claims under HS256."""
    said = unpadded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + "." + token.split(".")[1]
    return said + "." + unpadded(hmac.new(SECRET.encode(), said.encode(), hashlib.sha256).digest())


def public_key(jwk):
    text = base64.b64encode(P256_PREFIX + padded(jwk["x"]) + padded(jwk["y"])).decode()
    return "-----BEGIN PUBLIC KEY-----\n%s\n%s\n-----END PUBLIC KEY-----\n" % (text[:64], text[64:])


class HAProxy:
    """One thread of it, before an nginx that returns a constant. It checks what our gateway checks, and counts by address."""

    def __init__(self, run, alg, key, issuer):
        self.folder, self.port, back = tempfile.mkdtemp(prefix="purser-haproxy-"), run.free_port(), run.free_port()
        if alg == "ES256":
            key = self.write("key.pem", key)
        front = self.write("front.cfg", FRONT.format(port=self.port, back=back, alg=alg, issuer=issuer, key=key))
        conf = self.write("back.conf", BACK.format(folder=self.folder, back=back, answer=ANSWER))
        self.back = subprocess.Popen(["nginx", "-c", conf, "-p", self.folder], stderr=subprocess.DEVNULL)
        self.front = subprocess.Popen(["haproxy", "-db", "-f", front], stderr=subprocess.DEVNULL)
        try:
            self.wait()
        except SystemExit:
            self.remove()
            raise

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def wait(self):
        for _ in range(200):
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
        raise SystemExit("bench: haproxy does not answer")

    def pids(self):
        return [self.front.pid]

    def remove(self):
        for process in (self.front, self.back):
            process.terminate()
            process.wait(10)
        shutil.rmtree(self.folder)


def have(*programs):
    return all(shutil.which(program) for program in programs)


def pgbench(port, folder, users, clients, seconds):
    """Orders a second that pgbench reaches with an order's statements on the cluster's own tables; 0 where it can't be run."""
    source = os.path.join(os.path.dirname(os.path.realpath(__file__)), "order.sql")
    bins = sorted(os.listdir("/usr/lib/postgresql"), key=int) if os.path.isdir("/usr/lib/postgresql") else []
    program = "/usr/lib/postgresql/%s/bin/pgbench" % bins[-1] if bins else ""
    if not os.access(program, os.X_OK):
        return 0
    script = os.path.join(folder, "order.sql")
    shutil.copyfile(source, script)
    os.chmod(script, 0o644)
    command = [program, "-n", "-M", "prepared", "-h", os.path.join(folder, "engines", "postgres"), "-p", str(port), "-U", "postgres",
               "-c", str(clients), "-j", "1", "-T", str(seconds), "-D", "n=0", "-D", "users=%d" % users, "-f", script, "purser"]
    if os.geteuid() == 0:  # who may use the socket
        command = ["setpriv", "--reuid", "postgres", "--clear-groups", "--"] + command
    done = subprocess.run(command, cwd="/", capture_output=True, text=True)
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.M)
    if done.returncode or not found:
        raise SystemExit("bench: pgbench: " + done.stderr)
    return float(found.group(1))
