"""Face engines: an image goes in, the faces in it come out.

An engine is made once per process (loading a model costs far more than one
image) and closed when the process is done with it.
"""
