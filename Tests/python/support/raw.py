"""HTTP over a bare socket, for requests that a polite client library refuses to make."""

import http.client
import json
import socket
import threading

from support.client import Answer


def request_head(method: str, target: str, headers: dict) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"] + [f"{k}: {v}" for k, v in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def exchange(port: int, head: bytes, body=(), timeout: float = 30) -> Answer:
    """Sends the head and then each piece of the body, and reads one answer.

    The answer may come before the body is through: a server that refuses a body by its length need not read it.
    """
    connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)

    def send():
        try:
            connection.sendall(head)
            for piece in body:
                connection.sendall(piece)
        except OSError:
            pass  # The server closed; its answer is what counts.

    sender = threading.Thread(target=send)
    sender.start()
    try:
        response = http.client.HTTPResponse(connection)
        response.begin()
        text = response.read().decode("utf-8", "replace")
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, text)
    finally:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()
        sender.join()


def post(port: int, target: str, body: bytes, headers: dict | None = None, timeout: float = 30) -> Answer:
    headers = {"Content-Type": "application/x-ndjson", "Content-Length": str(len(body))} | (headers or {})
    return exchange(port, request_head("POST", target, headers), [body], timeout)


def post_chunked(port: int, target: str, pieces, headers: dict | None = None, timeout: float = 60) -> Answer:
    headers = {"Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"} | (headers or {})

    def chunks():
        for piece in pieces:
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"

    return exchange(port, request_head("POST", target, headers), chunks(), timeout)


def get_json(port: int, target: str):
    return json.loads(exchange(port, request_head("GET", target, {})).text)
