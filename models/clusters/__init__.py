"""Who trains alike: k-means on frequency, performance and improvement."""
