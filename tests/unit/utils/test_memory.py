import subprocess
import sys

import pytest

from dtst_flow.utils import memory

FAULTS = """
import resource
import numpy as np
from dtst_flow.utils import memory

{call}
blocks = [np.ones((4000, 3000, 3), np.uint8) for _ in range(3)]
del blocks
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones((4000, 3000, 3), np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(call: str) -> int:
    """How often pages are made while ten photos of 12 megapixels come and go."""
    code = FAULTS.format(call=call)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc's malloc that is told")
def test_what_is_freed_is_used_again():
    assert faults("memory.keep_freed()") < 100 < faults("")


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(memory.ctypes, "CDLL", pytest.fail)
    memory.keep_freed()
