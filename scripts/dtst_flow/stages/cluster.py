"""Stage cluster: all embeddings in, numbered folders and clusters.json out."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from dtst_flow import embed, sidecars
from dtst_flow.cluster.groups import Group, group
from dtst_flow.files import (
    digest_value,
    read_table,
    to_json,
    write_atomic,
    write_table,
)
from dtst_flow.ledger import ForeignFile, Ledgers, Part
from dtst_flow.stages.job import Progress, state_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """The parameters of cluster that its results depend on.

    model             a key of `embed.MODELS`
    top               lay out only the largest so many clusters, None for all
    min_cluster_size  fewer images do not make a cluster
    min_samples       HDBSCAN's k: how many neighbours make a place dense
    clip_model        which of OpenCLIP's models clip is
    """

    model: str
    top: int | None = None
    min_cluster_size: int = 5
    min_samples: int = 2
    clip_model: str = embed.CLIP


def run(
    tables: list[str],
    arrays: list[str],
    failed: list[str],
    bucket: str,
    options: Options,
    summary: str,
    failures: str,
    clean: bool = False,
) -> None:
    """Cluster a bucket and lay the clusters out as folders.

    tables, arrays, failed  what embed wrote, shard by shard
    bucket    target folder; gets ``000``… by size, ``noise`` and ``clusters.json``
    summary   written last: what to tell the user
    failures  written: {path, reason} of every image that could not be embedded
    clean     remove what earlier runs wrote there before writing
    """
    rows, vectors = gather(tables, arrays)
    groups, noise = group(
        vectors,
        options.min_cluster_size,
        options.min_samples,
        embed.MODELS[options.model].same,
    )
    ledgers = Ledgers(bucket, state_of(bucket))
    if clean:
        ledgers.settle({})
    placed = _lay_out(rows, groups[: options.top], noise, ledgers)
    content = to_json(describe(rows, groups, noise, options), indent=2) + b"\n"
    entry, _ = Part(ledgers, "all").put(
        "clusters.json", digest_value(content.decode()), lambda: content, reserved=True
    )
    ledgers.settle({"all": [*placed, entry]})
    reasons = [row for table in failed for row in read_table(table)]
    write_table(failures, sorted(reasons, key=lambda row: row["path"]))
    said = sentences(rows, groups, noise, options, len(reasons))
    log.info("\n".join(said))
    write_atomic(summary, to_json({"said": said}, indent=2) + b"\n")


def gather(tables: list[str], arrays: list[str]) -> tuple[list[dict], np.ndarray]:
    """Join the shards; rows by path, so that how they were split leaves no trace.

    Returns the rows and their (n, d) float32 vectors.
    """
    rows = [row for table in tables for row in read_table(table)]
    loaded = [np.load(array) for array in arrays]
    filled = [array for array in loaded if len(array)]
    if not filled:
        return [], np.empty((0, 0), np.float32)
    order = sorted(range(len(rows)), key=lambda i: rows[i]["path"])
    return [rows[i] for i in order], np.concatenate(filled)[order]


def describe(
    rows: list[dict], groups: list[Group], noise: np.ndarray, options: Options
) -> dict:
    """The content of clusters.json."""
    shown = len(groups[: options.top])
    return {
        "parameters": asdict(options),
        "clusters": [
            {
                "rank": rank,
                "folder": f"{rank:03d}" if rank < shown else None,
                "size": len(members.members),
                "medoid": rows[members.members[0]]["path"],
                "members": [
                    {"path": rows[i]["path"], "distance": round(float(d), 6)}
                    for i, d in zip(members.members, members.distances, strict=True)
                ],
            }
            for rank, members in enumerate(groups)
        ],
        "noise": [{"path": rows[i]["path"]} for i in noise],
    }


def _lay_out(
    rows: list[dict], groups: list[Group], noise: np.ndarray, ledgers: Ledgers
) -> list[dict]:
    """Copy every image and its sidecar into its folder; returns the ledger rows."""
    part = Part(ledgers, "all")
    places = [(f"{rank:03d}", i) for rank, g in enumerate(groups) for i in g.members]
    places += [("noise", i) for i in noise]
    progress = Progress("cluster", "all", len(places))
    placed = []
    for folder, i in places:
        row = rows[i]
        name = f"{folder}/{row['stem']}{PurePosixPath(row['path']).suffix}"
        try:
            entry, written = _copy(part, name, row)
        except ForeignFile as error:
            log.warning("%s", error)
            progress.tick(failed=True)
            continue
        placed.append(entry)
        progress.tick(computed=written)
    progress.tell()
    return placed


def _copy(part: Part, name: str, row: dict) -> tuple[dict, bool]:
    source = Path(row["path"])
    try:
        sidecar = sidecars.read(source)
    except sidecars.BrokenSidecar as error:
        log.warning("%s; the image is copied without it", error)
        sidecar = {}
    key = digest_value([row["digest"], row["sidecar"]])
    return part.put(name, key, source.read_bytes, sidecar)


def sentences(
    rows: list[dict],
    groups: list[Group],
    noise: np.ndarray,
    options: Options,
    failures: int,
) -> list[str]:
    """What to tell the user of the result, in plain words."""
    said = [
        f"{len(rows)} images: {len(groups)} clusters with "
        f"{sum(len(g.members) for g in groups)} images, {len(noise)} in noise"
    ]
    if failures:
        said.append(f"{failures} images could not be embedded")
    centred = sum(row["aligned"] == "centre" for row in rows)
    if centred:
        said.append(
            f"{centred} crops show no face that could be found; their centre was taken"
        )
    if len(rows) < options.min_cluster_size:
        said.append(
            f"fewer images than --min-cluster-size {options.min_cluster_size}, so all "
            "are noise"
        )
    elif not groups:
        said.append(
            "no group stands out, so all are noise: the images are all alike or all "
            "different; a smaller --min-cluster-size may help"
        )
    elif len(groups) == 1 and not len(noise):
        said.append("all images form one single cluster")
    left = groups[options.top :] if options.top is not None else []
    if left:
        said.append(
            f"{len(left)} smaller clusters with {sum(len(g.members) for g in left)} "
            "images are not laid out (--top); clusters.json lists them"
        )
    return said
