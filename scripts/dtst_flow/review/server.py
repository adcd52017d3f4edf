"""The server: it listens on loopback until it is ended."""

import secrets
from collections.abc import Callable
from socket import (
    AF_INET,
    IPPROTO_TCP,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)

import uvicorn

from dtst_flow.review.app import application
from dtst_flow.review.session import Session

LOOPBACK = "127.0.0.1"

PATIENCE = 1
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
        NoResult: There is no clustering to review.
        KeyboardInterrupt: It was ended.
    """
    session = Session(bucket, command)
    token = secrets.token_urlsafe(32)
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        application(session, token, port),
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
    )
    listener.listen()
    begun(f"http://{LOOPBACK}:{port}/?token={token}")
    uvicorn.Server(config).run(sockets=[listener])
