"""What the folders of clusters are called: by their rank, by their name, or by both."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from dtst_flow.cluster.label_file import FILE as LABELS
from dtst_flow.dataset import cluster_list
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.stems import folded

RANK, NAME, BOTH = "rank", "name", "both"

LONGEST = 100
"""Most bytes of a name in that of a folder; file systems take 255."""

DEVICES = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{d}{n}" for d in ("com", "lpt") for n in range(10)]
)
"""Names that no file may have on Windows, whatever its suffix."""

UNSAFE = frozenset('/\\:*?"<>|')
"""Characters that no file may have in its name there, or anywhere."""


def names_of(
    names: Sequence[str | None], how: str, taken: Iterable[str] = ()
) -> list[str]:
    """Name the folders of clusters; no two are alike on any file system.

    Args:
        names: Those of the clusters, the largest first.
        how: RANK, NAME or BOTH; a cluster without a name has its rank in any case.
        taken: Names that no folder may have.
    """
    fixed = (cluster_list.NOISE, cluster_list.REJECTED, cluster_list.FILE, LABELS)
    used = {folded(name) for name in (*fixed, *taken)}
    found = []
    for rank, name in enumerate(names):
        number = f"{rank:03d}"
        word = safe(name) if name and how != RANK else ""
        if not word:
            found.append(number)
            continue
        plain = how == NAME and not cluster_list.FOLDER.fullmatch(folded(word))
        wanted, count = word if plain else f"{number}-{word}", 1
        while folded(folder := f"{wanted}-{count}" if count > 1 else wanted) in used:
            count += 1
        used.add(folded(folder))
        found.append(folder)
    return found


def safe(name: str) -> str:
    """Make a name that a file may have everywhere, which hides nothing; "" if none is."""
    word = "".join(c if c.isprintable() and c not in UNSAFE else "_" for c in name)
    word = word.encode()[:LONGEST].decode(errors="ignore").strip(". ")
    return f"{word}_" if word.partition(".")[0].lower() in DEVICES else word


def taken_in(ledgers: Ledgers) -> Collection[str]:
    """What is in a bucket that is not ours, and stays alone."""
    owned = ledgers.paths() | {found.row.path for found in ledgers.found()}
    ours = {path.partition("/")[0] for path in owned}
    with suppress(OSError):
        return set(os.listdir(ledgers.bucket)) - ours
    return ()
