"""The activity family's job: when somebody exercises."""
