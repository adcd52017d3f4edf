"""What labels.csv decides about a clustering that does not follow it yet.

A decision is about *things*: a cluster with all members that nothing takes out of it, or an
image by itself, in noise or taken out. Things that must be together make one *group*.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.label_file import Cells, Label
from dtst_flow.review.clustering import Cluster, Clustering

APART = ("cannot-link", "not")
"""Relations of two images that must not be together."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of labels.csv of which all images are there.

    Attributes:
        cells: What it says.
        image: The number of its image.
        other: That of the other one; -1 of a name or a reject.
    """

    cells: Cells
    image: int
    other: int = -1

    @property
    def relation(self) -> str:
        """What it says of the two."""
        return self.cells[0]


Finding = Callable[[Cells, int], list[int]]


def nowhere(cells: Cells, place: int) -> list[int]:
    """Find no image."""
    return []


class Decisions:
    """What the lines say, as one picture.

    Args:
        clustering: What they are about.
        labels: The lines of labels.csv.
        find: Finds the images that a line was written for, by the line and its place in
            it, where no image has that name any more or it is of a cluster.

    Attributes:
        lines: Those whose images are there.
        rejected: The images that are not wanted.
        names: Image -> the name of its cluster, by the last line.
    """

    def __init__(
        self, clustering: Clustering, labels: Iterable[Label], find: Finding = nowhere
    ) -> None:
        self.clustering = clustering
        self._find = find
        self._places = {c.folder: i for i, c in enumerate(clustering.clusters)}
        self._places |= {c.name: i for i, c in enumerate(clustering.clusters) if c.name}
        self._places |= {c.id: i for i, c in enumerate(clustering.clusters)}
        self.lines = [line for label in labels for line in self._lines(label)]
        self.rejected = {x.image for x in self.lines if x.relation == "reject"}
        self.names = {x.image: x.cells[2] for x in self.lines if x.relation == "name"}
        self.taken_out = set(self._taken_out()) | self.rejected
        self._parents: dict[int, int] = {}
        self._linked: defaultdict[int, set[int]] = defaultdict(set)
        for line in self.lines:
            if line.relation == "must-link":
                self.unite(self.thing(line.image), self.thing(line.other))
                if (place := self.place(line.image)) == self.place(line.other) >= 0:
                    self._linked[place] |= {line.image, line.other}
        self._several = {self.group(thing) for thing in list(self._parents)}
        self._apart = {
            frozenset((self.group_of(line.image), self.group_of(line.other)))
            for line in self.lines
            if line.relation in APART
        }
        self._named = {self.group_of(n): name for n, name in self.names.items()}

    def _lines(self, label: Label) -> Iterator[Line]:
        """Yield what a line says of images; of a rejected cluster, of each member."""
        images = self._numbers(label, 0)
        if label.relation == "reject":
            yield from (Line(label.cells, n) for n in images)
        elif label.relation == "name":
            yield from (Line(label.cells, n) for n in images[:1])
        else:
            others = self._numbers(label, 1)
            for one, other in zip(images[:1], others[:1], strict=False):
                if one != other:
                    yield Line(label.cells, one, other)

    def _numbers(self, label: Label, at: int) -> Sequence[int]:
        """The images that a line means at one of its places, the most typical first."""
        cell = label.cells[1 + at]
        number = self.clustering.number(cell)
        if number is not None:
            return [number]
        place = self._places.get(cell)
        if (found := self._find(label.cells, at)) or place is None:
            return found
        cluster = self.clustering.clusters[place]
        members = range(cluster.start, cluster.end)
        return [cluster.medoid, *(n for n in members if n != cluster.medoid)]

    def _taken_out(self) -> Iterator[int]:
        """Of two members of one cluster that must be apart, the one that goes."""
        of, distances = self.clustering.of, self.clustering.distances
        for line in self.lines:
            if line.relation in APART and of[line.image] == of[line.other] >= 0:
                stays = distances[line.other] <= distances[line.image]
                goes = line.relation == "not" or stays
                yield line.image if goes else line.other

    def place(self, n: int) -> int:
        """The place of the cluster that an image stays in; -1 where it does in none."""
        return -1 if n in self.taken_out else int(self.clustering.of[n])

    def thing(self, n: int) -> int:
        """The thing that an image belongs to: a cluster's place, or k + its number."""
        place = self.place(n)
        return place if place >= 0 else len(self.clustering.clusters) + n

    def group(self, thing: int) -> int:
        """The group of a thing, by the thing that stands for it."""
        root = thing
        while (parent := self._parents.get(root, root)) != root:
            root = parent
        while (parent := self._parents.get(thing, thing)) != root:
            self._parents[thing], thing = root, parent
        return root

    def unite(self, one: int, other: int) -> None:
        """Make one group of those of two things; the largest cluster stands for it."""
        # Clusters come first, the largest of them before all.
        low, high = sorted((self.group(one), self.group(other)))
        if low != high:
            self._parents[high] = low

    def group_of(self, n: int) -> int:
        """The group of an image."""
        return self.group(self.thing(n))

    def groups(self) -> NDArray[np.int64]:
        """The group of every thing, (k + n,)."""
        count = len(self.clustering.clusters) + len(self.clustering.paths)
        groups = np.arange(count)
        for thing in list(self._parents):
            groups[thing] = self.group(thing)
        return groups

    def are_decided(self, one: int, other: int) -> bool:
        """Whether it is known of two things if they belong together."""
        groups = frozenset((self.group(one), self.group(other)))
        return len(groups) == 1 or groups in self._apart

    def head(self, n: int) -> Cluster | None:
        """The largest cluster of the group of an image; None where it has none."""
        group = self.group_of(n)
        clusters = self.clustering.clusters
        return clusters[group] if group < len(clusters) else None

    def stands_for(
        self, place: int, without: frozenset[int] = frozenset()
    ) -> int | None:
        """The member nearest to the medoid that stays in a cluster; None without any."""
        cluster = self.clustering.clusters[place]
        gone = self.taken_out | without
        if cluster.medoid not in gone:
            return cluster.medoid
        order = np.argsort(self.clustering.distances[cluster.start : cluster.end])
        members = (cluster.start + int(i) for i in order)
        return next((n for n in members if n not in gone), None)

    def name_of(self, group: int) -> str | None:
        """The name that lines give a group, by the last of them."""
        return self._named.get(group)

    def of_image(self, n: int) -> str:
        """What is decided about an image, in a word or a few; "" for nothing."""
        if n in self.rejected:
            return "" if n >= self.clustering.rejected else "rejected"
        if n >= self.clustering.rejected:
            return "wanted again"
        place = self.place(n)
        if place >= 0:
            return ""
        group = self.group_of(n)
        head = self.head(n)
        if label := self.name_of(group) or (head.label if head else ""):
            return f"moved to {label}"
        if group in self._several:
            return "new"
        return "out" if n in self.taken_out else ""

    def of_cluster(self, place: int) -> str:
        """What is decided about a cluster, in a word or a few; "" for nothing."""
        cluster = self.clustering.clusters[place]
        members = range(cluster.start, cluster.end)
        if cluster.start in self.rejected and all(n in self.rejected for n in members):
            return "rejected"
        group = self.group(place)
        if group != place:
            return f"merged into {self.clustering.clusters[group].id}"
        if self._named.get(place, cluster.name) != cluster.name:
            return "named"
        left = (
            sum(n not in self.taken_out for n in members)
            if place in self._linked
            else 0
        )
        return "kept" if len(self._linked.get(place, ())) >= left > 1 else ""
