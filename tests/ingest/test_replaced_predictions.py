"""A recognised set gives way to another one that is the same set."""

import uuid
from datetime import timedelta

import pytest

from ingest.replaced_predictions import not_replaced
from tests.store.made_records import prediction
from tests.store.stored_models import NOW


@pytest.mark.parametrize(
    ("same_id", "later_s", "stays"),
    [(False, 300, True), (True, 300, False), (False, 14, False), (False, 16, True)],
)
def test_recognised_set_gives_way_to_a_set_of_its_id_or_of_its_time(
    same_id: bool, later_s: int, stays: bool
):
    """Both take 30 s: half of one lies in the other up to 15 s later."""
    user_id, session_id = uuid.uuid4(), uuid.uuid4()
    recognised = prediction(user_id, session_id, NOW)
    confirmed = prediction(user_id, session_id, NOW + timedelta(seconds=later_s))
    if same_id:
        confirmed = confirmed._replace(set_id=recognised.set_id)
    assert not_replaced([recognised], [confirmed]) == ([recognised] if stays else [])
