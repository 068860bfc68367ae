"""Weight, repetitions and intensity of the next set, with an interval."""
