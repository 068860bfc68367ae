"""Other ways to learn exercises, tried on a sample of people; one that wins may serve newcomers."""
