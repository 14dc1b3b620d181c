"""A gateway between two servers that fails in every way that gateways fail, and remembers what passed through it.

A request goes one of these ways, as the proxy's `fault` says:

    None        forwarded and answered
    Refuse(n)   answered with status n and not forwarded
    Drop        not forwarded, the connection ends
    Cut         forwarded, the answer is thrown away, the connection ends
    Half        forwarded, the connection ends in the middle of the answer
    Mask(n)     forwarded, answered with status n whatever came back
    Delay(s)    forwarded after s seconds
    Hang(s)     not forwarded, the connection ends after s seconds
    Instead(…)  not forwarded, answered with something else
    Late(s)     the connection ends at once, and s seconds later the request is forwarded all the same
"""

import http.client
import json
import random
import socket
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}


@dataclass(frozen=True)
class Refuse:
    status: int


@dataclass(frozen=True)
class Drop:
    pass


@dataclass(frozen=True)
class Cut:
    pass


@dataclass(frozen=True)
class Half:
    pass


@dataclass(frozen=True)
class Mask:
    status: int


@dataclass(frozen=True)
class Delay:
    seconds: float


@dataclass(frozen=True)
class Hang:
    seconds: float


@dataclass(frozen=True)
class Instead:
    status: int
    headers: dict
    body: bytes


@dataclass(frozen=True)
class Late:
    seconds: float


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes
    fault: object = None
    # What the server behind answered; None while or when it was not asked.
    status: int | None = None
    at: float = field(default_factory=time.monotonic)

    @property
    def commits(self) -> bool:
        return self.method == "POST" and "/tables/" in self.path and not self.path.endswith(("/metrics", "/plan"))

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")

    @property
    def snapshot_id(self) -> int | None:
        """The snapshot that a commit adds."""
        added = [u["snapshot"] for u in json.loads(self.body)["updates"] if u["action"] == "add-snapshot"]
        return added[0]["snapshot-id"] if added else None


class Proxy:
    """Serves on a free port of the loopback interface until it is closed; `target` is asked for anew each time."""

    def __init__(self, target, fault=lambda request: None, *, strip: tuple[str, ...] = (), certificate=None):
        """`target` has a `url`. `fault` says what is to happen to a request. Headers in `strip` are not passed on. With
        a `certificate`, a PEM file that holds its key too, it speaks TLS."""
        self.target = target
        self.fault = fault
        self.strip = HOP_BY_HOP | set(strip)
        self.requests: list[Request] = []
        self.faults: Counter[str] = Counter()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments):
                pass

            def handle_any(self):
                outer.handle(self)

            do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = handle_any

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_arguments):
                pass  # A client that was killed in the middle.

        self.server = Listener(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if certificate is not None:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def commits(self) -> list[Request]:
        with self._lock:
            return [request for request in self.requests if request.commits]

    def handle(self, handler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = read_body(handler, headers)
        if body is None:
            return hang_up(handler)
        request = Request(handler.command, handler.path, headers, body)
        request.fault = self.fault(request)
        with self._lock:
            self.requests.append(request)
            if request.fault is not None:
                self.faults[type(request.fault).__name__] += 1
        match request.fault:
            case None:
                self.answer(handler, *self.forward(request))
            case Refuse(status):
                self.answer(handler, status, {"Content-Type": "application/json"}, problem(status))
            case Instead(status, answered, body):
                self.answer(handler, status, answered, body)
            case Drop():
                hang_up(handler)
            case Cut():
                self.forward(request)
                hang_up(handler)
            case Half():
                status, answered, body = self.forward(request)
                self.answer(handler, status, answered, body, part=len(body) // 2)
                hang_up(handler)
            case Mask(status):
                self.forward(request)
                self.answer(handler, status, {"Content-Type": "text/html"}, b"<html>bad gateway</html>")
            case Delay(seconds):
                time.sleep(seconds)
                self.answer(handler, *self.forward(request))
            case Hang(seconds):
                time.sleep(seconds)
                hang_up(handler)
            case Late(seconds):
                threading.Timer(seconds, self.forward, (request,)).start()
                hang_up(handler)

    def forward(self, request: Request) -> tuple[int, dict, bytes]:
        """Asks the server behind; a gateway without one says 502."""
        target = urlsplit(self.target.url)
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        sent = {name: value for name, value in request.headers.items() if name not in self.strip}
        try:
            connection.request(request.method, request.path, body=request.body or None, headers=sent)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return 502, {"Content-Type": "application/json"}, problem(502)
        finally:
            connection.close()
        request.status = answer.status
        return answer.status, {n: v for n, v in answer.getheaders() if n.lower() not in HOP_BY_HOP}, body

    def answer(self, handler, status: int, headers: dict, body: bytes, part: int | None = None) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status == 429:
            handler.send_header("Retry-After", "0")
        if status not in (204, 304):
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD" and status not in (204, 304):
            handler.wfile.write(body[:part])

    def check_intents(self) -> None:
        """A key, or a snapshot where the catalog knows no keys, stands for one request, however often it is sent."""
        bodies: dict[object, set] = {}
        for request in self.commits:
            name = request.key or request.snapshot_id
            if name is not None:
                bodies.setdefault(name, set()).add(request.body)
        assert bodies, "nothing was committed"
        changed = [name for name, found in bodies.items() if len(found) > 1]
        assert not changed, f"the same commit as different requests: {changed[:3]}"


class Dice:
    """Faults by chance, from a seed; `share` of the requests that `hits` chooses meet one of `faults`."""

    def __init__(self, seed: int, share: float, faults: list, hits=lambda request: True):
        self.random = random.Random(seed)
        self.share = share
        self.faults = faults
        self.hits = hits
        self.lock = threading.Lock()

    def __call__(self, request: Request):
        with self.lock:
            if self.hits(request) and self.random.random() < self.share:
                return self.random.choice(self.faults)
        return None


class Script:
    """The next requests that `hits` chooses meet these faults, in order; all others pass."""

    def __init__(self, *faults, hits=lambda request: request.commits):
        self.faults = list(faults)
        self.hits = hits
        self.lock = threading.Lock()

    def __call__(self, request: Request):
        with self.lock:
            return self.faults.pop(0) if self.faults and self.hits(request) else None


def read_body(handler, headers: dict) -> bytes | None:
    """None when the client was killed in the middle of it."""
    assert "transfer-encoding" not in headers, "nobody here sends chunks"
    length = int(headers.get("content-length") or 0)
    body = handler.rfile.read(length)
    return body if len(body) == length else None


def hang_up(handler) -> None:
    handler.close_connection = True
    try:
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def problem(status: int) -> bytes:
    error = {"message": "the gateway says no", "type": "GatewayException", "code": status}
    return json.dumps({"error": error}).encode()
