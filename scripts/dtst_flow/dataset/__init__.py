"""The user's folder: its images and sidecars, and which of its files are ours.

All paths are relative to the dataset folder unless said otherwise.
"""
