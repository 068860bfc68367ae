"""How hard the next set will be: one linear regressor per user."""
