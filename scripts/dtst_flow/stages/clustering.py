"""What a clustering found: the content of clusters.json, and the same in plain words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dtst_flow.cluster.meaning import Constraints
from dtst_flow.dataset.cluster_list import REJECTED
from dtst_flow.embed.base import CLIP
from dtst_flow.stages import user_labels
from dtst_flow.stages.contract import Row
from dtst_flow.stages.people import NOBODY, KnownPeople
from dtst_flow.utils.text import MOST, capped

if TYPE_CHECKING:
    from dtst_flow.cluster.duplicates import Sets
    from dtst_flow.cluster.groups import Group, Grouping

log = logging.getLogger(__name__)

LARGE = 0.3
"""The share of all images from which on a cluster looks suspicious."""


@dataclass(frozen=True)
class Options:
    """The settings of cluster that its results depend on.

    Attributes:
        model: A key of `embedders.MODELS`.
        top: Lay out only the largest so many clusters, None for all.
        min_cluster_size: Fewer images do not make a cluster.
        min_samples: HDBSCAN's k: how many neighbours make a place dense, None for what
            suits min_cluster_size.
        clip_model: Which of OpenCLIP's models clip is.
        count_duplicates: Whether near-duplicates count as images of their own.
        max_distance: The cosine distance above which parts of a cluster are taken apart,
            None for that of the model.
        people: The folder with photos of people whom the user knows, None for nobody.
        folders: What the folders of clusters with a name are called: by rank, by name or
            by both.
        min_recognisability: Faces of less are noise, whatever they are like.
    """

    model: str
    top: int | None = None
    min_cluster_size: int = 5
    min_samples: int | None = None
    clip_model: str = CLIP
    count_duplicates: bool = False
    max_distance: float | None = None
    people: str | None = None
    folders: str = "rank"
    min_recognisability: float = 1.0


@dataclass(frozen=True)
class Clustering:
    """All that is known of the images, and of the clusters they make.

    Attributes:
        rows: Those of embed's tables, by path.
        grouping: The clusters, as rows.
        sets: The near-duplicates among the rows.
        known: What the user knows better.
        options: The settings, what was left open filled in.
        people: The people whom the user knows.
        junk: The rows that `unrecognisable` gives, (j,) int.
    """

    rows: list[Row]
    grouping: Grouping
    sets: Sets
    known: Constraints
    options: Options
    people: KnownPeople = NOBODY
    junk: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    @property
    def names(self) -> list[str | None]:
        """The names of the clusters: what the user said last, or that of known faces."""
        groups, said = self.grouping.groups, self.known.names
        of = {row: rank for rank, g in enumerate(groups) for row in g.members.tolist()}
        names = {of[row]: name for row, name in said.items() if row in of}
        return [names.get(rank, group.name) for rank, group in enumerate(groups)]


def unrecognisable(
    rows: list[Row], known: Constraints, least: float
) -> NDArray[np.intp]:
    """Find the faces that the model tells nobody by, but for what the user links or rejects.

    Args:
        rows: Those of embed's tables.
        known: What the user knows better.
        least: The recognisability that a face must have.

    Returns:
        Rows, (j,) int.
    """
    told = {row for pair in known.must for row in pair} | set(known.rejected)
    return np.array(
        [
            i
            for i, row in enumerate(rows)
            if (value := row.get("recognisability")) is not None
            and value < least
            and i not in told
        ],
        np.intp,
    )


def describe(
    clustering: Clustering,
    ids: list[str],
    folders: list[str],
    files: Mapping[int, Row],
) -> dict[str, Any]:
    """Return the content of clusters.json.

    Args:
        clustering: The result.
        ids: Those of the clusters.
        folders: Those that are laid out.
        files: Row -> what there is to say of its file; none of an image without one.
    """
    rows, groups = clustering.rows, clustering.grouping.groups
    junk = set(clustering.junk.tolist())
    names = clustering.names
    return {
        "parameters": asdict(clustering.options),
        "clusters": [
            {
                "id": ids[rank],
                "name": names[rank],
                "rank": rank,
                "folder": folders[rank] if rank < len(folders) else None,
                "size": len(group.members),
                "medoid": rows[group.members[0]]["path"],
                "members": [
                    {"path": rows[i]["path"], "distance": round(d, 6)}
                    | _measures(rows[i])
                    | files.get(i, {})
                    for i, d in best_first(rows, group)
                ],
            }
            for rank, group in enumerate(groups)
        ],
        "noise": [
            {"path": rows[i]["path"]}
            | _measures(rows[i])
            | ({"unrecognisable": True} if i in junk else {})
            | files.get(i, {})
            for i in clustering.grouping.noise.tolist()
        ],
        REJECTED: [
            {"path": rows[i]["path"]} | _measures(rows[i]) | files.get(i, {})
            for i in clustering.known.rejected
        ],
        "near_duplicates": [
            [rows[i]["path"] for i in members] for members in clustering.sets.several
        ],
    } | user_labels.of_clusters(clustering.known)


def best_first(rows: list[Row], group: Group) -> list[tuple[int, float]]:
    """Return the members of a cluster and their distances to its medoid.

    Those whose quality is known come first, the best of them before the others; all others,
    and equals, as near as they are to the medoid.
    """
    members = zip(group.members.tolist(), group.distances.tolist(), strict=True)
    return sorted(members, key=lambda member: -(rows[member[0]].get("quality") or 0))


def _measures(row: Row) -> dict[str, float]:
    """How good the face of a row is, and how well the model knows it; what is known."""
    names = ("quality", "recognisability")
    return {name: row[name] for name in names if row.get(name) is not None}


def sentences(clustering: Clustering, failures: int, listed: str) -> list[str]:
    """Return what to tell the user of the result, in plain words.

    Args:
        clustering: The result.
        failures: How many images could not be embedded.
        listed: The job's log, which lists all of what is told only in part.
    """
    rows, options = clustering.rows, clustering.options
    groups, noise = clustering.grouping.groups, clustering.grouping.noise
    said = [
        f"{len(rows)} images: {len(groups)} clusters with "
        f"{sum(len(g.members) for g in groups)} images, {len(noise)} in noise"
    ]
    if rejected := len(clustering.known.rejected):
        said.append(f"{rejected} images are rejected (labels.csv)")
    if failures:
        said.append(f"{failures} images could not be embedded")
    centred = sum(row["aligned"] == "centre" for row in rows)
    if centred:
        said.append(
            f"{centred} crops show no face that could be found; their centre was taken"
        )
    if len(clustering.junk):
        said.append(
            f"{len(clustering.junk)} faces are too blurred, dark or hidden to tell whose "
            "they are and went to noise (--min-recognisability 0 takes them in)"
        )
    copies = len(rows) - len(clustering.sets.chosen)
    if copies:
        counted = "count nevertheless" if options.count_duplicates else "count once"
        said.append(
            f"{copies} images are near-duplicates of others and {counted} "
            "(--count-duplicates); clusters.json lists them"
        )
    said += clustering.people.sentences([g.name for g in groups if g.name])
    said += _of_sizes(clustering)
    trouble = _of_trouble(clustering)
    said += capped(trouble, f"in {listed}")
    if len(trouble) > MOST:
        log.warning("%s", "\n".join(trouble))
    left = groups[options.top :] if options.top is not None else []
    if left:
        said.append(
            f"{len(left)} smaller clusters with {sum(len(g.members) for g in left)} "
            "images are not laid out (--top); clusters.json lists them"
        )
    return said


def _of_sizes(clustering: Clustering) -> list[str]:
    """What is odd about the sizes of the clusters, and what helps."""
    options, groups = clustering.options, clustering.grouping.groups
    images, noise = len(clustering.rows), len(clustering.grouping.noise)
    if images < options.min_cluster_size:
        return [
            f"fewer images than --min-cluster-size {options.min_cluster_size}, so all "
            "are noise"
        ]
    least = options.min_cluster_size
    alike = sum(len(rows) >= least for rows in clustering.sets.several)
    # A single one would be no cluster to HDBSCAN: nothing would set it apart.
    if not groups and alike > 1 and not options.count_duplicates:
        return [
            f"all are noise, also {alike} sets of {least} and more that are alike, as "
            "near-duplicates count once: --count-duplicates counts each"
        ]
    if not groups:
        return [
            "no group stands out, so all are noise: the images are all alike or all "
            "different; a smaller --min-cluster-size may help"
        ]
    if len(groups) == 1:
        return [] if noise else ["all images form one single cluster"]
    share = len(groups[0].members) / images
    if share <= LARGE:
        return []
    return [
        f"cluster 000 holds {share:.0%} of all images; if it mixes different things, "
        "a smaller --max-distance takes it apart"
    ]


def _of_trouble(clustering: Clustering) -> list[str]:
    """What could not be used: embeddings, lines of the user's, links."""
    rows, grouping = clustering.rows, clustering.grouping
    said = []
    if len(grouping.unusable):
        said.append(
            f"{len(grouping.unusable)} images have an embedding that cannot be compared "
            "(zero or not finite) and are noise"
        )
    return [
        *said,
        *clustering.known.faults,
        *(
            f"{rows[a]['path']} and {rows[b]['path']} are not linked: that would bring "
            "images together that must not be"
            for a, b in grouping.refused
        ),
    ]
