"""Where model weights come from: a path, a models folder, a Python package.

Nothing here touches the network. Downloading is a deliberate act of its own
(`dtst_flow.models.download`), so that a job finds its weights or says at once
what is missing and how to get it; another model never stands in.
"""
