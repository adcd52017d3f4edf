import pytest

from dtst_flow.dataset.entries import Entry
from dtst_flow.stages.accounting import check_complete, refuse_missing
from dtst_flow.utils.tables import write_table


@pytest.mark.parametrize(("done", "failed"), [(2, 0), (1, 1), (0, 2)])
def test_rows_and_failures_account_for_a_manifest(tmp_path, done, failed):
    check(tmp_path, done, failed)


@pytest.mark.parametrize(("done", "failed"), [(0, 0), (1, 0), (0, 1)])
def test_less_is_refused(tmp_path, done, failed):
    with pytest.raises(SystemExit, match=f"tells of {done + failed} images of 2"):
        check(tmp_path, done, failed)


def check(folder, done, failed):
    write_table(folder / "inventory/s.jsonl", [{"path": "a"}, {"path": "b"}])
    write_table(folder / "tables/s.jsonl", [{"path": "a"}] * done)
    write_table(folder / "failed/s.jsonl", [{"path": "b"}] * failed)
    tables = [str(folder / "tables/s.jsonl")], [str(folder / "failed/s.jsonl")]
    check_complete(str(folder / "inventory"), *tables)


def test_files_that_are_gone_are_refused(tmp_path):
    for path in ("a.jpg", "more/b.jpg"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "more/c.jpg").symlink_to("nowhere")  # a link of ours is a file of ours
    there = ["a.jpg", "more/b.jpg", "more/c.jpg"]
    refuse_missing(str(tmp_path), map(entry, there))
    with pytest.raises(SystemExit, match=r"3 of the files .* first 'a\.jpg/d\.jpg'"):
        gone = ["gone/d.jpg", "a.jpg/d.jpg", "more/d.jpg"]
        refuse_missing(str(tmp_path), map(entry, [*there, *gone]))


def entry(path):
    return Entry(path, "", None, (), None)
