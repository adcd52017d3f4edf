"""Stages: one module per stage, from a shard's manifest to its tables.

A stage's tables hold what the next stage and the user need to know of each image; an image
that could not be processed is a row {path, reason} of the ``failed`` table instead and
stops nobody else. All paths are relative to the dataset folder, in which every stage runs.

`contract` says what the rest of the workflow asks of a stage, `registry` holds them all.
"""
