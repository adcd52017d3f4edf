"""What a dry run tells of images: how many would be computed, how many are known."""

import os
from collections.abc import Iterator
from dataclasses import fields

import yaml

from dtst_flow import embed, faces, inventory, models, sidecars
from dtst_flow.cli import settings
from dtst_flow.cli.home import home
from dtst_flow.cli.run import Request
from dtst_flow.images import UnreadableImage
from dtst_flow.stages import embed as embed_stage
from dtst_flow.stages import extract_faces
from dtst_flow.stages.job import state_of


def forecast(request: Request) -> Iterator[str]:
    """Yield a sentence for every stage asked for."""
    base = yaml.safe_load((home() / "config" / "config.yaml").read_text())
    here = os.getcwd()
    os.chdir(request.dataset)
    try:
        source = None
        for section, given in request.settings.items():
            properties = settings.schema()[section]["properties"]
            values = {name: p["default"] for name, p in properties.items()}
            values |= base.get(section, {}) | given
            values["from"] = values["from"] or source
            source = values["to"]
            yield f"{section.replace('_', '-')}: {_sentence(section, values)}"
    finally:
        os.chdir(here)


def _sentence(section: str, values: dict) -> str:
    specs = inventory.parse_specs(values["from"])
    try:
        listing = inventory.scan(".", specs)
    except inventory.BadBucket:
        return f"{values['from']} is not there yet; its images will all be new"
    cache = state_of(values["to"]) / "digests.jsonl"
    images = listing.images
    content = inventory.digests(".", listing.files, cache)
    content = {path: content[path] for path in images if path in content}
    counting = {"extract_faces": _known_faces, "cluster": _known_embeddings}
    known = counting[section](values, content)
    return (
        f"{len(images)} images, {len(content) - known} to compute, "
        f"{known} known from records"
    )


def _known_faces(values: dict, content: dict[str, str]) -> int:
    names = (field.name for field in fields(extract_faces.Options))
    options = extract_faces.Options(**{name: values[name] for name in names})
    weights = models.resolve(faces.MODELS[options.engine], values["weights"])
    records = extract_faces.records(options, weights.digest)
    return sum(records.get(digest) is not None for digest in content.values())


def _known_embeddings(values: dict, content: dict[str, str]) -> int:
    model = values["model"]
    weights = models.resolve(embed.MODELS[model].weights, values["weights"])
    records = embed_stage.records(model, weights.digest, fresh=not values["cache"])
    return sum(
        records.get(embed_stage.identity({"digest": digest}, points)) is not None
        for digest, points in _with_points(model, content)
    )


def _with_points(model: str, content: dict[str, str]) -> Iterator[tuple]:
    for path, digest in content.items():
        try:
            points = (
                embed_stage.stored_points(path) if embed.MODELS[model].points else None
            )
        except (sidecars.BrokenSidecar, UnreadableImage):
            continue
        yield digest, points
