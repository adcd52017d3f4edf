"""Where the workflow's own files lie."""

from pathlib import Path


def home() -> Path:
    """The folder with the Snakefile: the checkout, or what the installed package carries."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1]
    return checkout if (checkout / "Snakefile").is_file() else package / "workflow"
