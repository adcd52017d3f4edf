"""The report: one HTML page that shows what a clustering found."""


def place(bucket: str) -> str:
    """Where the page about a bucket of clusters lies, below the dataset folder."""
    return f"report-{bucket.replace('/', '-')}.html"
