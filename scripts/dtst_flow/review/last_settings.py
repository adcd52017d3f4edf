"""The settings by which a bucket was clustered last, to cluster it again."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from dtst_flow.dataset.state import STATE
from dtst_flow.planning.config import complete_config
from dtst_flow.planning.pipelines import PIPELINES, resolve_defaults
from dtst_flow.planning.schema import BadSettings
from dtst_flow.review.clustering import Clustering
from dtst_flow.utils.files import read_bytes

LARGEST = 1 << 20
"""Most bytes of a config."""

ONCE = ("clean", "cache")
"""Settings that were meant for that run only."""

WHERE = ("root", "dataset", "path")
"""What a config says besides settings."""


def config_of(bucket: str, clustering: Clustering) -> dict[str, Any]:
    """The content of a config file by which ``dtst cluster`` makes the bucket again.

    It is what dtst noted of its last run that made this bucket. Where Snakemake was run
    without dtst, nothing is noted, and what clusters.json says is taken.

    Args:
        bucket: The bucket of the clusters, in the dataset's folder.
        clustering: What is in it.
    """
    for given in _noted():
        settings = _cluster_settings(given)
        if settings is not None and settings["to"] == bucket:
            rest = {k: v for k, v in given.items() if not isinstance(v, dict)}
            top = {k: v for k, v in rest.items() if k not in WHERE}
            return top | {"cluster": settings}
    folders = {str(PurePosixPath(path).parent) for path in clustering.paths}
    known = {k: v for k, v in clustering.parameters.items() if v is not None}
    return {"cluster": known | {"from": sorted(folders), "to": bucket}}


def _noted() -> Iterator[dict[str, Any]]:
    """Yield the configs of the last run of each path, the newest first."""
    paths = [p for p in (STATE / "config").glob("*.yaml") if p.is_file()]
    for path in sorted(paths, key=lambda p: -p.stat().st_mtime_ns):
        try:
            given = yaml.safe_load(read_bytes(path, LARGEST))
        except (OSError, RecursionError, ValueError, yaml.YAMLError):
            continue
        if isinstance(given, dict):
            yield given


def _cluster_settings(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings of cluster that a config gives; None where it does not cluster."""
    path = given.get("path")
    if not isinstance(path, str) or "cluster" not in PIPELINES.get(path, ()):
        return None
    try:
        complete = complete_config(given)
    except (AttributeError, BadSettings, TypeError):
        return None
    resolved = resolve_defaults(path, {s: complete[s] for s in PIPELINES[path]})
    cluster = resolved["cluster"]
    own = given.get("cluster") or {}
    asked = {name: cluster[name] for name in own if name not in ONCE}
    return asked | {name: cluster[name] for name in ("from", "to", "model")}
