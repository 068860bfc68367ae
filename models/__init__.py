"""What Muvr knows how to learn: numpy kernels without clock, files, network or Spark."""
