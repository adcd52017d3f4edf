"""What every job and run does around its work: locks, logs, workers, progress, failures."""
