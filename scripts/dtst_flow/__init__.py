"""dtst-flow: from folders of photos to structured image datasets.

The rooms, highest first; each imports only rooms below it (``lint-imports`` holds that):

cli          flags in, one Snakemake run out
forecast     how long a run will take, and how much disk and memory
planning     what a config asks for, and what is stale: all that the Snakefile decides
report       what a run did in plain words, and a page about the clusters
stages       one module per stage: options, records, work, words
annotations  boxes in sidecars, who wrote them, the crops they ask for
runtime      around a job: run lock, log, worker pool, progress, failures
faces, detect, embed   models behind one interface each
cluster      embeddings in, groups out
models       where weights come from
dataset      the user's folder: scan, inventory, sidecars, which files are ours
cache        results by content: nothing is computed twice
imaging      decode, encode, perceptual hash
utils        files, locks, links, text, GPUs: know nothing of datasets
"""

import os


def keep_silent() -> None:
    """Tell libraries that models run on not to report on their use.

    It counts before they load. What the user set stays.
    """
    # ONNX Runtime's; that of huggingface_hub, of open_clip
    for name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")


keep_silent()  # every process of ours imports this package first

__version__ = "0.1.0"
