"""What a recording is, from the models of every family together: pure, the same for every door."""
