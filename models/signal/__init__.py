"""What every family stands on: samples, units, real time, 50 Hz signals and windows of them."""
