from pathlib import Path

from dtst_flow.dataset.state import state_of


def test_every_bucket_has_a_state_of_its_own():
    assert state_of("faces") == Path(".dtst/buckets/faces")
    assert state_of("a/faces") != state_of("faces")
