"""What the compiled code is tested against (`tests/models/test_reps_cover.py`), spelt out in numpy.

Nothing else runs it.
"""
