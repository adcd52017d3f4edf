"""Names given: the stems of a bucket's images, which they keep from run to run.

A second image of a name takes a longer one, so that nothing is renamed because of it. The
stem of an image that is gone stays taken: a name never passes to another image. Only the
same one, moved to another folder, may have it there.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dtst_flow.dataset.evidence import Evidence, Given
from dtst_flow.dataset.stems import folded, is_stem_of, unique_stems
from dtst_flow.utils.tables import BrokenTable, read_table, write_table

FILE = "names.jsonl"
"""Name of the table in a bucket's state: {path, stem, digest} of each image ever named."""


def settle(
    content: Mapping[str, str], state: Path, evidence: Evidence | None, aside: str = ""
) -> dict[str, str]:
    """Give each image of a bucket the stem that it had, or a new one, and note that.

    Args:
        content: The digest of each image, by its path.
        state: The folder with the state of the bucket.
        evidence: What the files in the bucket say, for the time when no table tells.
        aside: Start of the paths of images that are named after all others.

    Returns:
        The stem of each path.
    """
    before = _before(state, evidence)
    stems = name(content, before, aside)
    rows = [Given(path, stem, content[path]) for path, stem in stems.items()]
    gone = [one for one in before if one.path not in stems]
    mine = {folded(stem) for stem in stems.values()} if gone else set()
    rows += [one for one in gone if folded(one.stem) not in mine]
    write_table(state / FILE, (row._asdict() for row in sorted(rows)))
    return stems


def foreseen(
    content: Mapping[str, str], state: Path, evidence: Evidence
) -> dict[str, str]:
    """Work out what `settle` would give; nothing is noted."""
    return name(content, _before(state, evidence))


def name(
    content: Mapping[str, str], before: Iterable[Given], aside: str = ""
) -> dict[str, str]:
    """Give each image its stem; those named before keep theirs.

    Args:
        content: The digest of each image, by its path.
        before: The names given, no two alike.
        aside: Start of the paths of images that are named after all others.
    """
    owners = {folded(one.stem): one for one in before}
    stems = {one.path: one.stem for one in owners.values() if one.path in content}

    def is_free(stem: str, path: str) -> bool:
        owner = owners.get(stem)
        return owner is None or (
            owner.path not in content and owner.digest == content[path]
        )

    new = content.keys() - stems.keys()
    last = {path for path in new if aside and path.startswith(aside)}
    for paths in (new - last, last):
        given = unique_stems(paths, is_free)
        stems |= given
        owners |= {folded(s): Given(p, s, content[p]) for p, s in given.items()}
    return stems


def _before(state: Path, evidence: Evidence | None) -> list[Given]:
    """The names given so far, no two alike and each one that its image may have."""
    try:
        rows = [
            Given(r["path"], r["stem"], r["digest"]) for r in read_table(state / FILE)
        ]
        whole = all(isinstance(value, str) for row in rows for value in row)
    except (OSError, BrokenTable, LookupError, TypeError):
        whole = False
    if not whole:
        rows = sorted(evidence.names()) if evidence else []
    return list(_distinct(rows))


def _distinct(rows: Iterable[Given]) -> Iterator[Given]:
    paths, stems = set(), set()
    for row in rows:
        stem = folded(row.stem)
        fits = "/" not in row.stem and is_stem_of(row.stem, row.path)
        if fits and row.path not in paths and stem not in stems:
            paths.add(row.path)
            stems.add(stem)
            yield row
