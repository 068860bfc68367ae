"""Models that stand beside the exercise family's own, on a sample of its people."""
