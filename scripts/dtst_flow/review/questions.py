"""Which two images to ask about next: "do they show the same?".

Asked is what most probably adds most. A yes unites two groups of a and b images; each
image of the one finds the b others that it missed, and the sum of what their recall gains
(BCubed; Bagga & Baldwin 1998) is 2ab / (a + b), the harmonic mean. A no changes nothing
but what is asked next. So each pair counts by that gain, times how probable a yes is by
the distance of the two.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dtst_flow.review.decisions import APART, Decisions
from dtst_flow.review.facts import Facts
from dtst_flow.review.groups import reach
from dtst_flow.review.rows import Rows

STEEP = 0.09
"""Of the reach: within so much more distance a yes becomes e times less probable."""

FAR = 50.0
"""A yes is as good as impossible."""


@dataclass(frozen=True)
class Question:
    """Two images that may show the same.

    Attributes:
        kind: "clusters", "noise" (an image and a cluster) or "pair" (two images).
        a: The number of the one image.
        b: That of the other.
        distance: How far apart they are; of clusters, their images on average.
    """

    kind: str
    a: int
    b: int
    distance: float

    @property
    def key(self) -> str:
        """By what an answer names it."""
        return f"{self.a}-{self.b}"


@dataclass(frozen=True)
class Pairs:
    """Pairs of things, as `Decisions` numbers them, and their distances.

    Attributes:
        one: (p,) int, the lower thing of each.
        other: (p,) int, the other one.
        distances: (p,) float32.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    distances: NDArray[np.float32]


def candidates(facts: Facts, rows: Rows) -> Pairs:
    """All pairs that may be asked about, of clusters and of images in noise.

    Two faces of one photo are of two people, as the clustering has it. A distance is the
    mean of those between the images of both. For that the cosine of two centres is taken
    times the lengths of the means that they are of, 1 - spread, as all images have length 1.
    """
    count = len(facts.spreads)
    singles = count + facts.singles
    lengths = np.ones(count + len(rows.digests), np.float32)
    lengths[:count] -= facts.spreads
    parts = []
    for near, own, others in (
        (facts.clusters, np.arange(count), np.arange(count)),
        (facts.near_singles, singles, np.arange(count)),
        (facts.alike, singles[: len(facts.alike.which)], singles),
    ):
        at, rank = np.nonzero(near.which >= 0)
        one, other = own[at], others[near.which[at, rank]]
        alike = (1 - near.distances[at, rank]) * lengths[one] * lengths[other]
        parts.append((one, other, 1 - alike))
    one, other, distances = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    low, high = np.minimum(one, other), np.maximum(one, other)
    photos = [rows.photos[n][0] if n in rows.photos else n for n in facts.singles]
    _, numbers = np.unique(np.array(photos, object).astype(str), return_inverse=True)
    of = np.full(int(max(high, default=0)) + 1, -1)
    of[singles[singles < len(of)]] = numbers[singles < len(of)]
    both = (low >= count) & (of[low] == of[high])
    low, high, distances = low[~both], high[~both], distances[~both]
    _, first = np.unique(low * (count + len(rows.digests)) + high, return_index=True)
    return Pairs(low[first], high[first], distances[first])


def ask(
    pairs: Pairs,
    facts: Facts,
    decisions: Decisions,
    skipped: Collection[tuple[int, int]],
    limit: int,
) -> list[Question]:
    """Choose the questions whose answers change most, the most useful first.

    Each group is asked about once among them, as an answer changes what comes next.

    Args:
        pairs: All `candidates`.
        facts: What the vectors tell.
        decisions: What is decided already; of two things in one group, or in groups that
            must be apart, nothing is asked.
        skipped: Pairs of images that the user would not tell.
        limit: How many, at most.
    """
    worth = _worth(pairs, facts, decisions)
    found: list[Question] = []
    asked: set[int] = set()
    for at in np.argsort(-worth, kind="stable"):
        if worth[at] <= 0 or len(found) == limit:
            break
        one, other = int(pairs.one[at]), int(pairs.other[at])
        groups = {decisions.group(one), decisions.group(other)}
        images = _image(one, decisions), _image(other, decisions)
        if groups & asked or None in images or images in skipped:
            continue
        asked |= groups
        a, b = images
        assert a is not None and b is not None
        kind = _kind(one, other, len(facts.spreads))
        found.append(Question(kind, a, b, float(pairs.distances[at])))
    return found


def _worth(pairs: Pairs, facts: Facts, decisions: Decisions) -> NDArray[np.float64]:
    """What each pair is worth to be asked about; 0 where it is decided, (p,)."""
    groups = decisions.groups()
    one, other = groups[pairs.one], groups[pairs.other]
    sizes = np.bincount(groups, _sizes(decisions), len(groups))
    a, b = sizes[one], sizes[other]
    limit = reach(decisions.clustering, facts) or 1.0
    beyond = (pairs.distances - limit) / (STEEP * limit)
    probable = 1 / (1 + np.exp(np.minimum(beyond, FAR)))
    names = _names(decisions, len(groups))
    named = (names[one] >= 0) & (names[other] >= 0)
    probable[named] = (
        names[one[named]] == names[other[named]]
    )  # the user tells them apart
    worth: NDArray[np.float64] = probable * 2 * a * b / np.maximum(a + b, 1)
    apart = np.array(_apart(decisions, len(groups)), np.int64)
    low, high = np.minimum(one, other), np.maximum(one, other)
    worth[(one == other) | np.isin(low * len(groups) + high, apart)] = 0
    return worth


def _sizes(decisions: Decisions) -> NDArray[np.int64]:
    """How many images each thing has, (k + n,); those rejected count nowhere."""
    clustering = decisions.clustering
    clusters = len(clustering.clusters)
    sizes = np.zeros(clusters + len(clustering.paths), np.int64)
    sizes[:clusters] = [cluster.size for cluster in clustering.clusters]
    sizes[clusters + clustering.noise : clusters + clustering.rejected] = 1
    for n in decisions.taken_out:
        if (place := int(clustering.of[n])) >= 0:
            sizes[place] -= 1
        sizes[clusters + n] = n not in decisions.rejected
    return sizes


def _apart(decisions: Decisions, count: int) -> list[int]:
    """The pairs of groups that must be apart, each as one number."""
    found = []
    for line in decisions.lines:
        if line.relation in APART:
            groups = decisions.group_of(line.image), decisions.group_of(line.other)
            found.append(min(groups) * count + max(groups))
    return found


def _names(decisions: Decisions, count: int) -> NDArray[np.int64]:
    """The name of each group, by number; -1 without one, (k + n,)."""
    names = np.full(count, -1, np.int64)
    numbers: dict[str, int] = {}
    for place, cluster in enumerate(decisions.clustering.clusters):
        group = decisions.group(place)
        if name := decisions.name_of(group) or cluster.name:
            names[group] = numbers.setdefault(name, len(numbers))
    return names


def _image(thing: int, decisions: Decisions) -> int | None:
    """The image by which a thing is shown."""
    clusters = len(decisions.clustering.clusters)
    if thing >= clusters:
        return thing - clusters
    return decisions.stands_for(thing)


def _kind(one: int, other: int, clusters: int) -> str:
    if other < clusters:
        return "clusters"
    return "noise" if one < clusters else "pair"
