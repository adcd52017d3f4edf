"""The server's addresses, and how they are answered."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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
from dtst_flow.review.answers import Answers, Wrong
from dtst_flow.review.pictures import NoPicture
from dtst_flow.review.security import Guard, refused
from dtst_flow.review.session import Session
from dtst_flow.utils.files import to_json

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"

SUFFIXES = (".css", ".html", ".js", ".svg")
"""Kinds of files in STATIC that are served."""

LOOK = 0.5
"""Seconds between two looks at files that may have changed."""

BROKEN = ("the server failed at this", "the terminal that it runs in has the reason")

HEARTBEAT = 10.0
"""Seconds after which a page hears something, so that it knows of a server's end."""


async def changes(session: Session) -> AsyncIterator[bytes]:
    """Yield server-sent events: all at first, then what changes."""
    known: dict[str, Any] = {}
    quiet = 0.0
    while not session.ending:
        now = session.told()
        if new := {key: v for key, v in now.items() if known.get(key, ...) != v}:
            yield b"data: " + to_json(new) + b"\n\n"
            known, quiet = now, 0.0
        elif quiet >= HEARTBEAT:
            yield b": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(LOOK / 2)
        quiet += LOOK / 2


def _telling(session: Session) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that tells what changes, as it changes."""

    async def endpoint(request: Request) -> Response:
        stream = changes(session)
        return StreamingResponse(stream, media_type="text/event-stream")

    return endpoint


def application(session: Session, token: str, port: int) -> ASGIApp:
    """The whole server.

    Args:
        session: What is reviewed.
        token: The secret that the page must have.
        port: Where it listens.
    """
    answers = Answers(session)
    session.at_end = answers.images.end

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        watcher = asyncio.create_task(_watch(session))
        yield
        watcher.cancel()
        await run_in_threadpool(answers.images.close)
        await run_in_threadpool(session.close)

    app = Starlette(
        routes=list(_routes(answers)),
        lifespan=lifespan,
        exception_handlers={
            Wrong: _wrong,
            CannotBeDone: lambda request, error: refused(409, str(error)),
            LabelsRefused: lambda request, error: refused(409, str(error)),
            NoPicture: lambda request, error: refused(404, str(error)),
            HTTPException: _no_such,
            Exception: lambda request, error: refused(500, *BROKEN),
        },
    )
    return Guard(app, token, port)


def _routes(answers: Answers) -> Iterator[Route]:
    """Yield all addresses."""
    gets: dict[str, Callable[[Request], Any]] = {
        "/api/state": answers.state,
        "/api/clusters": answers.clusters,
        "/api/clusters/{id}": answers.cluster,
        "/api/noise": answers.noise,
        "/api/rejected": answers.rejected,
        "/api/questions": answers.questions,
        "/api/run": answers.run,
        "/api/changes": answers.changes,
        "/api/image/{n:int}": answers.image,
        "/thumb/{n:int}": answers.thumbnail,
        "/image/{n:int}": answers.crop,
        "/photo/{n:int}": answers.photo,
    }
    posts = {
        "/api/apply": answers.apply,
        "/api/act": answers.act,
        "/api/undo": answers.undo,
        "/api/redo": answers.redo,
    }
    for path, get in gets.items():
        yield Route(path, _answering(get))
    for path, post in posts.items():
        yield Route(path, _doing(post), methods=["POST"])
    yield Route("/api/events", _telling(answers.session))
    yield Route("/", _file("index.html"))
    for file in STATIC.iterdir():
        if file.suffix in SUFFIXES:
            yield Route(f"/static/{file.name}", _file(file.name))


async def _watch(session: Session) -> None:
    """Look at the files that others may change."""
    while True:
        await asyncio.sleep(LOOK)
        try:
            await run_in_threadpool(session.look)
        except Exception:  # the pages go on, and it may work the next time
            log.exception("looking at what changed failed")


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
