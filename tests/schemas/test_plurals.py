"""Numbers with their nouns."""

from schemas.plurals import plural


def test_plural_uses_the_singular_for_one() -> None:
    assert [plural(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


def test_plural_is_decided_by_the_rounded_number() -> None:
    assert [plural(n, "set") for n in (0.4, 1.4, 1.6)] == ["0 sets", "1 set", "2 sets"]
