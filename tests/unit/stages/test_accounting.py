import pytest

from dtst_flow.stages.accounting import check_complete
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
