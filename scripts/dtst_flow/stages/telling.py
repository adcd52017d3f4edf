"""What a run did to files in a bucket besides what was asked for, in plain words."""

import logging

from dtst_flow.dataset import waiting

log = logging.getLogger(__name__)


def of_files(bucket: str, removed: list[str], restored: list[str]) -> list[str]:
    """Return what to tell of files that were removed or put back; the log has them all.

    Args:
        bucket: Where they are.
        removed: Paths in it.
        restored: Paths in it.
    """
    said = []
    for path in removed:
        log.info(
            "removed %s/%s: no image, box or setting asks for it now", bucket, path
        )
    if removed:
        said.append(
            f"{len(removed)} files of earlier runs were removed from {bucket}: "
            "no image, box or setting asks for them now"
        )
    for path in restored:
        log.info("put back %s/%s: it was edited or deleted since", bucket, path)
    if restored:
        said.append(
            f"{len(restored)} files in {bucket} that were edited or deleted since were "
            f"put back, first {restored[0]!r}"
        )
    if words := waiting.read(bucket):
        files = "1 file wait" if len(words) == 1 else f"{len(words)} files wait"
        said.append(
            f"keys that you added to {files} in {bucket}/{waiting.FOLDER} until what they "
            f"were said of is back, first those of {words[0].was!r}"
        )
    return said
