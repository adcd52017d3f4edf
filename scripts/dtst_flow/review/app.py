"""The server's answers; docs/reference tells nothing of them, as only the page asks."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from dtst_flow.cluster.label_file import LabelsRefused
from dtst_flow.review.actions import CannotBeDone
from dtst_flow.review.images import Images
from dtst_flow.review.pictures import NoPicture
from dtst_flow.review.security import Guard, refused
from dtst_flow.review.session import Session
from dtst_flow.review.shown import SHOWS, SORTS, Shown
from dtst_flow.utils.files import to_json

STATIC = Path(__file__).parent / "static"

SUFFIXES = (".css", ".html", ".js", ".svg")
"""Kinds of files in STATIC that are served."""

MOST = 2000
"""Most things in one answer."""

LOOK = 0.5
"""Seconds between two looks at files that may have changed."""

HEARTBEAT = 10.0
"""Seconds after which a page hears something, so that it knows of a server's end."""


class Wrong(Exception):
    """A request that cannot be answered.

    Args:
        status: The HTTP status.
        error: What is wrong, in a sentence.
        hint: What would help.
    """

    def __init__(self, status: int, error: str, hint: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.hint = status, error, hint


class Answers:
    """What is answered to each request.

    Args:
        session: What is reviewed.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.images = Images()

    def state(self, request: Request) -> Any:
        """What is reviewed, and how far it is."""
        view, decisions = self.session.snapshot()
        shown = Shown(view, decisions)
        return self.session.told() | {
            "dataset": Path.cwd().name,
            "bucket": self.session.bucket,
            "model": view.clustering.parameters.get("model"),
            "images": len(view.clustering.paths),
            "clusters": len(view.clustering.clusters),
            "noise": view.clustering.rejected - view.clustering.noise,
            "rejected": len(shown.rejected()),
            "names": shown.names(),
            "undo": self.session.journal.undos,
            "redo": self.session.journal.redos,
            "faults": [*self.session.faults, *filter(None, [view.fault])],
        }

    def clusters(self, request: Request) -> Any:
        """Clusters, some of them."""
        shown = self._shown()
        sort = _word(request, "sort", SORTS)
        show = _word(request, "show", SHOWS)
        places = shown.clusters(sort, show, request.query_params.get("q", ""))
        part = _part(request, 200)
        return {
            "total": len(places),
            "clusters": [shown.cluster(place) for place in places[part]],
        }

    def cluster(self, request: Request) -> Any:
        """A cluster and its members, some of them."""
        shown = self._shown()
        id_ = request.path_params["id"]
        place = shown.clustering.place(id_)
        if place is None:
            raise Wrong(
                404, f"there is no cluster {id_!r}", "a run may have changed it"
            )
        members = shown.members(place, _word(request, "order", ("best", "doubt")))
        return {
            "cluster": shown.cluster(place),
            "total": len(members),
            "members": shown.images(members[_part(request, 500)]),
        }

    def noise(self, request: Request) -> Any:
        """Images in noise, some of them."""
        shown = self._shown()
        sets, rest = shown.noise()
        part = _part(request, 500)
        return {
            "total": shown.clustering.rejected - shown.clustering.noise,
            "groups": [shown.images(s) for s in sets] if not part.start else [],
            "rest": shown.images(rest[part]),
        }

    def rejected(self, request: Request) -> Any:
        """Images that are not wanted, some of them."""
        shown = self._shown()
        numbers = shown.rejected()
        part = _part(request, 500)
        return {"total": len(numbers), "images": shown.images(numbers[part])}

    def image(self, request: Request) -> Any:
        """All that is known of an image."""
        view, decisions = self.session.snapshot()
        n = self._number(request)
        return self.images.facts_of(view, n) | {"decided": decisions.of_image(n)}

    def thumbnail(self, request: Request) -> Response:
        """A thumbnail."""
        side = _word(request, "side", ("128", "320"))
        view, n = self.session.view, self._number(request)
        return self._picture(self.images.thumbnail(view, n, int(side)), request)

    def crop(self, request: Request) -> Response:
        """An image, large."""
        view, n = self.session.view, self._number(request)
        return self._picture(self.images.crop(view, n), request)

    def photo(self, request: Request) -> Response:
        """The photo that an image is cut out of, large."""
        view, n = self.session.view, self._number(request)
        return self._picture(self.images.photo(view, n), request)

    def _shown(self) -> Shown:
        return Shown(*self.session.snapshot())

    def _number(self, request: Request) -> int:
        """The number in the path. Raises Wrong if none of this clustering has it."""
        n: int = request.path_params["n"]
        clustering = self.session.view.clustering
        asked = request.query_params.get("c", clustering.digest)
        if asked != clustering.digest or n >= len(clustering.paths):
            raise Wrong(404, f"there is no image {n}", "the clustering changed; reload")
        return n

    def _picture(self, webp: bytes, request: Request) -> Response:
        for_ever = "private, max-age=31536000, immutable"
        cache = for_ever if "c" in request.query_params else "no-store"
        return Response(webp, headers={"cache-control": cache}, media_type="image/webp")

    def act(self, request: Request, sent: Any) -> Any:
        """Do what the user decides."""
        return self.session.act(sent)

    def undo(self, request: Request, sent: Any) -> Any:
        """Undo what was done last."""
        return self.session.undo(again=False)

    def redo(self, request: Request, sent: Any) -> Any:
        """Do again what was undone last."""
        return self.session.undo(again=True)

    async def events(self, request: Request) -> Response:
        """What changes, as it changes."""
        stream = changes(self.session.told)
        return StreamingResponse(stream, media_type="text/event-stream")


async def changes(told: Callable[[], dict[str, Any]]) -> AsyncIterator[bytes]:
    """Yield server-sent events: all at first, then what changes."""
    known: dict[str, Any] = {}
    quiet = 0.0
    while True:
        now = told()
        if new := {key: v for key, v in now.items() if known.get(key, ...) != v}:
            yield b"data: " + to_json(new) + b"\n\n"
            known, quiet = now, 0.0
        elif quiet >= HEARTBEAT:
            yield b": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(LOOK / 2)
        quiet += LOOK / 2


def application(session: Session, token: str, port: int) -> ASGIApp:
    """The whole server.

    Args:
        session: What is reviewed.
        token: The secret that the page must have.
        port: Where it listens.
    """
    answers = Answers(session)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        watcher = asyncio.create_task(_watch(session))
        yield
        watcher.cancel()
        await run_in_threadpool(answers.images.close)

    gets: dict[str, Callable[[Request], Any]] = {
        "/api/state": answers.state,
        "/api/clusters": answers.clusters,
        "/api/clusters/{id}": answers.cluster,
        "/api/noise": answers.noise,
        "/api/rejected": answers.rejected,
        "/api/image/{n:int}": answers.image,
        "/thumb/{n:int}": answers.thumbnail,
        "/image/{n:int}": answers.crop,
        "/photo/{n:int}": answers.photo,
    }
    routes = [Route(path, _answering(call)) for path, call in gets.items()]
    posts = {
        "/api/act": answers.act,
        "/api/undo": answers.undo,
        "/api/redo": answers.redo,
    }
    routes += [
        Route(path, _doing(call), methods=["POST"]) for path, call in posts.items()
    ]
    routes += [Route("/api/events", answers.events)]
    routes += [Route("/", _file("index.html"))]
    names = [path.name for path in STATIC.iterdir() if path.suffix in SUFFIXES]
    routes += [Route(f"/static/{name}", _file(name)) for name in names]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            Wrong: _wrong,
            CannotBeDone: lambda request, error: refused(409, str(error)),
            LabelsRefused: lambda request, error: refused(409, str(error)),
            NoPicture: lambda request, error: refused(404, str(error)),
            HTTPException: _no_such,
        },
    )
    return Guard(app, token, port)


async def _watch(session: Session) -> None:
    """Look at the files that others may change."""
    while True:
        await asyncio.sleep(LOOK)
        await run_in_threadpool(session.look)


def _answering(call: Callable[[Request], Any]) -> Callable[[Request], Response]:
    """An endpoint that runs in a thread, and answers with JSON if not otherwise."""

    def endpoint(request: Request) -> Response:
        value = call(request)
        if isinstance(value, Response):
            return value
        return Response(to_json(value), media_type="application/json")

    return endpoint


def _doing(
    call: Callable[[Request, Any], Any],
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that takes a JSON object."""

    async def endpoint(request: Request) -> Response:
        try:
            sent = json.loads(await request.body())
            if not isinstance(sent, dict):
                raise ValueError("a JSON object is to be sent")
            value = await run_in_threadpool(call, request, sent)
        except (RecursionError, ValueError) as error:
            raise Wrong(400, str(error)) from error
        return Response(to_json(value), media_type="application/json")

    return endpoint


def _file(name: str) -> Callable[[Request], Response]:
    headers = {"cache-control": "no-cache"}
    return lambda request: FileResponse(STATIC / name, headers=headers)


def _wrong(request: Request, error: Exception) -> Response:
    assert isinstance(error, Wrong)
    return refused(error.status, error.error, error.hint)


def _no_such(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refused(error.status_code, f"{request.url.path}: {error.detail}")


def _word(request: Request, name: str, words: tuple[str, ...]) -> str:
    """A parameter that is one of some words, the first of them where it is not given."""
    word = request.query_params.get(name, words[0])
    if word not in words:
        raise Wrong(400, f"{name} is one of {', '.join(words)}")
    return word


def _part(request: Request, limit: int) -> slice:
    """Which of many things are asked for."""
    values = []
    for name, default in (("offset", 0), ("limit", limit)):
        text = request.query_params.get(name, str(default))
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise Wrong(400, f"{name} is a whole number from 0 on")
        values.append(int(text))
    offset, asked = values
    return slice(offset, offset + min(asked, MOST))
