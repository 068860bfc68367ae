"""How long rows are kept, and how far ahead deletions are dated.

A table's time to live is its `default_time_to_live` in `migrations`: a test compares them all.
"""

from datetime import timedelta

TOMBSTONE_AHEAD = timedelta(days=10 * 365)
"""Deletions that are final are dated this far ahead: no write in flight survives them, and ids are
never used again."""

CHANGES_TTL = timedelta(days=90)
"""Of announcements in `changes`: jobs that have not read them by then read everything again."""

RESULTS_TTL = timedelta(days=90)
"""Of a run's rows in `clusters`, `recommendations`, `ranks` and `job_run_users`: there is no
rolling back to an older run."""

UNNAMED_VERSIONS_KEPT = timedelta(days=90)
"""Of versions of a user's model, and of statistics of a global one, that no pointer names any more,
since a run last learned them."""

DEAD_LETTERS_TTL = timedelta(days=30)
"""Of `dead_letters`, from when their content was received."""

LABELLED_TTL_S = 400 * 86_400
"""Of samples for training in `labelled_sets` and `labelled_stretches`, in seconds. None of their
columns may outlive its row."""

WINDOWS_TTL_S = 90 * 86_400
"""Of the windows that a run stores beside a labelled set's samples, in seconds."""

LONGEST_RUN_S = 86_400
"""Longer than any run, in seconds. A run computes the time to live of windows for when it began and
writes them later: by so much they expire before their set does."""
