"""The settings by which a bucket was clustered last, to cluster it again."""

from pathlib import PurePosixPath
from typing import Any

import yaml

from dtst_flow.dataset.state import STATE, state_of
from dtst_flow.review.clustering import Clustering
from dtst_flow.stages.cluster import SETTINGS
from dtst_flow.utils.files import read_bytes, read_json

LARGEST = 1 << 20
"""Most bytes of a config."""

ONCE = ("clean", "cache")
"""Settings that were meant for that run only."""

OVERALL = ("container", "gpu", "shard_size", "strict")
"""Settings that are of no stage."""


def config_of(bucket: str, clustering: Clustering) -> dict[str, Any]:
    """The content of a config file by which ``dtst cluster`` makes the bucket again.

    It is what the job noted that made the bucket; where that is lost, what clusters.json
    says and what was asked of dtst.

    Args:
        bucket: The bucket of the clusters, in the dataset's folder.
        clustering: What is in it.
    """
    given = _given(bucket)
    settings = _noted(bucket)
    if settings is None:
        folders = {str(PurePosixPath(path).parent) for path in clustering.paths}
        known = {k: v for k, v in clustering.parameters.items() if v is not None}
        where = {"from": sorted(folders), "to": bucket}
        settings = known | where | given.get("cluster", {})
    kept = {k: v for k, v in settings.items() if k not in ONCE and v is not None}
    overall = {name: given[name] for name in OVERALL if name in given}
    return overall | {"cluster": kept}


def _noted(bucket: str) -> dict[str, Any] | None:
    """What the job noted that clustered last, if it is there."""
    try:
        settings = read_json(state_of(bucket) / SETTINGS)
    except (OSError, ValueError):
        return None
    usable = isinstance(settings, dict) and settings.get("to") == bucket
    return settings if usable else None


def _given(bucket: str) -> dict[str, Any]:
    """What was asked of dtst in its last run that made the bucket, if that is known."""
    paths = [p for p in (STATE / "config").glob("*.yaml") if p.is_file()]
    for path in sorted(paths, key=lambda p: -p.stat().st_mtime_ns):
        try:
            given: dict[str, Any] = yaml.safe_load(read_bytes(path, LARGEST))
            target = given["cluster"].get("to") or "cluster"
        except (AttributeError, LookupError, OSError, TypeError, RecursionError):
            continue
        except (ValueError, yaml.YAMLError):
            continue
        if target == bucket:
            return given
    return {}
