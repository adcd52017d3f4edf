"""Who may speak to the server: the user's browser on this machine, and nobody else.

The address holds a token, which the first request changes into a cookie. Host and Origin
must be the server's own, so that neither a page elsewhere nor a name that leads here
(DNS rebinding) can use that cookie.
"""

from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dtst_flow.utils.files import to_json

BODY = 1 << 20
"""Most bytes of a request's body."""

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No script or style but the page's own files; and no text can become HTML."""

HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """Lets through what the user's browser asks for.

    Args:
        app: What answers.
        token: The secret of this server.
        port: Where it listens, on loopback.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app = app
        self.token = token
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self.cookie = f"dtst-review-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            refusal, receive = await _bounded(scope, receive)
        await (refusal or self.app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered instead, None where the request may pass."""
        headers = Headers(scope=scope)
        posts = scope["method"] not in ("GET", "HEAD")
        host, origin = headers.get("host"), headers.get("origin")
        if host not in self.hosts:
            return _refused("this address is not the server's own")
        if (origin is not None or posts) and origin != f"http://{host}":
            return _refused("only the server's own page may ask for this")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if posts and kind != "application/json":
            return _refused("what is sent must be application/json")
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["path"] == "/" and "token" in query:
            if not self._is_token(query["token"][0]):
                return _refused(*_NO_TOKEN)
            answer = RedirectResponse("/", status_code=303)
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
            return answer
        if not self._is_token(_cookie(headers.get("cookie", ""), self.cookie)):
            return _refused(*_NO_TOKEN)
        return None

    def _is_token(self, text: str) -> bool:
        return compare_digest(text.encode("utf-8", "replace"), self.token.encode())


_NO_TOKEN = (
    "this server answers only who has its token",
    "open the address that dtst review printed",
)


def refused(status: int, error: str, hint: str = "") -> Response:
    """Answer with a sentence what was wrong, and another one what would help."""
    content = {"error": error} | ({"hint": hint} if hint else {})
    # As ASCII, for names that are not UTF-8.
    return Response(to_json(content), status, media_type="application/json")


def _refused(error: str, hint: str = "") -> Response:
    return refused(403, error, hint)


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def _bounded(scope: Scope, receive: Receive) -> tuple[Response | None, Receive]:
    """Read the body of a request, if it has one; a refusal where it is too large."""
    if scope["method"] in ("GET", "HEAD"):
        return None, receive
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY:
            return refused(413, f"more than {BODY} bytes were sent at once"), receive
    whole: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def again() -> Message:
        nonlocal whole
        message, whole = whole, None
        return message or await receive()

    return None, again
