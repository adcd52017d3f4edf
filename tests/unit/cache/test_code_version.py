"""What changes the version of code, and what does not."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dtst_flow.cache import code_version as versions
from dtst_flow.cache.code_version import PACKAGE, code_version, significant
from dtst_flow.detect import detectors
from dtst_flow.embed import embedders
from dtst_flow.faces import engines
from dtst_flow.imaging import decode
from dtst_flow.stages import extract_faces

SOURCES = {
    "__init__.py": "",
    "low.py": "LOW = 1",
    "other.py": "OTHER = 1",
    "top.py": "from pack.middle import f",
    "middle.py": "def f():\n    from pack import low\n    return low.LOW",
    "room/__init__.py": "from pack.low import LOW",
    "room/part.py": "from pack.room import LOW",
    "ring.py": "from pack.ring2 import b\na = 1",
    "ring2.py": "from pack import ring\nb = ring",
    "cousin.py": "from package import x\nimport json",
    "maker.py": "from pack.runtime.pool import each\nfrom pack.models.registry import ALL",
    "models/registry.py": "ALL = {}",
    "runtime/pool.py": "each = 1",
}


@pytest.fixture(autouse=True)
def empty_memo(tmp_path_factory, monkeypatch):
    """Nothing was seen before, by a run of this package or by another test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    forget()
    yield
    forget()


def forget() -> None:
    """As a new process, which has the memo on the disk."""
    versions._memo.cache_clear()
    versions._read.cache_clear()
    versions.code_version.cache_clear()


@pytest.fixture
def pack(tmp_path, monkeypatch) -> Path:
    """A package on disk."""
    folder = tmp_path / "pack"
    for name, source in SOURCES.items():
        write(folder / name, source)
    monkeypatch.setattr(versions, "PACKAGE", folder)
    return folder


