from pathlib import Path

import pytest

from dtst_flow.dataset.state import STATE, StateGone, check_no_links, state_of


def test_every_bucket_has_a_state_of_its_own():
    assert state_of("faces") == Path(".dtst/buckets/faces")
    assert state_of("a/faces") != state_of("faces")


@pytest.mark.parametrize(
    "name", ["logs", "progress/faces", "records/embed/1.db", "detected/ab", "run.lock"]
)
def test_a_link_in_it_is_refused(tmp_path, name):
    (tmp_path / "home").mkdir()
    (tmp_path / STATE / name).parent.mkdir(parents=True)
    (tmp_path / STATE / name).symlink_to(tmp_path / "home")
    with pytest.raises(StateGone, match=f"{name} is a link"):
        check_no_links(tmp_path)


def test_all_of_it_may_be_a_link_and_the_cache_is_not_ours(tmp_path):
    check_no_links(tmp_path)
    (tmp_path / "scratch/cache/conda").mkdir(parents=True)
    (tmp_path / "scratch/cache/conda/python3").symlink_to("python3.12")
    (tmp_path / STATE).symlink_to("scratch")
    check_no_links(tmp_path)
