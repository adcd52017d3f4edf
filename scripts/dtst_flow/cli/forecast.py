"""What a dry run tells of images: how much would be computed, how much is there."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from typing import Any

import yaml

from dtst_flow import detect, embed, faces, inventory, models, sidecars
from dtst_flow.classes.entries import asked
from dtst_flow.cli import settings
from dtst_flow.cli.home import home
from dtst_flow.cli.run import Request
from dtst_flow.detect import vocabulary
from dtst_flow.inside import BadBucket
from dtst_flow.ledger import Ledgers
from dtst_flow.paths import PATHS, settle
from dtst_flow.stages import detect as detect_stage
from dtst_flow.stages import embed as embed_stage
from dtst_flow.stages import extract_classes, extract_faces
from dtst_flow.state import state_of
from dtst_flow.stems import unique_stems


def forecast(request: Request) -> Iterator[str]:
    """Yield a sentence for every stage asked for."""
    base = yaml.safe_load((home() / "config" / "config.yaml").read_text())
    here = os.getcwd()
    os.chdir(request.dataset)
    try:
        every = {}
        for section in PATHS[request.path]:
            properties = settings.schema()[section]["properties"]
            values = {name: p["default"] for name, p in properties.items()}
            given = request.settings.get(section, {})
            every[section] = values | base.get(section, {}) | given
        for section, values in settle(request.path, every).items():
            yield f"{section.replace('_', '-')}: {_sentence(section, values)}"
    finally:
        os.chdir(here)


def _sentence(section: str, values: dict) -> str:
    specs = inventory.parse_specs(values["from"])
    try:
        listing = inventory.scan(".", specs, values["max_file_size"])
    except BadBucket:
        return f"{values['from']} is not there yet; its images will all be new"
    cache = state_of(values.get("to", f".{section}")) / inventory.DIGESTS
    images = listing.images
    content = inventory.digests(".", listing.files, cache)
    content = {path: content[path] for path in images if path in content}
    if section == "detect" and values["clear"]:
        return f"{len(images)} images, {_to_clear(values, images)} sidecars to clear"
    if section == "extract_classes":
        return f"{len(images)} images, {_crops(values, content)}"
    counting = {
        "extract_faces": _known_faces,
        "detect": _known_detections,
        "cluster": _known_embeddings,
    }
    known = counting[section](values, content)
    return (
        f"{len(images)} images, {len(content) - known} to compute, "
        f"{known} known from records"
    )


def _options(kind: type, values: dict) -> Any:
    """The options of a stage among its settings."""
    return kind(**{field.name: values[field.name] for field in fields(kind)})


def _crops(values: dict, content: dict[str, str]) -> str:
    """How many crops extract-classes would write.

    Of an image of still unknown size each box counts, also those of which it would turn
    out that they reach outside the image.
    """
    options = _options(extract_classes.Options, values)
    ledgers = Ledgers(values["to"], state_of(values["to"]))
    owned, sizes = ledgers.owned(), extract_classes.sizes()
    stems = unique_stems(content)
    planned, current, unsized = 0, 0, False
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
            continue
        row = {"path": path, "digest": digest, "stem": stems[path]}
        for crop in extract_classes.plan(row, choice, *size, options):
            if isinstance(crop, str):
                continue
            planned += 1
            known = owned.get(crop.name, {})
            current += known.get("key") == crop.key and ledgers.intact(known)
    to_write = f"{'at most ' if unsized else ''}{planned - current}"
    return f"{to_write} crops to write, {current} there already"


def _known_faces(values: dict, content: dict[str, str]) -> int:
    options = _options(extract_faces.Options, values)
    weights = models.resolve(faces.MODELS[options.engine], values["weights"])
    records = extract_faces.records(options, weights.digest)
    return sum(records.get(digest) is not None for digest in content.values())


def _known_detections(values: dict, content: dict[str, str]) -> int:
    options = _options(detect_stage.Options, values)
    kind = detect.MODELS[values["model"]]
    weights = models.resolve(kind.weights, values["weights"])
    learnt = vocabulary.learn(weights, asked(options.classes))
    records = detect_stage.records(options, weights.digest, learnt)
    return sum(records.get(digest) is not None for digest in content.values())


def _to_clear(values: dict, images: list[str]) -> int:
    """How many sidecars hold something that detect would take out."""
    wanted = detect_stage.clears(_options(detect_stage.Options, values))
    written = detect_stage.written()
    return sum(any(map(wanted, written.classes(path))) for path in images)


def _known_embeddings(values: dict, content: dict[str, str]) -> int:
    weights = models.resolve(embed.registered(values), values["weights"])
    options = _options(embed_stage.Options, values)
    records = embed_stage.records(options, weights.digest, not values["cache"])
    points = embed.MODELS[values["model"]].points
    return sum(
        records.get(embed_stage.identity(item)) is not None
        for item in _with_points(points, content)
    )


def _with_points(points: bool, content: dict[str, str]) -> Iterator[dict]:
    for path, digest in content.items():
        with suppress(sidecars.BrokenSidecar):
            stored = embed_stage.stored_points(path) if points else None
            yield {"digest": digest, "points": stored}
