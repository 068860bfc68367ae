"""Plans over HTTP: deleted, and deleted again."""

from tests.api.conftest import Person, RunningService
from tests.api.phone import fresh_id, problem


def test_deletion_of_a_plan_is_repeatable_and_none_where_there_was_no_plan(
    person: Person, service: RunningService
) -> None:
    plan = f"/v1/me/plans/{fresh_id()}"
    with person.client() as http, service.register().client() as stranger:
        problem(http.delete(plan), 404, "not-there")
        assert http.put(plan, json={"name": "legs", "sets": []}).status_code == 200
        problem(stranger.delete(plan), 404, "not-there")
        assert http.get(plan).status_code == 200
        for _ in range(2):
            assert http.delete(plan).status_code == 204
        problem(http.get(plan), 404, "not-there")
        problem(stranger.delete(plan), 404, "not-there")


def test_unfollowing_does_not_tell_whether_a_user_exists(
    person: Person, service: RunningService
) -> None:
    other = service.register()
    with person.client() as http:
        answers = [http.delete(f"/v1/me/follows/{user}") for user in (other.user_id, fresh_id())]
    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2
