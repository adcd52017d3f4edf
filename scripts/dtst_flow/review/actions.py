"""Actions of the user as lines of labels.csv: which to add, and which to take out.

The last word counts: what older lines say against it, and what it says anew, is taken out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dtst_flow.cluster.label_file import Cells
from dtst_flow.review.clustering import Clustering
from dtst_flow.review.decisions import APART, Decisions, Line


class CannotBeDone(Exception):
    """An action that cannot be done; the message says why."""


@dataclass
class Edit:
    """Lines to add to labels.csv, and lines to take out of it."""

    add: list[Cells] = field(default_factory=list)
    remove: list[Cells] = field(default_factory=list)


class Action:
    """An action on top of what is decided already.

    Args:
        decisions: That.
    """

    def __init__(self, decisions: Decisions) -> None:
        self.decisions = decisions
        self.clustering: Clustering = decisions.clustering
        self.edit = Edit()

    def merge(self, places: Sequence[int]) -> None:
        """Say that clusters are one."""
        if len(set(places)) < 2:
            raise CannotBeDone("it takes two clusters to merge")
        heads = [self._head(place) for place in sorted(set(places))]
        self._together(heads)

    def name(self, place: int, name: str) -> None:
        """Name a cluster; "" takes the name away."""
        head = self._head(place)
        self._drop_names(self.decisions.group(place))
        if name:
            self._add("name", head, name)

    def reject(self, numbers: Iterable[int]) -> None:
        """Say that images are not wanted."""
        gone = frozenset(numbers)
        self._detach(gone)
        self._drop(lambda line: line.relation in APART and _touches(line, gone))
        for n in sorted(gone):
            if n not in self.decisions.rejected:
                self._add("reject", n, "")
        for place in sorted({self.decisions.place(n) for n in gone} - {-1}):
            self._hold(place, gone)

    def unreject(self, numbers: Iterable[int]) -> None:
        """Say that images are wanted again."""
        self._want(frozenset(numbers))

    def keep(self, places: Iterable[int]) -> None:
        """Say that the members of each cluster belong together."""
        for place in places:
            head = self._head(place)
            cluster = self.clustering.clusters[place]
            for n in range(cluster.start, cluster.end):
                if n != head and n not in self.decisions.taken_out:
                    self._add("must-link", head, self.clustering.paths[n])

    def move(self, numbers: Iterable[int], head: int) -> None:
        """Say that images belong to the cluster of another one, and not to their own."""
        group = self.decisions.group_of(head)
        moved = frozenset(n for n in numbers if self.decisions.group_of(n) != group)
        if not moved:
            raise CannotBeDone("they are in that cluster already")
        self._take_out(moved, into=group)
        self._unapart(moved, group)
        for n in sorted(moved):
            self._add("must-link", n, self.clustering.paths[head])

    def new(self, numbers: Iterable[int], name: str) -> None:
        """Say that images are a cluster of their own."""
        chosen = frozenset(numbers)
        if len(chosen) < 2:
            raise CannotBeDone("a cluster has two images at least; choose more of them")
        self._take_out(chosen)
        self._drop(
            lambda line: line.relation in APART and {line.image, line.other} <= chosen
        )
        first, *others = sorted(chosen)
        for n in others:
            self._add("must-link", n, self.clustering.paths[first])
        if name:
            self._add("name", first, name)

    def out(self, numbers: Iterable[int]) -> None:
        """Say that images are not of their cluster."""
        chosen = frozenset(numbers)
        if any(self.clustering.of[n] < 0 for n in chosen):
            raise CannotBeDone("an image that is in no cluster cannot leave one")
        self._take_out(chosen)

    def answer(self, a: int, b: int, same: bool) -> None:
        """Say whether two images show the same."""
        if same:
            self._together([a, b])
            return
        if self.decisions.group_of(a) == self.decisions.group_of(b):
            raise CannotBeDone(
                "labels.csv says that they are the same; undo that first"
            )
        self._add("cannot-link", a, self.clustering.paths[b])

    def _head(self, place: int) -> int:
        """The image that stands for a cluster. Raises CannotBeDone if none is left."""
        head = self.decisions.stands_for(place)
        if head is None:
            folder = self.clustering.clusters[place].folder
            raise CannotBeDone(f"nothing is left of cluster {folder}")
        return head

    def _hold(self, place: int, gone: frozenset[int]) -> None:
        """Have a cluster last of which fewer are left than make one."""
        cluster = self.clustering.clusters[place]
        away = gone | self.decisions.taken_out
        left = [n for n in range(cluster.start, cluster.end) if n not in away]
        least = self.clustering.parameters.get("min_cluster_size") or 0
        head = self.decisions.stands_for(place, gone)
        if head is not None and 1 < len(left) < least:
            for n in left:
                if n != head:
                    self._add("must-link", head, self.clustering.paths[n])

    def _together(self, numbers: Sequence[int]) -> None:
        groups = {self.decisions.group_of(n) for n in numbers}
        self._drop(
            lambda line: (
                line.relation in APART
                and self.decisions.group_of(line.image) in groups
                and self.decisions.group_of(line.other) in groups
            )
        )
        self._want(frozenset(numbers))
        named = [g for g in map(self.decisions.group_of, numbers) if self._is_named(g)]
        for group in set(named[1:]) - {*named[:1]}:
            self._drop_names(group)
        first, *others = numbers
        linked = {self.decisions.group_of(first)}
        for n in others:
            if self.decisions.group_of(n) not in linked:
                self._add("must-link", n, self.clustering.paths[first])
            linked.add(self.decisions.group_of(n))

    def _take_out(self, numbers: frozenset[int], into: int = -1) -> None:
        """Take images out of all but one group, and say so of their clusters."""
        self._detach(numbers)
        self._want(numbers)
        for n in sorted(numbers):
            place = int(self.clustering.of[n])
            if place < 0 or self.decisions.group(place) == into:
                continue
            head = self.decisions.stands_for(place, numbers)
            if head is not None:
                self._add("not", n, self.clustering.paths[head])

    def _want(self, numbers: frozenset[int]) -> None:
        """Take out that images are rejected; of a cluster's line the others remain so."""
        lines = [x for x in self.decisions.lines if x.relation == "reject"]
        cut = {line.cells for line in lines if line.image in numbers}
        self.edit.remove += sorted(cut)
        for line in lines:
            if line.cells in cut and line.image not in numbers:
                self._add("reject", line.image, line.cells[2])

    def _unapart(self, numbers: frozenset[int], group: int) -> None:
        """Take out what keeps images from a group."""

        def keeps(line: Line) -> bool:
            one, other = line.image, line.other
            return line.relation in APART and any(
                mine in numbers and self.decisions.group_of(its) == group
                for mine, its in ((one, other), (other, one))
            )

        self._drop(keeps)

    def _detach(self, numbers: frozenset[int]) -> None:
        """Take out what links images to others; these stay linked, and keep their name."""
        stay: dict[int, list[int]] = {}
        for place in sorted({self.decisions.place(n) for n in numbers} - {-1}):
            head = self.decisions.stands_for(place, numbers)
            if head is not None:
                stay.setdefault(self.decisions.group(place), []).append(head)
        cut: set[int] = set()
        for line in self.decisions.lines:
            leaves = line.image in numbers
            if line.relation != "must-link" or leaves == (line.other in numbers):
                continue
            self.edit.remove.append(line.cells)
            other = line.other if leaves else line.image
            cut.add(self.decisions.group_of(other))
            stay.setdefault(self.decisions.group_of(other), []).append(other)
        for group in sorted(cut):
            first, *more = dict.fromkeys(stay[group])
            for n in more:
                self._add("must-link", n, self.clustering.paths[first])
        for line in self.decisions.lines:
            if line.relation == "name" and line.image in numbers:
                self.edit.remove.append(line.cells)
                for n in stay.get(self.decisions.group_of(line.image), [])[:1]:
                    self._add("name", n, line.cells[2])

    def _is_named(self, group: int) -> bool:
        return self.decisions.name_of(group) is not None

    def _drop_names(self, group: int) -> None:
        self._drop(
            lambda line: (
                line.relation == "name" and self.decisions.group_of(line.image) == group
            )
        )

    def _drop(self, which: Callable[[Line], bool]) -> None:
        self.edit.remove += [x.cells for x in self.decisions.lines if which(x)]

    def _add(self, relation: str, n: int, other: str) -> None:
        path = self.clustering.paths[n]
        for cell in (path, other) if relation != "name" else (path,):
            if cell != cell.strip():
                raise CannotBeDone(
                    f"the name of {cell!r} begins or ends with a blank, which labels.csv "
                    "cannot hold; rename the file first"
                )
        self.edit.add.append((relation, path, other))


def _touches(line: Line, numbers: frozenset[int]) -> bool:
    return line.image in numbers or line.other in numbers
