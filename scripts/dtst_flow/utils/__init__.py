"""Files, locks, links, text, GPUs: what knows nothing of datasets."""