def write(path: Path, source: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    forget()


def version(*modules: str) -> str:
    return code_version(*(ModuleType(f"pack.{module}") for module in modules))


@pytest.mark.parametrize(
    ("module", "counts"),
    [
        ("low", {"low.py"}),
        ("middle", {"middle.py", "low.py"}),
        ("top", {"top.py", "middle.py", "low.py"}),
        ("room", {"room/__init__.py", "low.py"}),
        ("room.part", {"room/part.py", "room/__init__.py", "low.py"}),
        ("ring", {"ring.py", "ring2.py"}),
        ("cousin", {"cousin.py"}),
        ("maker", {"maker.py"}),
    ],
)
def test_it_changes_with_all_that_is_imported_and_nothing_else(pack, module, counts):
    before = version(module)
    assert version(module) == before
    for name, source in SOURCES.items():
        write(pack / name, f"{source}\nedited = 1")
        assert (version(module) != before) is (name in counts), name
        write(pack / name, f"{source}\n# edited")
        assert version(module) == before
        write(pack / name, source)


def test_that_of_several_modules_changes_with_each(pack):
    before = version("low", "other")
    for name in ("low.py", "other.py"):
        write(pack / name, "LOW = OTHER = 2")
        assert version("low", "other") != before
        write(pack / name, SOURCES[name])


CODE = '''
"""About the module."""

import os

LIMIT = 3
"""About the limit."""


class Part:
    """About the part."""

    def run(self, a, b=(1,)):
        """About running."""
        name = f"{a!r:>{LIMIT}} {b} {'x'}" f"{os.sep}"
        if a:
            return [a, b, {"c": name}]
        return f(a, b)
'''

SAME = {
    "comments": CODE.replace("LIMIT = 3", "# at most\nLIMIT = 3  # so many"),
    "docstrings": CODE.replace("About", 'Told "here" of'),
    "no docstrings": "\n".join(line for line in CODE.split("\n") if '"""' not in line),
    "blank lines": CODE.replace("\n", "\n\n"),
    "wider indents": CODE.replace("    ", "  "),
    "broken brackets": CODE.replace(
        'return [a, b, {"c": name}]',
        'return [\n    a,\n    b,\n    {"c": name},\n]',
    ).replace("f(a, b)", "f(\n  a,\n  b,\n)"),
    "line endings": CODE.replace("\n", "\r\n"),
}

OTHER = {
    "a constant": CODE.replace("LIMIT = 3", "LIMIT = 4"),
    "text that is no docstring": CODE.replace('"c"', '"d"'),
    "an f-string": CODE.replace("{b} ", "{b}  "),
    "a format": CODE.replace("!r", "!s"),
    "a tuple of one": CODE.replace("(1,)", "(1)"),
    "an indent": CODE.replace("        return f(a, b)", "            return f(a, b)"),
    "a name": CODE.replace("def run", "def walk"),
}


@pytest.mark.parametrize("change", SAME)
def test_what_code_does_not_mean_does_not_count(change):
    assert SAME[change] != CODE
    assert [*significant(SAME[change])] == [*significant(CODE)]


@pytest.mark.parametrize("change", OTHER)
def test_what_code_means_counts(change):
    assert OTHER[change] != CODE
    assert [*significant(OTHER[change])] != [*significant(CODE)]


COMPUTING = [
    decode,
    *map(engines.module_of, engines.MODELS),
    *map(embedders.module_of, embedders.MODELS),
    *map(detectors.module_of, (Path("x.onnx"), Path("x.pt"))),
]


@pytest.fixture
def copied(tmp_path, monkeypatch) -> Path:
    """A copy of this package, to be changed."""
    folder = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(versions, "PACKAGE", folder)
    return folder


def all_versions() -> list[str]:
    forget()
    return [code_version(module) for module in (*COMPUTING, extract_faces)]


def test_comments_docstrings_and_new_models_recompute_nothing(copied):
    before = all_versions()
    for path in copied.rglob("*.py"):
        tree = ast.parse(path.read_text())
        lines = path.read_text().split("\n")
        if doc := ast.get_docstring(tree, clean=False):
            lines[0] = lines[0].replace(doc.split("\n")[0], "Now told otherwise.")
        path.write_text("\n".join([*lines, "# And a comment.", ""]))
    registry = copied / "models/registry.py"
    registry.write_text(f"{registry.read_text()}\nENTRIES += ({{'name': 'new'}},)\n")
    for catalogue in ("faces/engines", "embed/embedders", "detect/detectors"):
        path = copied / f"{catalogue}.py"
        path.write_text(f"{path.read_text()}\nMODELS['new'] = None\n")
    assert all_versions() == before


@pytest.mark.parametrize("module", COMPUTING, ids=lambda module: module.__name__)
def test_a_changed_constant_counts_for_what_depends_on_it(copied, module):
    before = all_versions()
    name = module.__name__.removeprefix(f"{PACKAGE.name}.").replace(".", "/")
    path = copied / f"{name}.py"
    path.write_text(f"{path.read_text()}\nEDITED = 1\n")
    now = all_versions()
    changed = [m for m, a, b in zip(COMPUTING, before, now, strict=False) if a != b]
    assert module in changed
    assert decode in changed or decode is not module
    others = [m for m in changed if module.__name__ not in source_of(m)]
    assert others in ([], [module])


def source_of(module: ModuleType) -> str:
    """The text of a module, which names what it imports."""
    return Path(str(module.__file__)).read_text() + module.__name__


def test_every_python_gives_the_same(tmp_path):
    """The tokens of the whole package, as other Pythons on this machine see them."""
    others = {
        shutil.which(f"python3.{minor}")
        for minor in (11, 12, 13, 14)
        if sys.version_info[:2] != (3, minor)
    }
    found = [python for python in others if python and works(python)]
    if not found:
        pytest.skip("needs another Python from 3.11 on")
    here = digest_by(sys.executable)
    assert {python: digest_by(python) for python in found} == dict.fromkeys(found, here)


def works(python: str) -> bool:
    return not subprocess.run([python, "-c", ""], capture_output=True).returncode


def digest_by(python: str) -> str:
    program = (
        "import hashlib, pathlib, sys\n"
        "from dtst_flow.cache.code_version import significant\n"
        "files = sorted(pathlib.Path(sys.argv[1]).rglob('*.py'))\n"
        "text = ['\\0'.join(significant(f.read_text('utf-8'))) for f in files]\n"
        "print(hashlib.sha256('\\0\\0'.join(text).encode()).hexdigest())\n"
    )
    return subprocess.run(
        [python, "-c", program, str(PACKAGE)],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_what_was_seen_is_looked_at_once(pack, monkeypatch):
    before = version("top")
    forget()
    monkeypatch.setattr(versions, "significant", lambda source: pytest.fail("again"))
    assert version("top") == before


@pytest.mark.parametrize("memo", ["", "[]", '{"x": 1}', '{"x": ["y", 1]}', "[" * 5000])
def test_a_memo_that_is_not_ours_is_no_memo(pack, memo):
    before = version("top")
    versions._memo_file().write_text(memo)
    forget()
    assert version("top") == before


def test_without_a_folder_for_the_memo(pack, tmp_path, monkeypatch):
    before = version("top")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    forget()
    assert version("top") == before
