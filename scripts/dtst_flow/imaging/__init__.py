"""Pixels: decoding, encoding, and what an image coarsely looks like."""
