"""Intensity, how hard the next set will be from 0 to 1: one linear regression per user."""
