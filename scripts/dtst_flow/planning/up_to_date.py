"""Whether there is nothing to do, known without Snakemake.

What Snakemake decides is told by the sources, the settings, the code, the software, its own
notes and the state of the buckets. After a run that ended well all of that is noted. As long
as it stays, and nobody edits results, Snakemake would find nothing to do: loading it, and
having it see that, is most of what such a run costs. Where anything differs, be it of no
consequence, Snakemake decides.

All is worked out in the dataset folder.
"""

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dtst_flow.dataset import digests
from dtst_flow.dataset.scan import FileStat, Listing
from dtst_flow.planning.home import home
from dtst_flow.planning.plan import Plan, PlanError
from dtst_flow.planning.source_scan import source_fingerprint
from dtst_flow.planning.staleness import stage_version, stale_files
from dtst_flow.utils.files import (
    GARBAGE,
    digest_value,
    read_json,
    to_json,
    write_atomic,
)
from dtst_flow.utils.folders import folders_below

NOTE = "up-to-date.json"
"""Name of the note in the state of the last stage's bucket."""

WORKFLOW = ("Snakefile", "config", "envs", "profiles", "scripts", "workflow")
"""The files that say what is done, and how; for the jobs as for Snakemake."""

PASSED_OVER = (NOTE, digests.UNSEEN, ".pyc")
"""How the names of files end on which no decision depends but by what is asked here anyway."""

SNAKEMAKES = tuple(Path(".snakemake") / x for x in ("incomplete", "locks", "metadata"))
"""Where Snakemake keeps what it goes by."""

VARIABLES = ("CONDA", "DTST", "HOME", "LANG", "LC_", "PATH", "PYTHON", "XDG")
"""How the names of environment variables begin that programs go by."""


def asked_for(plan: Plan, config: Mapping[str, Any], words: Sequence[str]) -> str:
    """Digest all that a run depends on besides sources and state.

    Args:
        plan: What is to be run.
        config: All settings.
        words: The arguments of Snakemake.
    """
    stages = [stage.name for stage in plan.stages]
    variables = {k: v for k, v in os.environ.items() if k.startswith(VARIABLES)}
    return digest_value(
        {
            "config": dict(config),
            "words": list(words),
            "versions": {name: stage_version(plan, name) for name in stages},
            "labels": plan.labels() if "cluster" in stages else None,
            "clusters": plan.clusters() if "select" in stages else None,
            "workflow": sorted(_workflow()),
            "software": [sys.version, _installed(), variables],
        }
    )


def is_known(plan: Plan, asked: str, listing: Listing) -> bool:
    """Tell whether all is as it was when there was nothing left to do.

    Args:
        plan: What is to be run.
        asked: What `asked_for` returned.
        listing: The source of its first stage.
    """
    first = plan.stages[0].name
    try:
        noted = read_json(_note(plan))
        if noted["asked"] != asked or noted["images"] != len(listing.images):
            return False
        if noted["state"] != _state(plan):
            return False
        for stage in plan.stages:
            seen = listing if stage.name == first else None
            now = source_fingerprint(plan, stage.name, keep=True, listing=seen)
            if noted["sources"][stage.name] != now:
                return False
        return not stale_files(plan).files
    except (PlanError, *GARBAGE):
        return False


def keep(
    plan: Plan, asked: str, images: int, sources: Mapping[str, Collection[str]]
) -> None:
    """Note that there is nothing left to do, if that is certain.

    Args:
        plan: What was run, to a good end.
        asked: What `asked_for` returned before the run, and returns now.
        images: How many were in the source of its first stage.
        sources: Stage -> the fingerprints that Snakemake saw of its source; more than one
            where somebody edited it meanwhile.
    """
    seen = {stage.name: list(sources.get(stage.name, ())) for stage in plan.stages}
    if any(len(one) != 1 for one in seen.values()):
        return
    only = {name: one for name, (one,) in seen.items()}
    with suppress(OSError):  # the next run then asks Snakemake
        note = {
            "asked": asked,
            "images": images,
            "state": _state(plan),
            "sources": only,
        }
        write_atomic(_note(plan), to_json(note))


def _note(plan: Plan) -> Path:
    return plan.state(plan.stages[-1].name) / NOTE


def _state(plan: Plan) -> str:
    """Digest what is known of each file that earlier runs left, but for this note."""
    folders = [plan.state(stage.name) for stage in plan.stages]
    return digest_value(
        [sorted(_files_below(each)) for each in (*folders, *SNAKEMAKES)]
    )


def _workflow() -> Iterator[tuple[Any, ...]]:
    package = Path(__file__).resolve().parents[1]
    places = {package, *(home() / name for name in WORKFLOW)}
    for place in places:  # of a checkout the package is in one, else they are in it
        if places.isdisjoint(place.parents):
            yield from _files_below(place)


def _files_below(place: Path) -> Iterator[tuple[Any, ...]]:
    """Yield of each file its path and what every edit of it changes."""
    if place.is_file():
        yield str(place), *FileStat.of(place.stat())
    for folder in folders_below(place):
        with os.scandir(folder) as entries:
            for entry in entries:
                if not (entry.name.endswith(PASSED_OVER) or entry.is_dir()):
                    yield entry.path, *FileStat.of(entry.stat(follow_symlinks=False))


def _installed() -> list[int]:
    """When anything was last put into the folders that packages are in."""
    folders = (path for path in sys.path if os.path.isdir(path or "\0"))
    return [os.stat(folder).st_mtime_ns for folder in folders]
