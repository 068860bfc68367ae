"""Features of windows, what is kept of them, and what a model makes of them, spelt out in numpy.

It is what the compiled code is tested against (`tests/models/test_exercise_kernel.py`,
`test_exercise_scores.py`, `test_quantised.py`); nothing else runs it.
"""
