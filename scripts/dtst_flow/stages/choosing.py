"""Which images of which clusters are chosen, by what is known of them."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from dtst_flow.annotations import boxes
from dtst_flow.dataset.known_clusters import Cluster, KnownClusters
from dtst_flow.stages.contract import Row
from dtst_flow.stages.wanted import Wanted

QUALITY = "quality"
"""The metric by which one image is better than another."""

MAX_SHOWN = 50
"""Metrics and classes named of those that there are, at most."""

ELSEWHERE = "in other clusters or in none"
CHANGED = "changed since they were clustered"
"""Why images are left out, besides by a setting."""


@dataclass(frozen=True)
class Options:
    """The settings of select that its results depend on.

    Attributes:
        clusters: The clusters to choose from, as `wanted.find` takes them.
        min_cluster: Leave out clusters of fewer images.
        top: Choose from the largest so many of these clusters alone.
        min_side: Leave out images whose shorter side has fewer pixels.
        min_metric: Metric -> leave out images of less, or without it.
        max_metric: Metric -> leave out images of more, or without it.
        min_detect: Class -> leave out images without a box of it of this score.
        max_detect: Class -> leave out images with a box of it of this score.
        min_quality: Leave out images of a lower metric QUALITY, or without it.
        best: Keep only so many images of a cluster, the best.
        bursts: Of near-duplicates keep "all" or the "best".
    """

    clusters: str | list[str] | None = None
    min_cluster: int | None = None
    top: int | None = None
    min_side: int | None = None
    min_metric: dict[str, float] | None = None
    max_metric: dict[str, float] | None = None
    min_detect: dict[str, float] | None = None
    max_detect: dict[str, float] | None = None
    min_quality: float | None = None
    best: int | None = None
    bursts: str = "all"

    @property
    def least(self) -> dict[str, float]:
        """The least value of each metric."""
        quality = {} if self.min_quality is None else {QUALITY: self.min_quality}
        return (self.min_metric or {}) | quality

    @property
    def needs_clusters(self) -> list[str]:
        """The flags given that say nothing where there are no clusters."""
        given = {
            "--clusters": self.clusters is not None,
            "--min-cluster": self.min_cluster is not None,
            "--top": self.top is not None,
            "--bursts": self.bursts != "all",
        }
        return [flag for flag, is_given in given.items() if is_given]


@dataclass
class Choice:
    """What is chosen.

    Attributes:
        rows: The images, the rows that `measuring.facts` gives, by path.
        homes: The cluster of each, by its path; empty without clusters.
        left_out: How many images were left out, by why, a filter only those that the ones
            before it had let pass.
        lost: How many images of the clusters are no longer there.
    """

    rows: list[Row] = field(default_factory=list)
    homes: dict[str, Cluster] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    lost: int = 0


def of_size(wanted: Iterable[Wanted], options: Options) -> list[Cluster]:
    """Return those of the clusters asked for that are large enough, the largest first."""
    every = {w.cluster.id: w.cluster for w in wanted}.values()
    large = [c for c in every if len(c.images) >= (options.min_cluster or 0)]
    return sorted(large, key=lambda cluster: cluster.rank)[: options.top]


def choose(
    rows: list[Row],
    clusters: list[Cluster] | None,
    known: KnownClusters | None,
    options: Options,
) -> Choice:
    """Choose images.

    Args:
        rows: All images of the source, as `measuring.facts` gives them.
        clusters: Those to choose from; None where the source is no clustering.
        known: All that there are.
        options: The settings.
    """
    choice = Choice()
    if clusters is not None:
        rows = _in_clusters(rows, clusters, choice)
    for name, passes in filters(options):
        kept = [row for row in rows if passes(row)]
        choice.left_out[name] = len(rows) - len(kept)
        rows = kept
    groups = list(_ranked(rows, choice.homes).values())
    if options.bursts == "best" and known:
        name = "--bursts best"
        groups = [_without(choice, name, g, _alike(g, known)) for g in groups]
    if options.best is not None:
        name = f"--best {options.best}"
        groups = [_without(choice, name, g, g[options.best :]) for g in groups]
    choice.rows = sorted((r for g in groups for r in g), key=lambda row: row["path"])
    return choice


def _in_clusters(rows: list[Row], clusters: list[Cluster], choice: Choice) -> list[Row]:
    """Return the rows of images that are in clusters, as they were clustered."""
    homes = {image: cluster for cluster in clusters for image in cluster.images}
    inside = [row for row in rows if row["path"] in homes]
    choice.lost = len(homes) - len(inside)
    same = [
        row
        for row in inside
        if homes[row["path"]].images[row["path"]] in (None, row["digest"])
    ]
    elsewhere, changed = len(rows) - len(inside), len(inside) - len(same)
    choice.left_out |= {ELSEWHERE: elsewhere} if elsewhere else {}
    choice.left_out |= {CHANGED: changed} if changed else {}
    choice.homes = {row["path"]: homes[row["path"]] for row in same}
    return same


def filters(options: Options) -> Iterator[tuple[str, Callable[[Row], bool]]]:
    """Yield what each image by itself has to be: the filter as it is given, and the test."""
    side = options.min_side
    if side is not None:
        yield f"--min-side {side}", lambda row: min(row["size"]) >= side
    for name, least in (options.min_metric or {}).items():
        yield f"--min-metric {name} {least:g}", _at_least(name, least)
    for name, most in (options.max_metric or {}).items():
        yield f"--max-metric {name} {most:g}", _at_most(name, most)
    if options.min_quality is not None:
        least = options.min_quality
        yield f"--min-quality {least:g}", _at_least(QUALITY, least)
    for name, score in (options.min_detect or {}).items():
        yield f"--min-detect {name} {score:g}", _shows(name, score)
    for name, score in (options.max_detect or {}).items():
        yield f"--max-detect {name} {score:g}", _shows_none(name, score)


def _at_least(name: str, least: float) -> Callable[[Row], bool]:
    return lambda row: row["metrics"].get(name, -math.inf) >= least


def _at_most(name: str, most: float) -> Callable[[Row], bool]:
    return lambda row: row["metrics"].get(name, math.inf) <= most


def _shows(name: str, score: float) -> Callable[[Row], bool]:
    return lambda row: any(
        row["classes"][same] >= score for same in boxes.match(name, row["classes"])
    )


def _shows_none(name: str, score: float) -> Callable[[Row], bool]:
    shows = _shows(name, score)
    return lambda row: not shows(row)


def _ranked(rows: list[Row], homes: dict[str, Cluster]) -> dict[str, list[Row]]:
    """Sort the images of each cluster, the best first; without any all that there are.

    By quality, then as they are listed in their cluster, or else the largest first.
    """
    places = {
        image: place
        for cluster in {c.id: c for c in homes.values()}.values()
        for place, image in enumerate(cluster.images)
    }
    groups: dict[str, list[Row]] = {}
    for row in rows:
        home = homes.get(row["path"])
        groups.setdefault(home.id if home else "", []).append(row)
    for group in groups.values():
        group.sort(
            key=lambda row: (
                -row["metrics"].get(QUALITY, 0),
                places.get(row["path"], -math.prod(row["size"])),
                row["path"],
            )
        )
    return groups


def _alike(group: list[Row], known: KnownClusters) -> list[Row]:
    """Those of the images of a cluster of which a better near-duplicate is among them."""
    sets = known.set_of
    met: set[int] = set()
    worse = []
    for row in group:
        number = sets.get(row["path"])
        if number is None:
            continue
        if number in met:
            worse.append(row)
        met.add(number)
    return worse


def _without(choice: Choice, name: str, group: list[Row], left: list[Row]) -> list[Row]:
    choice.left_out[name] = choice.left_out.get(name, 0) + len(left)
    gone = {row["path"] for row in left}
    return [row for row in group if row["path"] not in gone]


def missing(rows: list[Row], options: Options) -> str:
    """Say which metric or class asked for no image has, and which there are; or nothing."""
    metrics = {name for row in rows for name in row["metrics"]}
    for name in {**options.least, **(options.max_metric or {})}:
        if name not in metrics:
            return f"no image has the metric {name!r}; {_there(metrics, 'metrics')}"
    classes = {name for row in rows for name in row["classes"]}
    for name in options.min_detect or {}:
        if not boxes.match(name, classes):
            return f"no image has the class {name!r}; {_there(classes, 'classes')}"
    return ""


def notes(rows: list[Row], options: Options) -> list[str]:
    """Say which classes that are not to be there are in no image at all."""
    classes = {name for row in rows for name in row["classes"]}
    return [
        f"no image has the class {name!r}, so --max-detect leaves out none for it; "
        + _there(classes, "classes")
        for name in options.max_detect or {}
        if not boxes.match(name, classes)
    ]


def _there(names: set[str], what: str) -> str:
    if not names:
        return f"no sidecar has {what} (dtst extract-faces and dtst detect write them)"
    rest = len(names) - MAX_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return f"there are: {', '.join(sorted(names)[:MAX_SHOWN])}{more}"
