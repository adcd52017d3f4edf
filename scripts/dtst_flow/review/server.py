"""The server: it listens on loopback until it is ended."""

import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import (
    AF_INET,
    IPPROTO_TCP,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from types import FrameType

import uvicorn
from starlette.concurrency import run_in_threadpool

from dtst_flow.dataset.containment import check_no_escape, check_target
from dtst_flow.dataset.state import check_no_links, state_of
from dtst_flow.review.actions import CannotBeDone
from dtst_flow.review.app import application
from dtst_flow.review.clustering import FILE
from dtst_flow.review.session import Session
from dtst_flow.utils import locks

LOOPBACK = "127.0.0.1"

PATIENCE = 5
"""Seconds that requests at work are given at the end."""


def listen(port: int) -> socket:
    """Listen on this machine only; at any free port if it is 0. Raises OSError."""
    # Of a socket that says TCP, asyncio sends small answers at once.
    listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
    try:
        listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    return listener


def serve(
    bucket: str,
    listener: socket,
    command: list[str],
    begun: Callable[[str], None],
) -> None:
    """Serve the review of a bucket until Ctrl-C; runs in the dataset's folder.

    Args:
        bucket: The bucket of the clusters.
        listener: Where to listen.
        command: The words that start dtst.
        begun: Called with the page's address as soon as it is answered.

    Raises:
        BadBucket: It is no bucket in the dataset.
        StateGone: What dtst keeps there cannot be used.
        CannotBeDone: Another server is at it.
        OSError: The dataset cannot be written to.
        NoResult: There is no clustering to review.
        KeyboardInterrupt: It was ended.
    """
    lock = _lock(bucket)
    session = Session(bucket, command)
    token = secrets.token_urlsafe(32)
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        application(session, token, port),
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=PATIENCE,
    )
    listener.listen()
    begun(f"http://{LOOPBACK}:{port}/?token={token}")
    server = _Server(config, session)
    with _ended_by_hangup(server):
        server.run(sockets=[listener])
    if lock is not None:
        os.close(lock)


class _Server(uvicorn.Server):
    """A server that tells its pages when it ends, as they would wait for more."""

    def __init__(self, config: uvicorn.Config, session: Session) -> None:
        super().__init__(config)
        self._session = session

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End the answers that have no end."""
        await run_in_threadpool(self._session.end)
        await super().shutdown(sockets)


@contextmanager
def _ended_by_hangup(server: uvicorn.Server) -> Iterator[None]:
    """Have the end of the terminal end the server in order, as a kill does."""
    before = signal.getsignal(signal.SIGHUP)
    came = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        server.should_exit = True

    if before != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
    if came:
        signal.raise_signal(signal.SIGHUP)


def _lock(bucket: str) -> int | None:
    """Hold the bucket, whose decisions have one order. Raises as `serve`."""
    check_target(bucket)
    check_no_escape(".", bucket)
    check_no_links(Path("."))
    if not Path(bucket, FILE).exists():
        return None  # nothing is written, and Session says what would help
    try:
        return locks.take(state_of(bucket) / "review.lock")
    except BlockingIOError:
        raise CannotBeDone(
            f"{bucket} is reviewed already: open that page, or end that dtst review"
        ) from None
