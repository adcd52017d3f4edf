"""What each line of the user's means now: which images it is of, and what keeps it from that.

Where a line names a cluster, by its id, folder or name, it is bound to the images that the
cluster has when the line is first read, as folders are numbered anew by every run.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from dtst_flow.cluster.constraints import conflicts
from dtst_flow.cluster.label_file import FILE, Cells, Label
from dtst_flow.cluster.labels import Bound, Images, Place, Sight
from dtst_flow.dataset.cluster_list import NOTHING, ClusterList

IN_FORCE = "in force"
WAITS = "waits"
UNKNOWN = "unknown"
CONTRADICTS = "contradicts"


@dataclass
class Reading:
    """A line, and what became of it.

    Attributes:
        label: The line.
        state: IN_FORCE, or why it is not: what it is of is away (WAITS) or was never there
            (UNKNOWN), or another line is against it (CONTRADICTS).
        said: What the user is to know of it.
        rows: For each of its places, the images that it stands for now; the most typical
            of a cluster first.
    """

    label: Label
    state: str = IN_FORCE
    said: list[str] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)

    def fail(self, state: str, said: str) -> None:
        """Note why the line is not in force."""
        self.state = state
        self.said.append(said)


@dataclass(frozen=True)
class Constraints:
    """Relations between images, by their rows.

    Attributes:
        must: Pairs of rows that must be in one cluster.
        cannot: Pairs of rows that must not be in one cluster.
        alone: Pairs of rows of which the first leaves the cluster of the second, alone.
        unlike: Rows that do not show a known person, and the person.
        names: Row -> the name of the cluster that it is in; what was said last comes last.
        rejected: Rows that are not wanted in any cluster.
        faults: Why labels have no effect, or what their images are called now.
        unread: Those of them that are of lines which cannot be read.
        bound: Labels that name images which are or were there -> what these show.
        readings: What became of each label.
    """

    must: list[tuple[int, int]] = field(default_factory=list)
    cannot: list[tuple[int, int]] = field(default_factory=list)
    alone: list[tuple[int, int]] = field(default_factory=list)
    unlike: list[tuple[int, str]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    rejected: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    bound: dict[Cells, list[Place]] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)


def make(
    labels: Iterable[Label],
    images: Images,
    bound: Bound,
    clusters: ClusterList = NOTHING,
    people: Collection[str] = (),
) -> Constraints:
    """Find the images that the labels name, wherever they are by now.

    Args:
        labels: What the user says.
        images: All images.
        bound: What the images of a label showed when it was first read.
        clusters: Those of the run before.
        people: The names of known people.
    """
    known = Constraints()
    for label in labels:
        reading = Reading(label)
        places = [
            _find(reading, place, images, bound, clusters)
            for place in range(1 if label.relation in ("name", "reject") else 2)
        ]
        if all(place is not None for place in places):
            known.bound[label.cells] = [place for place in places if place is not None]
        known.readings.append(reading)
    _reject(known)
    _name(known)
    _link(known, _tell_apart(known, people))
    for reading in known.readings:
        if reading.label.relation == "reject" and reading.state == WAITS:
            continue  # nobody waits for it
        line = f"{FILE}, line {reading.label.number}"
        known.faults.extend(f"{line}: {said}" for said in reading.said)
    return known


def _find(
    reading: Reading, place: int, images: Images, bound: Bound, clusters: ClusterList
) -> Place | None:
    """Find what a place of a line stands for, and note its rows.

    Returns:
        What the place is bound to; None if it never stood for anything.
    """
    label = reading.label
    word = label.cells[1 + place]
    before = bound.get(label.cells, ())
    known = before[place] if place < len(before) else None
    if known is None and (row := images.named(word)) is not None:
        known = images.sights[row]
    if isinstance(known, Sight):
        return _image(reading, word, known, images)
    by_name = place == 1 and label.relation == "not"
    if known is None:
        found = [
            (path, images.named(path)) for path in _members(label, place, clusters)
        ]
        known = tuple((p, images.sights[r]) for p, r in found if r is not None)
    if by_name and not known:  # whoever has the name, from run to run
        reading.rows.append([])
        return ()
    if not known:
        reading.fail(UNKNOWN, f"no image or cluster is called {word!r}")
        return None
    rows = [(path, sight, images.showing(sight, path)) for path, sight in known]
    reading.rows.append([row for _, _, row in rows if row is not None])
    if not reading.rows[-1]:
        reading.fail(WAITS, f"no image of cluster {word!r} is here now; the line waits")
    return tuple((p, s if r is None else images.sights[r]) for p, s, r in rows)


def _members(label: Label, place: int, clusters: ClusterList) -> list[str]:
    """The images of the cluster that a place of a line is of; none of a name or of none."""
    said = clusters.labels.get(label.cells, ())
    if place < len(said) and said[place]:
        return said[place]
    by_name = place == 1 and label.relation == "not"
    word = label.cells[1 + place]
    found = clusters.called(word, by_name)
    return [] if found is None or (by_name and found.name == word) else found.members


def _image(reading: Reading, name: str, sight: Sight, images: Images) -> Sight:
    """Find an image by what it showed; as `_find`."""
    row = images.showing(sight, name)
    reading.rows.append([] if row is None else [row])
    if row is not None:
        if images.named(name) != row:
            reading.said.append(f"{name!r} is called {images.paths[row]!r} now")
        return images.sights[row]
    if images.named(name) is None:
        reading.fail(WAITS, f"{name!r} is not here now; the line waits for it")
    else:
        reading.fail(
            WAITS,
            f"{name!r} is another picture than the one the line was written for, and waits "
            "for that; to mean this one, take the line out, run, and write it again",
        )
    return sight


def _in_force(known: Constraints, *relations: str) -> Iterable[Reading]:
    """The lines of some relations that are in force, in their order."""
    for reading in known.readings:
        if reading.label.relation in relations and reading.state == IN_FORCE:
            yield reading


def _reject(known: Constraints) -> None:
    """Note what is rejected; other lines have no effect on it."""
    by: dict[int, int] = {}
    for reading in _in_force(known, "reject"):
        for row in reading.rows[0]:
            by.setdefault(row, reading.label.number)
    known.rejected.extend(sorted(by))
    for reading in _in_force(known, "must-link", "cannot-link", "name", "not"):
        for word, rows in zip(reading.label.cells[1:], reading.rows, strict=False):
            left = [row for row in rows if row not in by]
            if rows and not left and reading.state == IN_FORCE:
                said = (
                    f"it contradicts line {by[rows[0]]}, by which {word!r} is rejected"
                )
                reading.fail(CONTRADICTS, said)
            rows[:] = left


def _name(known: Constraints) -> None:
    """Note the names; of several of one image, the last holds."""
    by: dict[int, Reading] = {}
    for reading in _in_force(known, "name"):
        row, name = reading.rows[0][0], reading.label.other
        if (before := by.pop(row, None)) and before.label.other != name:
            said = f"line {reading.label.number}, by which it is {name!r}"
            before.fail(CONTRADICTS, f"it contradicts {said}")
        by[row] = reading
    known.names.update((row, reading.label.other) for row, reading in by.items())


def _tell_apart(
    known: Constraints, people: Collection[str]
) -> list[tuple[tuple[int, int], int]]:
    """Note what must not be together.

    Returns:
        Pairs of rows, and the line that says so.
    """
    named: dict[str, list[int]] = {}
    for row, name in known.names.items():
        named.setdefault(name, []).append(row)
    apart = []
    for reading in _in_force(known, "cannot-link", "not"):
        label, (here, there) = reading.label, reading.rows
        if label.relation == "not" and not there:
            others = _of_name(known, reading, named.get(label.other, []), people)
        else:
            others = [row for row in there if row != here[0]][:1]
        alone = label.relation == "not" and len(here) == 1
        pairs = [(here[0], other) for other in others]
        (known.alone if alone else known.cannot).extend(pairs)
        apart += [(pair, label.number) for pair in pairs]
    return apart


def _of_name(
    known: Constraints, reading: Reading, named: list[int], people: Collection[str]
) -> list[int]:
    """The other images of whom a line says that its image does not show."""
    name, row = reading.label.other, reading.rows[0][0]
    others = [other for other in named if other != row]
    if name in people:
        known.unlike.append((row, name))
    elif named and not others:
        reading.fail(CONTRADICTS, f"another line says that it is {name!r}")
    elif not others:
        said = f"no image, cluster or person is called {name!r} now; the line waits"
        reading.fail(WAITS, said)
    return others


def _link(known: Constraints, apart: list[tuple[tuple[int, int], int]]) -> None:
    """Note what must be together, but for what other lines are against."""
    links = [
        (reading, (reading.rows[0][0], reading.rows[1][0]))
        for reading in _in_force(known, "must-link")
    ]
    links = [(reading, pair) for reading, pair in links if pair[0] != pair[1]]
    against = conflicts([pair for _, pair in links], [pair for pair, _ in apart])
    for place, (reading, pair) in enumerate(links):
        if place in against:
            said = f"it contradicts line {apart[against[place]][1]}, which holds"
            reading.fail(CONTRADICTS, said)
        else:
            known.must.append(pair)
