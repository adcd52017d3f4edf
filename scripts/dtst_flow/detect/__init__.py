"""Detectors: an image goes in, boxes come out, each with the name of what is in it."""
