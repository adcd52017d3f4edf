"""What is answered to each request of the page."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dtst_flow.review.images import Images
from dtst_flow.review.session import Session
from dtst_flow.review.shown import SHOWS, SORTS, Shown

MOST = 2000
"""Most things in one answer."""


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
            "pending": self.session.pending(),
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
            "total": len(rest),
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

    def questions(self, request: Request) -> Any:
        """What is best asked next."""
        view, decisions = self.session.snapshot()
        shown = Shown(view, decisions)
        part = _part(request, 20)
        return [
            asdict(question)
            | {
                "key": question.key,
                "of_a": shown.short_of(question.a),
                "of_b": shown.short_of(question.b),
            }
            for question in self.session.questions(view, decisions, part.stop)
        ]

    def run(self, request: Request) -> Any:
        """How the run is, or the last one was."""
        return self.session.runs.value()

    def changes(self, request: Request) -> Any:
        """What the last run changed."""
        if self.session.changes is None:
            raise Wrong(404, "no run changed the clustering since the review began")
        return self.session.changes

    def apply(self, request: Request, sent: Any) -> Any:
        """Cluster anew."""
        return self.session.apply()

    def act(self, request: Request, sent: Any) -> Any:
        """Do what the user decides."""
        return self.session.act(sent)

    def undo(self, request: Request, sent: Any) -> Any:
        """Undo what was done last."""
        return self.session.undo(again=False)

    def redo(self, request: Request, sent: Any) -> Any:
        """Do again what was undone last."""
        return self.session.undo(again=True)


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
