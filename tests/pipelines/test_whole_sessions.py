"""Models per user are evaluated on whole sessions: one that the cut-off divides is a later one."""

from collections import Counter

import pytest

from models.history import SetLog
from models.population.simulate import simulate_user
from pipelines.intensity import learn_intensity
from pipelines.load import learn_load
from pipelines.next import learn_next


@pytest.mark.parametrize("learn", [learn_intensity, learn_load, learn_next])
def test_first_sets_of_a_session_that_goes_on_after_the_cut_off_are_later_ones(learn):
    log = SetLog.of(simulate_user(0, 16, 14, 6).sets())
    session, count = Counter(log.session[len(log) // 2 :].tolist()).most_common(1)[0]
    own = log.started_s[log.session == session]
    assert count == len(own) >= 6
    before, within, after = (float(at) for at in (own[0], own[len(own) // 2], own[-1] + 1))
    [whole], [divided], [over] = (learn([log], at) for at in (before, within, after))
    assert divided.evidence == whole.evidence
    assert over.evidence.sets < whole.evidence.sets
    assert whole.evidence.is_finite
