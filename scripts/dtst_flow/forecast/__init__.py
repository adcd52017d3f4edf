"""How long a run will take, and how much disk and memory."""
