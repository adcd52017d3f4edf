"""One image of a review: its pictures, the photo it was cut out of, what is known of it."""

from typing import Any, NamedTuple

import numpy as np

from dtst_flow.dataset import sidecars
from dtst_flow.report.photos import photo_in
from dtst_flow.review.clustering import Clustering
from dtst_flow.review.pictures import NoPicture, Picture, Pictures
from dtst_flow.review.view import View

SHOWN = 40
"""Most measures of an image that are shown."""


class Images:
    """Pictures and facts of images, by their numbers."""

    def __init__(self) -> None:
        self._pictures = Pictures()
        self.end, self.close = self._pictures.end, self._pictures.close

    def thumbnail(self, view: View, n: int, side: int) -> bytes:
        """A thumbnail as WebP. Raises NoPicture."""
        path = view.clustering.paths[n]
        return self._pictures.thumbnail(path, view.digest_of(n), side)

    def crop(self, view: View, n: int) -> bytes:
        """The image as WebP, not larger than a screen. Raises NoPicture."""
        return self._pictures.large(view.clustering.paths[n]).webp

    def photo(self, view: View, n: int) -> bytes:
        """The photo that it was cut out of, likewise. Raises NoPicture."""
        path = _source(view.clustering.paths[n]).photo
        if path is None:
            raise NoPicture("it is not known of which photo this image is")
        return self._pictures.large(path).webp

    def facts_of(self, view: View, n: int) -> dict[str, Any]:
        """What is known of an image, for the page."""
        clustering = view.clustering
        path = clustering.paths[n]
        source = _source(path)
        picture: Picture | None = None
        if source.photo is not None:
            try:
                picture = self._pictures.large(source.photo)
            except NoPicture:
                source = _Source(None, None, None, source.metrics)
        box = source.box
        if picture is None or source.digest not in (None, picture.digest):
            box = None  # the photo is another one by now, the box is not its
        cluster = clustering.cluster_of(n)
        return {
            "n": n,
            "path": path,
            "photo": source.photo,
            "box": None if box is None else [round(side, 2) for side in box],
            "photo_size": list(picture.size) if picture and picture.size else None,
            "metrics": source.metrics,
            "cluster": cluster.id if cluster else None,
            "why": None if cluster else _why(view, clustering, n),
        }


class _Source(NamedTuple):
    """What the sidecar of an image says of it.

    Attributes:
        photo: The photo that it was cut out of; None where that is not known.
        digest: Of the content that the photo had; None where that is not said.
        box: Left, top, right, bottom in it.
        metrics: Measures, by their names.
    """

    photo: str | None
    digest: object
    box: list[float] | None
    metrics: dict[str, float | str]


def _source(path: str) -> _Source:
    """Read what a sidecar says; it may be a stranger's."""
    try:
        content = sidecars.read(path)
    except (sidecars.BrokenSidecar, OSError):
        content = {}
    said = content.get("provenance")
    said = said if isinstance(said, dict) else {}
    metrics, photo = content.get("metrics"), photo_in(content)
    box = said.get("box") if photo else None
    return _Source(
        photo,
        said.get("digest"),
        _box(box),
        {
            str(name): value
            for name, value in list(metrics.items())[:SHOWN]
            if isinstance(value, int | float)
        }
        if isinstance(metrics, dict)
        else {},
    )


def _box(value: object) -> list[float] | None:
    """A box as it is to be; None where it is none."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    if not all(isinstance(x, int | float) and np.isfinite(x) for x in value):
        return None
    return [float(x) for x in value]


def _why(view: View, clustering: Clustering, n: int) -> str:
    """Why an image is in no cluster."""
    if n >= clustering.rejected:
        return "it was rejected"
    if n in clustering.unrecognisable:
        return "the face is too blurred, dark or hidden to tell whose it is"
    near = view.facts.near_cluster(n) if view.facts else None
    if near is None:
        return "it is near to no cluster"
    cluster, distance = clustering.clusters[near[0]], near[1]
    return f"the nearest cluster is {cluster.label}, at a distance of {distance:.2f}"
