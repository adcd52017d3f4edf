import pytest

from dtst_flow import code

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
}


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """A package on disk; returns a function that tells the version of a module now."""
    folder = tmp_path / "pack"
    for name, source in SOURCES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    monkeypatch.setattr(code, "PACKAGE", folder)

    def version(module: str) -> str:
        forget()
        return code.version(module)

    yield version
    forget()


def forget() -> None:
    """Let the next version be taken from what is on disk then."""
    code.version.cache_clear()
    code._look_into.cache_clear()


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
    ],
)
def test_it_changes_with_all_that_is_imported_and_nothing_else(pack, module, counts):
    before = pack(module)
    assert pack(module) == before
    for name, source in SOURCES.items():
        (code.PACKAGE / name).write_text(f"{source}\n# edited")
        assert (pack(module) != before) is (name in counts), name
        (code.PACKAGE / name).write_text(source)
    assert pack(module) == before


def test_stages_depend_on_the_rooms_below(monkeypatch):
    seen: dict[str, str] = {}
    code._collect("stages.extract_faces", seen)
    assert {"files", "images", "sidecars", "records", "ledger", "faces.crop"} <= (
        seen.keys()
    )
    assert not [name for name in seen if name.startswith("cli")]
