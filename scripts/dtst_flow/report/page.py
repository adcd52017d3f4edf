"""The page itself: facts, thumbnails and names put into page.html.

It is one file that loads nothing else. What comes from the data is only text: Jinja
escapes it in HTML, `data` in scripts, and the content security policy lets no other
script run than the page's own.
"""

import base64
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from dtst_flow import __version__
from dtst_flow.cache.code_version import code_version
from dtst_flow.report import thumbnails
from dtst_flow.report.facts import Facts, Near
from dtst_flow.report.photos import photo_of
from dtst_flow.report.results import Cluster, Member, Results, read
from dtst_flow.utils.files import digest_file, digest_value, to_json, write_atomic

HERE = Path(__file__).parent

DOUBTFUL = 10
"""Members shown as the most doubtful of a cluster, at most."""

PAIRS = 24
"""Pairs of clusters shown as perhaps the same, at most."""

SETS = 24
"""Sets of images in noise shown as alike, at most."""

ONLY = {"clip_model": "clip", "min_recognisability": "arcface"}
"""Parameters that have an effect with one model only."""

FAILURES = 500
"""Failures listed for each stage, at most; all are in its failed.jsonl."""

MARKS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""What could end a script -> how JSON can write it as well."""


def version() -> str:
    """A digest of the code that makes pages, including the parts that are not Python."""
    parts = [digest_file(HERE / f"page.{kind}") for kind in ("html", "css", "js")]
    return digest_value([code_version(sys.modules[__name__]), parts])


def write(bucket: str, output: str | Path, workers: int = 1) -> None:
    """Write the page about the clusters in a bucket; runs in the dataset folder.

    Equal results give equal bytes, except for links, which depend on the page's folder.

    Args:
        bucket: The bucket of the clusters.
        output: The file to write.
        workers: How many processes make thumbnails.

    Raises:
        NoResult: There are no clusters to show.
    """
    results = read(bucket)
    folder = Path(output).resolve().parent
    write_atomic(output, render(results, bucket, os.path.relpath(".", folder), workers))


def render(results: Results, bucket: str, dataset: str, workers: int) -> bytes:
    """Make the content of the page.

    Args:
        results: What to show.
        bucket: The bucket of the clusters.
        dataset: The path of the dataset folder, relative to the page's folder.
        workers: How many processes make thumbnails.
    """
    view = View(results, dataset, workers)
    style, script = ((HERE / f"page.{kind}").read_text() for kind in ("css", "js"))
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"data": data, "text": text}
    grouped = sum(map(len, results.groups))
    page = environment.get_template("page.html").render(
        bucket=bucket,
        dataset=Path.cwd().name,
        parameters=list(parameters(results)),
        images=grouped + len(results.noise) + len(results.rejected),
        grouped=grouped,
        noise=view.noise(),
        alike=view.alike(),
        unrecognisable=view.unrecognisable(),
        rejected=[view.image(row) for row in results.rejected.tolist()],
        clusters=view.clusters(),
        pairs=view.pairs(),
        stages=results.stages,
        failures=FAILURES,
        style=Markup(style),
        style_hash=content_hash(style),
        script=Markup(script),
        script_hash=content_hash(script),
        version=__version__,
    )
    return page.encode()


class View:
    """What page.html shows of results: clusters and images as plain mappings.

    An image is {url, path, photo, thumbnail, burst}, and what else is known about it;
    `photo` is the address of the photo that it was cut out of, if any.

    Args:
        results: What to show.
        dataset: The path of the dataset folder, relative to the page's folder.
        workers: How many processes make thumbnails.
    """

    def __init__(self, results: Results, dataset: str, workers: int):
        self.results = results
        self.dataset = dataset
        self.facts = Facts(results.vectors, results.groups)
        self._small = thumbnails.make(results.rows, thumbnails.SMALL, workers)
        medoids = [results.rows[row] for row in results.medoids]
        self._large = thumbnails.make(medoids, thumbnails.LARGE, workers)

    def image(self, row: int, **more: Any) -> dict[str, Any]:
        """An image of the results, by its row, and what else is known about it."""
        path = self.results.rows[row]["path"]
        photo = photo_of(path) if self.results.rows[row].get("sidecar") else None
        return {
            "url": self._address(path),
            "path": text(path),
            "photo": self._address(photo) if photo else None,
            "thumbnail": self._small[row],
            "burst": self.results.bursts.get(path),
        } | more

    def _address(self, path: str) -> str:
        return quote(os.fsencode(os.path.join(self.dataset, path)))

    def medoid(self, cluster: int) -> dict[str, Any]:
        """The medoid of a cluster, large."""
        large = self._large[cluster]
        return self.image(self.results.medoids[cluster], thumbnail=large)

    def near(self, near: Near | None) -> dict[str, str] | None:
        """A cluster that is near something, by its label."""
        if near is None:
            return None
        return {
            "label": label(self.results.clusters[near.cluster]),
            "distance": distance(near.distance),
        }

    def clusters(self) -> list[dict[str, Any]]:
        """The clusters, the largest first."""
        return [
            {
                "label": label(cluster),
                "name": cluster.get("name"),
                "id": cluster.get("id"),
                "folder": cluster["folder"],
                "size": cluster["size"],
                "medoid": self.medoid(i),
                "near": self.near(self.facts.neighbours[i]),
                "same": self.facts.same(i),
                "doubtful": self._doubtful(i),
                "members": [
                    self.image(int(row), note=worth(member))
                    for row, member in zip(
                        self.results.groups[i], cluster["members"], strict=True
                    )
                ],
            }
            for i, cluster in enumerate(self.results.clusters)
        ]

    def _doubtful(self, cluster: int) -> list[dict[str, Any]]:
        medoid = self.results.medoids[cluster]
        found = self.facts.doubts(cluster)
        doubts = [d for d in found if d.is_doubtful and d.row != medoid]
        return [
            self.image(d.row, note=distance(d.own), near=self.near(d.other))
            for d in doubts[:DOUBTFUL]
        ]

    def pairs(self) -> list[dict[str, Any]]:
        """The clusters that are perhaps the same, with their medoids."""
        return [
            {
                "distance": distance(pair.distance),
                "clusters": [
                    {
                        "label": label(self.results.clusters[i]),
                        "name": self.results.clusters[i].get("name"),
                        "medoid": self.image(self.results.medoids[i]),
                    }
                    for i in pair.clusters
                ],
            }
            for pair in self.facts.pairs()[:PAIRS]
        ]

    def noise(self) -> list[dict[str, Any]]:
        """The images in no cluster, those nearest to one first; without junk."""
        rows = self._noise()
        near = self.facts.closest(rows)
        far = [n.distance if n else float("inf") for n in near]
        order = sorted(range(len(near)), key=lambda i: (far[i], i))
        return [self.image(int(rows[i]), near=self.near(near[i])) for i in order]

    def alike(self) -> list[list[dict[str, Any]]]:
        """Sets of these that are near to each other, the largest first."""
        found = self.facts.alike(self._noise(), self.results.parameters)
        return [[self.image(row) for row in rows] for rows in found[:SETS]]

    def _noise(self) -> NDArray[np.intp]:
        junk = list(self.results.unrecognisable)
        rows: NDArray[np.intp] = np.setdiff1d(self.results.noise, junk)
        return rows

    def unrecognisable(self) -> list[dict[str, Any]]:
        """The faces that nobody could recognise, in the order of their paths."""
        return [self.image(row) for row in sorted(self.results.unrecognisable)]


def parameters(results: Results) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each parameter that was set and had an effect."""
    for name, value in results.parameters.items():
        has_effect = ONLY.get(name) in (None, results.parameters["model"])
        if value is not None and has_effect:
            yield name, str(value).lower() if isinstance(value, bool) else value


def worth(member: Member) -> str:
    """What decides on the place of a member: the quality of its face, or its distance."""
    quality = member["quality"]
    return distance(member["distance"]) if quality is None else f"quality {quality:.2f}"


def label(cluster: Cluster) -> str:
    """The name of a cluster's folder, also where that is not laid out."""
    return f"{cluster['rank']:03d}"


def distance(value: float) -> str:
    """A distance as the page shows it."""
    return f"{value:.2f}"


def text(value: Any) -> str:
    """Text that can be encoded; of a name that is not UTF-8, the readable part."""
    return str(value).encode("utf-8", "replace").decode()


def data(value: Any) -> Markup:
    """JSON that is safe in a script, whatever is in it."""
    content = to_json(value).decode()
    for character, spelling in MARKS.items():
        content = content.replace(character, spelling)
    return Markup(content)


def content_hash(content: str) -> str:
    """The source expression that lets a content security policy accept just this."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
