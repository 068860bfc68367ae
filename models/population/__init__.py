"""A written model of people who train, with a known truth: every number from it is simulated."""
