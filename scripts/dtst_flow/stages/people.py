"""Known people: a folder of photos, each in a folder named after who it shows."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from dtst_flow.stages.contract import Row


@dataclass(frozen=True)
class KnownPeople:
    """What the folder of known people holds.

    Attributes:
        names: Whose each face is.
        vectors: (k, d) float32, the faces; None without any.
        faceless: The photos in which no face was found.
        unlike: The photos whose face is not like the others of the same person; they do
            not count.
    """

    names: list[str] = field(default_factory=list)
    vectors: NDArray[np.float32] | None = None
    faceless: list[str] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)

    def sentences(self, found: list[str]) -> list[str]:
        """Return what to tell of them, given the names of the clusters."""
        said = []
        if count := len(set(self.names)):
            people = "1 known person" if count == 1 else f"{count} known people"
            said.append(f"{len(found)} of {people} found among the images (--people)")
        for photos, what in (
            (self.faceless, "without a face that could be found"),
            (self.unlike, "with a face unlike that of the person's others"),
        ):
            if photos:
                noun = "photo" if len(photos) == 1 else "photos"
                said.append(
                    f"{len(photos)} {noun} of known people {what}, first {min(photos)}"
                )
        return said


NOBODY = KnownPeople()


def set_apart(
    rows: list[Row], vectors: NDArray[np.float32], folder: str | None, reach: float
) -> tuple[list[Row], NDArray[np.float32], KnownPeople]:
    """Take the photos of known people out of all that was embedded.

    Args:
        rows: Those of embed's tables.
        vectors: (n, d), their vectors.
        folder: The folder with a folder for each person; a photo in the folder itself is
            of the person that it is named after. None: nobody is known.
        reach: Cosine distance within which two faces may be of one person.

    Returns:
        The rows of all other images, their vectors, and the people.
    """
    if folder is None:
        return rows, vectors, NOBODY
    from dtst_flow.cluster.people import agreeing

    base = f"{PurePosixPath(folder)}/"
    known = np.array([row["path"].startswith(base) for row in rows], bool)
    shown = np.array([row["aligned"] != "centre" for row in rows], bool)
    faces = np.flatnonzero(known & shown)
    names = [_name(rows[i]["path"].removeprefix(base)) for i in faces]
    agree = agreeing(names, vectors[faces], reach)
    return (
        [row for row, is_known in zip(rows, known, strict=True) if not is_known],
        vectors[~known],
        KnownPeople(
            [name for name, agrees in zip(names, agree, strict=True) if agrees],
            vectors[faces[agree]],
            [rows[i]["path"] for i in np.flatnonzero(known & ~shown)],
            [rows[i]["path"] for i in faces[~agree]],
        ),
    )


def _name(path: str) -> str:
    """Whom a photo shows, by its path in the folder of known people."""
    first, *below = PurePosixPath(path).parts
    return first if below else PurePosixPath(first).stem
