"""The exercise family's job: everybody's model and each user's own."""
