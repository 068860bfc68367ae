"""Which exercise comes next: a variable-order Markov model."""
