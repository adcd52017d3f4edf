"""Where model weights come from: a path, a models folder, a Python package.

Nothing here uses the network except `dtst_flow.models.download`, which only the user
starts. A job finds its weights or says at once what is missing and how to get it; it
never takes another model instead, and refuses a file that is for something else.
"""
