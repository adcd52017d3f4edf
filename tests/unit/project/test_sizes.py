"""Files that can be read in one sitting."""

import pytest

from helpers.dataset import ROOT

PACKAGE = ROOT / "scripts/dtst_flow"


def lines(path) -> int:
    return len(path.read_text().splitlines())


@pytest.mark.parametrize(
    ("pattern", "most"),
    [
        ("scripts/dtst_flow/**/*.py", 300),
        ("scripts/*.py", 15),
        ("workflow/rules/common.smk", 89),
    ],
)
def test_no_file_is_too_long(pattern, most):
    found = {path.name: lines(path) for path in ROOT.glob(pattern)}
    assert found and max(found.values()) <= most, found


def test_the_forecast_is_a_small_room():
    assert sum(map(lines, (PACKAGE / "forecast").glob("*.py"))) <= 600


def test_nothing_lies_outside_of_the_rooms():
    assert [path.name for path in PACKAGE.glob("*.py")] == ["__init__.py"]
