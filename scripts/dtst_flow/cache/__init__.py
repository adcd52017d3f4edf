"""Results by content: nothing is computed twice."""
