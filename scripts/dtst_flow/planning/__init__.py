"""What a config asks for, and what of the results is stale. Nothing here writes."""
