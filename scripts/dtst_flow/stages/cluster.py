"""Stage cluster: all embeddings in, numbered folders and clusters.json out."""

import functools
import logging
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from dtst_flow import embed, place, sidecars
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
    link: str = "copy",
    clean: bool = False,
) -> None:
    """Cluster a bucket and lay the clusters out as folders.

    tables, arrays, failed  what embed wrote, shard by shard
    bucket    target folder; gets ``000``… by size, ``noise`` and ``clusters.json``
    summary   written last: what to tell the user
    failures  written: {path, reason} of every image that could not be embedded or
              laid out
    link      a key of `place.WAYS`: what the images there are; for all else of no account
    clean     remove what earlier runs wrote there before writing

    Raises SystemExit, once the bucket is settled, when no image could be laid out.
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
    placed, left_out = _lay_out(rows, groups[: options.top], noise, ledgers, link)
    content = to_json(describe(rows, groups, noise, options), indent=2) + b"\n"
    entry, _ = Part(ledgers, "all").put(
        "clusters.json", digest_value(content.decode()), lambda: content, reserved=True
    )
    ledgers.settle({"all": [*placed, entry]})
    reasons = [row for table in failed for row in read_table(table)]
    write_table(failures, sorted(reasons + left_out, key=lambda row: row["path"]))
    said = sentences(rows, groups, noise, options, len(reasons))
    if left_out:
        said.append(f"{len(left_out)} images could not be laid out")
    log.info("\n".join(said))
    if left_out and not placed:
        raise SystemExit("; ".join([*said, left_out[0]["reason"]]))
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
    rows: list[dict],
    groups: list[Group],
    noise: np.ndarray,
    ledgers: Ledgers,
    link: str,
) -> tuple[list[dict], list[dict]]:
    """Bring every image and its sidecar into its folder.

    Returns the ledger rows, and {path, reason} of every image that could not go there.
    """
    part = Part(ledgers, "all")
    places = [(f"{rank:03d}", i) for rank, g in enumerate(groups) for i in g.members]
    places += [("noise", i) for i in noise]
    progress = Progress("cluster", "all", len(places))
    placed, left_out = [], []
    for folder, i in places:
        row = rows[i]
        name = f"{folder}/{row['stem']}{PurePosixPath(row['path']).suffix}"
        try:
            entry, written = _place(part, name, row, link)
        except (ForeignFile, sidecars.BrokenSidecar, place.LinkRefused) as error:
            left_out.append({"path": row["path"], "reason": str(error)})
            log.warning("%(path)s: %(reason)s", left_out[-1])
            progress.tick(failed=True)
            continue
        placed.append(entry)
        progress.tick(computed=written)
    progress.tell()
    return placed, left_out


def _place(part: Part, name: str, row: dict, link: str) -> tuple[dict, bool]:
    source = Path(row["path"])
    try:
        sidecar = sidecars.read(source)
    except sidecars.BrokenSidecar as error:
        log.warning("%s; the image is laid out without it", error)
        sidecar = {}
    # The path, as a link to it is another when the image moves.
    key = digest_value([row["digest"], row["sidecar"], row["path"], link])
    fill = functools.partial(place.WAYS[link], source)
    return part.place(name, key, fill, sidecar)


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
