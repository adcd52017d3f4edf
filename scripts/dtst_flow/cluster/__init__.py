"""Clustering: embeddings in, groups out."""
