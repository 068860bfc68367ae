"""The week's plan under recovery and time limits."""
