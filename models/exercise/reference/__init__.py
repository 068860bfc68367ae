"""The features of windows spelt out in numpy: what the compiled kernel is tested against.

`tests/models/test_exercise_kernel.py` holds both against each other; nothing else runs this.
"""
