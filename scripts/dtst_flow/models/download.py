"""Fetching model weights: resumed where it broke off, checked, one process at a time."""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import requests

from dtst_flow.models.errors import ModelError
from dtst_flow.models.registry import Model
from dtst_flow.models.store import (
    Weights,
    cache_folder,
    check,
    find,
    models_folder,
    resolve,
    sha256,
)
from dtst_flow.utils.text import printable

CHUNK = 1 << 16
"""Bytes read from a connection at a time; at most these are lost when it breaks."""

TIMEOUT = (10, 60)
"""Seconds to wait for a connection, and for the next bytes on it."""

Progress = Callable[[int, int], None]
"""Called with the bytes on disk so far and the bytes of the whole file."""


class FetchFailed(ModelError):
    """No source gave the file; the message says what went wrong with each of them."""


class _Refused(Exception):
    """A source answered, but not with the file."""


class _Session(requests.Session):
    """Follows no redirect from https to http, which anybody on the way may read or change."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https:"):
            goal = urljoin(resp.url, target)
            if not goal.startswith("https:"):
                raise _Refused(f"leads to {goal}, which is no https")
        return target


def fetch(
    name: str,
    sources: Sequence[str] | None = None,
    folder: str | Path | None = None,
    progress: Progress = lambda done, size: None,
) -> Weights:
    """Bring a model's weights into a models folder and return them.

    A file that exists already is checked, not fetched. What arrives is written to
    ``<file>.part``, which a later call resumes, and gets its name only once its
    sha256 is right; wrong content is deleted. A model that comes with a Python
    package is looked for there.

    Args:
        name: The model's name in the registry.
        sources: http(s) addresses, tried in order; by default the registered ones.
        folder: Where the file goes; by default the folder that DTST_MODELS names, or
            else the cache.
        progress: Called after every chunk.

    Raises:
        FetchFailed: No source gave the file.
        WrongContent: A file with its name has other content.
        ModelMissing: The Python package that it comes with is not installed.
        ModelError: The name is not registered, or the folder cannot be written.
    """
    model = find(name)
    sources = model.sources if sources is None else sources
    if not sources:
        return resolve(name)
    path = Path(folder or models_folder() or cache_folder()) / model.file
    try:
        if path.exists():
            return check(model, path)
        with _sole_process(path.parent):
            if path.exists():
                return check(model, path)
            return _download(model, sources, path, progress)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be written: {error.strerror}. "
            "Set DTST_MODELS to a folder that you may write to."
        ) from error


@contextmanager
def _sole_process(folder: Path) -> Iterator[None]:
    """Wait for the folder's lock and hold it; the kernel frees it when its owner dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(
    model: Model, sources: Sequence[str], path: Path, progress: Progress
) -> Weights:
    """Fill `path` from the first source that gives the right content.

    Raises:
        FetchFailed: No source does.
    """
    part = path.with_name(f"{path.name}.part")
    failures = ""
    for url in sources:
        try:
            _complete(model, url, part, progress)
        except (_Refused, requests.RequestException) as error:
            failures += f"\n  {url}\n    {printable(_reason(error))}"
        else:
            os.replace(part, path)
            return Weights(path, model.sha256)
    raise FetchFailed(
        f"{model.name} could not be fetched:{failures}\n"
        f"Without a network, copy {model.file} to {path.parent} by hand."
    )


def _complete(model: Model, url: str, part: Path, progress: Progress) -> None:
    """Bring `part` to the registered content from one source, or delete it.

    As long as a broken connection brought something, the next one continues from
    there.

    Raises:
        _Refused: The source sent nothing, or other content.
        requests.RequestException: The connection broke before it brought anything.
    """
    resumed = _size(part) > 0
    while (before := _size(part)) < model.size:
        failure: Exception = _Refused("sent nothing")
        try:
            _append(model, url, part, progress)
        except requests.RequestException as error:
            failure = error
        if _size(part) <= before:
            raise failure
    digest = sha256(part)
    if digest == model.sha256:
        return
    part.unlink()
    if not resumed:
        raise _Refused(f"sent other content, now deleted: sha256 {digest}")
    # The first bytes may have come from another source: try once more from the start.
    _complete(model, url, part, progress)


def _append(model: Model, url: str, part: Path, progress: Progress) -> None:
    """Ask a source for what `part` lacks and write it as it comes.

    Raises:
        _Refused: The answer is not the file.
        requests.RequestException: The connection broke.
    """
    have = _size(part)
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with (
        _Session() as session,
        session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response,
    ):
        if response.status_code not in (200, 206):
            raise _Refused(f"HTTP {response.status_code} {response.reason}")
        if response.status_code == 200:  # the whole file, although a part was requested
            have = 0
        length = response.headers.get("Content-Length")
        if length is not None and not length.isdecimal():
            raise _Refused(f"has {length!r} bytes")
        if length is not None and have + int(length) != model.size:
            raise _Refused(f"has {have + int(length)} bytes, not {model.size}")
        with part.open("ab") as file:
            file.truncate(have)
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                progress(have, model.size)
                if have > model.size:
                    return


def _size(part: Path) -> int:
    """Return the size of a file in bytes, 0 where none exists."""
    return part.stat().st_size if part.exists() else 0


def _reason(error: BaseException) -> str:
    """Describe the first cause of an error: network libraries wrap theirs many times."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__
