"""The cache that is bounded in size only."""

from ingest.bounded_cache import BoundedCache


def test_the_key_that_was_added_first_is_evicted_also_if_its_value_was_replaced():
    cache = BoundedCache[str, int](capacity=2)
    cache["a"] = 1
    cache["b"] = 2
    cache["a"] = 3
    assert dict(cache) == {"a": 3, "b": 2}
    cache["c"] = 4
    assert dict(cache) == {"b": 2, "c": 4}


def test_the_bound_holds_for_every_way_to_add():
    cache = BoundedCache[str, int](capacity=2)
    cache.update({"a": 1, "b": 2, "c": 3})
    assert dict(cache) == {"b": 2, "c": 3}
    cache.setdefault("d", 4)
    assert dict(cache) == {"c": 3, "d": 4}
    del cache["c"]
    cache["e"] = 5
    assert dict(cache) == {"d": 4, "e": 5}


def test_a_cache_without_room_keeps_nothing():
    cache = BoundedCache[str, int](capacity=0)
    cache["a"] = 1
    assert not cache
