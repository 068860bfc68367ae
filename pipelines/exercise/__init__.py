"""The exercise family's job: a global model and one model per user."""
