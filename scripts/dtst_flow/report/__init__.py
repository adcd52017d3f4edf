"""The report: one HTML page that shows the result of a clustering."""


def place(bucket: str) -> str:
    """The path of the page about a bucket of clusters, below the dataset folder."""
    return f"report-{bucket.replace('/', '-')}.html"


class NoResult(Exception):
    """There is nothing to report yet; the message says what would help."""
