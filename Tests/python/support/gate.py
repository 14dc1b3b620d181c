"""A proxy that lets in only who has a token, and gives tokens to who has a credential (OAuth2 client credentials)."""

import base64
import itertools
import json
import time
from urllib.parse import parse_qs

from support.proxy import Proxy, Request

TOKEN_PATHS = ("/oauth/tokens", "/token")


class Gate(Proxy):
    """`lifetime_s` is how long tokens live that it gives."""

    def __init__(self, target, *, tokens=(), credential: str | None = None, lifetime_s: float = 3600):
        super().__init__(target)
        self.tokens = dict.fromkeys(tokens, float("inf"))
        self.credential = credential
        # Demanded when it is set.
        self.scope: str | None = None
        self.lifetime_s = lifetime_s
        self.granted = 0
        self.forbidden = False
        self.turned_away = 0
        self._numbers = itertools.count(1)

    def revoke_all(self) -> None:
        self.tokens.clear()

    def admits(self, request: Request) -> bool:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.tokens.get(token, 0) > time.monotonic()

    def forward(self, request: Request):
        if request.method == "POST" and request.path.endswith(TOKEN_PATHS):
            return self.grant(request)
        if not self.admits(request):
            self.turned_away += 1
            return refusal(401, "NotAuthorizedException", {"WWW-Authenticate": "Bearer"})
        if self.forbidden:
            self.turned_away += 1
            return refusal(403, "ForbiddenException", {})
        return super().forward(request)

    def grant(self, request: Request):
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        given = f"{form.get('client_id')}:{form.get('client_secret')}"
        if request.headers.get("authorization", "").startswith("Basic "):
            given = base64.b64decode(request.headers["authorization"][6:]).decode()
        right = form.get("grant_type") == "client_credentials" and given == self.credential
        if not right or (self.scope is not None and form.get("scope") != self.scope):
            self.turned_away += 1
            return 401, {"Content-Type": "application/json"}, b'{"error": "invalid_client"}'
        token = f"granted-{next(self._numbers)}-{given.partition(':')[0]}"
        self.tokens[token] = time.monotonic() + self.lifetime_s
        self.granted += 1
        body = {"access_token": token, "token_type": "bearer", "expires_in": max(1, int(self.lifetime_s))}
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def refusal(status: int, kind: str, headers: dict):
    body = {"error": {"message": "not you", "type": kind, "code": status}}
    return status, {"Content-Type": "application/json"} | headers, json.dumps(body).encode()
