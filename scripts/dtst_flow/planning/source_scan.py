"""The source of a stage: its images, and whether they are there at all."""

import os
from pathlib import Path

from dtst_flow.annotations import beside
from dtst_flow.dataset import digests, scan
from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.photo_keys import is_sidecar
from dtst_flow.dataset.unopened import CLOSED, Unopened
from dtst_flow.dataset.whereabouts import explain_empty
from dtst_flow.planning.plan import NothingToCluster, Plan, PlanError
from dtst_flow.stages.registry import STAGES

SEEN = "DTST_SOURCE"
"""The environment variable by which a dtst tells its Snakemake what it has just seen of the
source of the first stage: the stage's name, and the fingerprint."""


def told_fingerprint(stage: str) -> str | None:
    """Return the fingerprint of a stage's source that dtst has worked out, if it has."""
    name, _, fingerprint = os.environ.get(SEEN, "").partition(" ")
    return fingerprint if name == stage else None


def source_fingerprint(
    plan: Plan,
    stage: str,
    keep: bool = False,
    listing: scan.Listing | None = None,
    known: digests.Known | None = None,
) -> str:
    """Return what changes when anybody changes the source of a stage.

    What the stages before write there does not count: they tell of it themselves.

    Args:
        plan: What is to be run.
        stage: The stage.
        keep: Whether to note files that were touched and are unchanged, so that they are
            not read again.
        listing: The source, if it was listed already.
        known: What was known of it, if that was read already.

    Raises:
        PlanError: There is no such source, it has no image and no stage is to make them,
            or this is not the dataset folder.
    """
    if not plan.dataset.is_dir():
        raise PlanError(f"there is no dataset folder {plan.dataset}")
    if not plan.dataset.samefile("."):
        raise PlanError(
            f"the run works in {os.getcwd()}, not in the dataset folder {plan.dataset}: "
            "leave out --directory and `workdir:`, and run one dataset at a time"
        )
    listing = listing or source_listing(plan, stage)
    files = listing.files
    if not STAGES[stage].follows_sidecars:
        files = {path: files[path] for path in listing.images}
    cache = plan.state(stage) / digests.FILE
    edited = digests.unseen_edits(".", files, cache, keep, known)
    return scan.fingerprint(listing, _announced(plan, stage, listing), edited)


def known_files(plan: Plan, stage: str, listing: scan.Listing) -> digests.Known:
    """Read what the last run noted of the files in a stage's source."""
    cache = plan.state(stage) / digests.FILE
    return digests.read_known(".", listing.files, cache)


def source_listing(plan: Plan, stage: str) -> scan.Listing:
    """List the source of a stage, in the dataset's folder.

    Raises:
        PlanError: There is no such source, or it cannot be opened, or has nothing of what
            is asked for and no stage is to make it, or detect would write outside of the
            dataset.
    """
    settings, reads = plan.settings[stage], STAGES[stage].reads
    specs = [spec for spec in plan.specs(stage) if _can_be_scanned(plan, stage, spec)]
    try:
        listing = scan.scan(
            ".", specs, settings["max_file_size"], settings.get("to"), reads
        )
    except (BadBucket, Unopened) as error:
        raise PlanError(str(error)) from error
    # Told before any job runs: results of photos that there were stay as they are.
    _refuse_closed(listing, plan.state(stage) / digests.FILE)
    if plan.before(stage):
        return listing
    if not listing.images:
        kind = NothingToCluster if stage == "cluster" else PlanError
        raise kind(explain_empty(".", specs, listing.skipped, reads))
    if fault := STAGES[stage].unfit(settings, listing.files):
        raise PlanError(f"{fault}. Nothing was removed.")
    if stage == "detect" and not settings["clear"]:
        try:
            beside.check_inside(listing.images)
        except BadBucket as error:
            raise PlanError(str(error)) from error
    return listing


def _refuse_closed(listing: scan.Listing, cache: Path) -> None:
    """Refuse a source where links lead nowhere now that led to images. Raises PlanError."""
    closed = {
        path: reason
        for path, reason in listing.skipped.items()
        if reason.startswith(CLOSED)
    }
    for folder in digests.were_below(closed, cache):
        leads = f"it leads to {os.path.realpath(folder)}"
        why = closed[folder].removeprefix(f"{CLOSED}: ")
        raise PlanError(str(Unopened(folder, f"{leads}: {why}")))


def _can_be_scanned(plan: Plan, stage: str, spec: str) -> bool:
    """Whether a spec exists: a bucket that is still to be made need not."""
    return os.path.exists(spec) or spec not in map(plan.bucket, plan.before(stage))


def _announced(plan: Plan, stage: str, listing: scan.Listing) -> frozenset[str]:
    """The files in a stage's source of which a summary tells when they change."""
    maker = plan.before(stage)[-1:]
    if stage == "detect":
        return frozenset(path for path in listing.files if path.endswith(".json"))
    if maker == ["detect"]:
        return frozenset(
            path for path in listing.files if is_sidecar(path, listing.files)
        )
    if not maker:
        return frozenset()
    bucket = plan.bucket(maker[0])
    ledgers = STAGES[maker[0]].ledgers(bucket)
    owned = ledgers.paths() | {one.row.path for one in ledgers.found()}
    return frozenset(f"{bucket}/{path}{x}" for path in owned for x in ("", ".json"))
