"""The activity family's job: when a user exercises."""
