"""A model's manifest tells who may be among its members, and of nobody that he is."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from pipelines.lifecycle.members import MEMBERS, drawn_from, may_be_member, sample
from schemas.inputs import LAYOUTS

LAYOUT = LAYOUTS[0]
SEEDS = st.integers(0, 9)


@given(st.lists(st.uuids(), min_size=1, max_size=200, unique=True), SEEDS)
def test_every_member_may_be_one(users, seed):
    members = [user for user, _ in sample([(user, LAYOUT) for user in users], LAYOUT, seed)]
    drawn = drawn_from(members, seed)
    assert all(may_be_member(user, drawn) for user in members)
    assert drawn == drawn_from(map(str, members), seed)


def test_few_users_of_a_large_population_may_be_members():
    users = [UUID(int=number) for number in range(100 * MEMBERS)]
    members = [user for user, _ in sample([(user, LAYOUT) for user in users], LAYOUT, 1)]
    drawn = drawn_from(members, 1)
    assert MEMBERS <= sum(may_be_member(user, drawn) for user in users) <= 1.3 * MEMBERS
    alike = [user for user in members if drawn_from([*members[:9], user], 1) == drawn]
    assert len(alike) > 1  # it does not tell who the last member is


def test_everybody_may_be_a_member_of_a_model_of_an_earlier_release():
    assert may_be_member(UUID(int=1), None)
