"""Embedders: images go in, vectors come out, near where the images are alike."""
