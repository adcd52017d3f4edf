"""Images at which Pillow takes its process down."""

from pathlib import Path

ENDS = {
    "segv": "os.kill(os.getpid(), signal.SIGSEGV)",
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "abort": "os.abort()",
    "exit": "os._exit(3)",
}
"""The last word of a file -> how the process ends that opens it."""

CURSE = """
import io, os, pathlib, signal
from PIL import Image
plain = Image.open
def open(file, *args, **kwargs):
    held = isinstance(file, io.BytesIO)
    content = file.getvalue() if held else pathlib.Path(file).read_bytes()
    {ends}
    return plain(file, *args, **kwargs)
Image.open = open
"""
"""Python imports this by itself, as sitecustomize, wherever it lies on its path."""


def write(folder: Path) -> None:
    """Curse all processes that have the folder on their path, at files that end so."""
    ends = [
        f"if content.endswith({word.encode()}): {end}" for word, end in ENDS.items()
    ]
    folder.mkdir()
    content = CURSE.format(ends="\n    ".join(ends))
    (folder / "sitecustomize.py").write_text(content)
