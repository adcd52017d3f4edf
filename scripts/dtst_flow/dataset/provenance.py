"""Provenance: what a crop's sidecar says of where it comes from, and how it was written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from dtst_flow.dataset import sidecars
from dtst_flow.dataset.entries import Signature
from dtst_flow.utils.files import digest

SOURCES = ("image", "video")
"""The keys of a provenance of which one names what a crop was made of."""

MARKS = frozenset({"file", "keys"})
"""What `sign` adds to a provenance: the digest of the crop's bytes, and the
`sidecars.signature` of all other keys of the sidecar."""


def sign(sidecar: dict[str, Any], content: bytes) -> dict[str, Any]:
    """Complete the provenance of a crop by what it is known by again.

    Args:
        sidecar: Our keys of its sidecar.
        content: The bytes of the crop.
    """
    marks = {"file": digest(content), "keys": sidecars.signature(_rest(sidecar))}
    return {**sidecar, "provenance": sidecar["provenance"] | marks}


def unsigned(sidecar: Mapping[str, Any]) -> Signature:
    """Sign the keys of a crop's or photo's sidecar that its provenance does not sign."""
    signed = _signed(sidecar)
    every = sidecars.signature(_rest(sidecar))
    return {key: value for key, value in every.items() if signed.get(key) != value}


def signatures(image: Path, *more: Signature) -> tuple[Signature, ...]:
    """Return what the provenance in an image's sidecar signs, and more signatures."""
    try:
        signed = _signed(sidecars.read(image))
    except sidecars.BrokenSidecar:
        signed = {}
    return tuple(filter(None, (signed, *more)))


def source_of(provenance: Mapping[str, Any]) -> Any:
    """Return the photo, or the video, that a provenance speaks of; None of neither."""
    return next((provenance[key] for key in SOURCES if key in provenance), None)


def same_photo(one: object, ours: Mapping[str, Any] | None) -> bool:
    """Tell whether a provenance speaks of the photo or video that one of ours does."""
    other = (ours or {}).get("provenance")
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    source, digest = source_of(other), other.get("digest")
    return source is not None and (source_of(one), one.get("digest")) == (
        source,
        digest,
    )


def _rest(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sidecar.items() if key != "provenance"}


def _signed(sidecar: Mapping[str, Any]) -> Signature:
    said = sidecar.get("provenance")
    keys = said.get("keys") if isinstance(said, dict) else None
    return keys if is_signature(keys) else {}


def is_signature(value: object) -> TypeGuard[Signature]:
    """Tell whether a JSON value is a `sidecars.signature`."""
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
