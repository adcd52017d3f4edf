"""The review: a local page on which clusters are decided, and its server."""
