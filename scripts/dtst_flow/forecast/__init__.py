"""How much is left to compute, and what time, disk and memory that takes."""
