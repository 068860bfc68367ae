"""What to try: implicit alternating least squares on counts of sets."""
