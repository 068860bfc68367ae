"""Form: how the repetitions of a set were done, against each other and the user's own way."""
