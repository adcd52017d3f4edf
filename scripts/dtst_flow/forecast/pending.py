"""What a dry run tells of images: how much would be computed, how much is there.

What that takes is told by `outlook`.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

import yaml

from dtst_flow.annotations.boxes import parse_classes
from dtst_flow.cli import settings
from dtst_flow.cli.run import Request
from dtst_flow.dataset import inventory, scan, sidecars
from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.dataset.stems import unique_stems
from dtst_flow.detect import detectors, vocabulary
from dtst_flow.embed import embedders
from dtst_flow.faces import engines
from dtst_flow.forecast.predict import Counted, Setup, outlook
from dtst_flow.models import store
from dtst_flow.planning.home import home
from dtst_flow.planning.pipelines import PIPELINES, resolve_defaults
from dtst_flow.stages import detect as detect_stage
from dtst_flow.stages import embed as embed_stage
from dtst_flow.stages import extract_classes, extract_faces
from dtst_flow.stages.trial import options_of
from dtst_flow.utils import gpu


def forecast(request: Request, seconds: float) -> Iterator[str]:
    """Yield sentences for every stage asked for.

    seconds  that Snakemake took to plan the run
    """
    base = yaml.safe_load((home() / "config" / "config.yaml").read_text())
    here = os.getcwd()
    os.chdir(request.dataset)
    try:
        every = {}
        for section in PIPELINES[request.path]:
            properties = settings.schema()[section]["properties"]
            values = {name: p["default"] for name, p in properties.items()}
            given = request.settings.get(section, {})
            every[section] = values | base.get(section, {}) | given
        settled = resolve_defaults(request.path, every)
        counted = [_count(section, values) for section, values in settled.items()]
        yield from outlook(request.path, counted, _setup(request, base, seconds))
    finally:
        os.chdir(here)


def _setup(request: Request, base: dict, seconds: float) -> Setup:
    """Where and how the run would take place."""
    size = settings.schema()["shard_size"]["default"]
    wanted = base.get("gpu") if request.gpu is None else request.gpu
    cores = request.cores or "all"
    return Setup(
        cores=int(cores) if cores.isdigit() else _all_cores(),
        gpu=gpu.count() > 0 if wanted is None else wanted,
        shard_size=base.get("shard_size", size),
        planning=seconds,
        elsewhere=request.profile is not None,
    )


def _all_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _count(section: str, values: dict) -> Counted:
    """What a stage would do."""
    specs = scan.parse_specs(values["from"])
    try:
        listing = scan.scan(".", specs, values["max_file_size"])
    except BadBucket:
        return Counted(section, values, f"{values['from']} is not there yet")
    cache = state_of(values.get("to", f".{section}")) / inventory.DIGESTS
    images = listing.images
    content = inventory.digests(".", listing.files, cache)
    content = {path: content[path] for path in images if path in content}
    if section == "detect" and values["clear"]:
        said = f"{len(images)} images, {_to_clear(values, images)} sidecars to clear"
        return Counted(section, values, said)
    counting = {
        "extract_faces": _new_faces,
        "detect": _new_detections,
        "extract_classes": _new_crops,
        "cluster": _new_embeddings,
    }
    todo, said = counting[section](values, content)
    said = said or (
        f"{len(todo)} to compute, {len(content) - len(todo)} known from records"
    )
    files = {path: size for path, (size, _) in listing.files.items()}
    return Counted(section, values, f"{len(images)} images, {said}", files, todo)


def distinct(content: dict[str, str]) -> list[str]:
    """Of images of the same content one, as the record of one does for all.

    content  path -> digest
    """
    return sorted({digest: path for path, digest in content.items()}.values())


def _new_crops(values: dict, content: dict[str, str]) -> tuple[list[str], str]:
    """The images of which extract-classes would write crops, and how many in words.

    Of an image of still unknown size each box counts, also those of which it would turn
    out that they reach outside the image.
    """
    options = options_of(extract_classes.Options, values)
    ledgers = Ledgers(values["to"], state_of(values["to"]))
    owned, sizes = ledgers.owned(), extract_classes.sizes()
    stems = unique_stems(content)
    planned, current, unsized = 0, 0, False
    todo = []
    for path, digest in content.items():
        try:
            choice = extract_classes.choose(sidecars.read(path), options)
        except sidecars.BrokenSidecar:
            continue
        size = sizes.get(digest)
        if size is None:
            boxes = sum(extract_classes.passes(box, options) for box in choice.wanted)
            planned += boxes
            unsized |= boxes > 0
            todo += [path] * (boxes > 0)
            continue
        new = planned - current
        row = {"path": path, "digest": digest, "stem": stems[path]}
        for crop in extract_classes.plan(row, choice, *size, options):
            if isinstance(crop, str):
                continue
            planned += 1
            current += ledgers.is_current(owned.get(crop.name), crop.key)
        todo += [path] * (planned - current > new)
    to_write = f"{'at most ' if unsized else ''}{planned - current}"
    return todo, f"{to_write} crops to write, {current} there already"


def _new_faces(values: dict, content: dict[str, str]) -> tuple[list[str], str]:
    options = options_of(extract_faces.Options, values)
    weights = store.resolve(engines.MODELS[options.engine], values["weights"])
    records = extract_faces.records(options, weights.digest)
    return distinct({p: d for p, d in content.items() if records.get(d) is None}), ""


def _new_detections(values: dict, content: dict[str, str]) -> tuple[list[str], str]:
    options = options_of(detect_stage.Options, values)
    kind = detectors.MODELS[values["model"]]
    weights = store.resolve(kind.weights, values["weights"])
    learnt = vocabulary.learn(weights, parse_classes(options.classes))
    records = detect_stage.records(options, weights.digest, learnt)
    return distinct({p: d for p, d in content.items() if records.get(d) is None}), ""


def _to_clear(values: dict, images: list[str]) -> int:
    """How many sidecars hold something that detect would take out."""
    wanted = detect_stage.clears(options_of(detect_stage.Options, values))
    written = detect_stage.ownership()
    return sum(any(map(wanted, written.classes(path))) for path in images)


def _new_embeddings(values: dict, content: dict[str, str]) -> tuple[list[str], str]:
    weights = store.resolve(embedders.registered(values), values["weights"])
    options = options_of(embed_stage.Options, values)
    records = embed_stage.records(options, weights.digest, fresh=not values["cache"])
    points = embedders.MODELS[values["model"]].points
    known = {
        path
        for path, item in _with_points(points, content)
        if records.get(embed_stage.identity(item)) is not None
    }
    return distinct({path: content[path] for path in content if path not in known}), ""


def _with_points(points: bool, content: dict[str, str]) -> Iterator[tuple]:
    for path, digest in content.items():
        with suppress(sidecars.BrokenSidecar):
            stored = embed_stage.stored_points(path) if points else None
            yield path, {"digest": digest, "points": stored}
