"""Which exercise is this: one model per user from sufficient statistics, a global one beside it."""
