import subprocess
import sys

LAZY = """
import sys
from dtst_flow.cli import child
child._load_when_used("nbformat")
import nbformat
print("nbformat.v4" in sys.modules)
print(nbformat.v4.new_notebook().cells, "nbformat.v4" in sys.modules)
import nbformat
print(nbformat.NO_CONVERT is sys.modules["nbformat"].NO_CONVERT)
"""


def test_a_module_is_loaded_when_it_is_used():
    done = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, check=True)
    assert done.stdout.decode().split("\n")[:3] == ["False", "[] True", "True"]
