"""Times and sizes in words."""

import pytest

from dtst_flow.utils.quantities import duration, volume


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (4.31, "4.3 s"),
        (59.7, "1 min"),
        (71, "1 min 11 s"),
        (134, "2 min 10 s"),
        (1000, "17 min"),
        (3599, "1 h"),
        (3725, "1 h 2 min"),
        (100_000, "28 h"),
    ],
)
def test_durations_have_two_significant_digits(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "1 kB"),
        (8.54e5, "850 kB"),
        (4.53e6, "4.5 MB"),
        (9.99e8, "1 GB"),
        (3e13, "30 TB"),
    ],
)
def test_volumes_have_two_significant_digits(size, words):
    assert volume(size) == words
