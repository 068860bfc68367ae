"""Models tried beside the exercise family's own, on a sample of its people; some may serve."""
