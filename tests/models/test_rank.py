"""Rank: the fast kernel against exact solutions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.rank.fit import make_graph, pagerank
from models.rank.model import RankSettings, index_edges, positions
from models.rank.reference import pagerank_exact
from models.rank.rmat import rmat_edges
from schemas.errors import BadInput

TIGHT = RankSettings(tolerance=1e-10)

# GraphX's data/graphx/followers.txt: (follower, followee).
FOLLOWERS = [(2, 1), (4, 1), (1, 2), (6, 3), (7, 3), (7, 6), (6, 7), (3, 7)]
NAMES = {1: "BarackObama", 2: "ladygaga", 3: "jeresig", 4: "justinbieber", 6: "matei_zaharia",
         7: "odersky"}  # fmt: skip


def ranks_of(edges, vertices, settings=TIGHT):
    sources, targets = np.array(edges, np.int32).reshape(-1, 2).T
    return pagerank(make_graph(sources, targets, vertices), settings).values


def test_ranks_of_the_graphx_followers_example():
    ids, sources, targets = index_edges(*zip(*FOLLOWERS, strict=True))
    graph = make_graph(sources, targets, len(ids))
    ranks = pagerank(graph, RankSettings(convention="graphx"))
    assert ranks.converged
    found = {NAMES[int(number)]: value for number, value in zip(ids, ranks.values, strict=True)}
    expected = {"BarackObama": 1.459459, "ladygaga": 1.390541, "odersky": 1.298246,
                "jeresig": 1.0, "matei_zaharia": 0.701754, "justinbieber": 0.15}  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4)


def test_ranks_of_a_ring_and_of_a_star_are_exact():
    ring = [(n, (n + 1) % 5) for n in range(5)]
    assert ranks_of(ring, 5) == pytest.approx(np.full(5, 0.2))
    # Four follow vertex 0, which is dangling: x0 = b + 4 · .85 · x1, x1 = b, b = .03 + .17 · x0.
    x0 = (1 + 4 * 0.85) * 0.03 / (1 - 0.17 * (1 + 4 * 0.85))
    star = ranks_of([(n, 0) for n in range(1, 5)], 5)
    assert star == pytest.approx([x0] + [0.03 + 0.17 * x0] * 4)
    assert star.sum() == pytest.approx(1)


def test_isolated_vertices_are_ranked_and_an_empty_graph_has_no_ranks():
    assert ranks_of([], 4) == pytest.approx(np.full(4, 0.25))
    alone = ranks_of([(0, 1), (1, 0)], 3)
    assert alone[2] == pytest.approx(0.05 / (1 - 0.85 / 3))
    assert ranks_of([], 3, RankSettings(convention="graphx")) == pytest.approx(np.full(3, 0.15))
    assert len(ranks_of([], 0)) == 0


edge_lists = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40)
    )
)


@settings(deadline=None)  # the first example compiles
@given(edge_lists, st.sampled_from(["sum-one", "graphx"]))
def test_ranks_are_within_tolerance_of_the_exact_ones(graph, convention):
    vertices, edges = graph
    sources, targets = np.array(edges, np.int32).reshape(-1, 2).T
    exact = pagerank_exact(sources, targets, vertices, convention=convention)
    for tolerance in (1e-2, 1e-4, 1e-8):
        found = ranks_of(edges, vertices, RankSettings(tolerance=tolerance, convention=convention))
        assert np.all(np.abs(found - exact) <= tolerance * exact)


def test_ranks_of_a_graph_with_hubs_are_accurate_and_independent_of_threads():
    sources, targets = rmat_edges(10, 8, seed=3)
    graph = make_graph(sources, targets, 1024)
    exact = pagerank_exact(sources, targets, 1024)
    one = pagerank(graph, RankSettings(threads=1))
    two = pagerank(graph, RankSettings(threads=2))
    assert np.all(np.abs(one.values - exact) < 1e-4 * exact)
    assert np.array_equal(one.values, two.values)


def test_given_number_of_iterations_is_done():
    """One step from the uniform start: x = .15 / n + .85 · Σ (1 / n) / degree."""
    graph = make_graph(np.array([0, 1], np.int32), np.array([1, 0], np.int32), 2)
    assert pagerank(graph, iterations=7).iterations == 7
    graph = make_graph(np.array([0, 0], np.int32), np.array([1, 2], np.int32), 3)
    step = pagerank(graph, iterations=1).values
    dangling = 0.85 * (2 / 3) / 3
    assert step == pytest.approx([0.05 + dangling] + [0.05 + dangling + 0.85 / 6] * 2)


def test_pagerank_reports_missing_convergence():
    sources, targets = rmat_edges(6, 4, seed=1)
    graph = make_graph(sources, targets, 64)
    assert not pagerank(graph, RankSettings(tolerance=1e-12, max_iterations=3)).converged


@given(edge_lists)
def test_graph_has_every_edge(graph):
    vertices, edges = graph
    sources, targets = np.array(edges, np.int32).reshape(-1, 2).T
    built = make_graph(sources, targets, vertices)
    back = [
        (int(source), vertex)
        for vertex in range(vertices)
        for source in built.sources[built.starts[vertex] : built.starts[vertex + 1]]
    ]
    assert back == sorted(edges, key=lambda edge: edge[::-1])
    assert [side.dtype for side in (built.starts, built.sources, built.out_degree)] == [
        np.int64, np.int32, np.int32,
    ]  # fmt: skip
    assert built.out_degree.tolist() == [sum(s == v for s, _ in edges) for v in range(vertices)]


def test_edges_to_unknown_vertices_are_refused():
    one = np.array([0], np.int32)
    with pytest.raises(BadInput, match="0 to 2"):
        make_graph(one, one + 3, 3)
    with pytest.raises(BadInput, match="1 followers for 2"):
        index_edges(["a"], ["b", "c"])


def test_rmat_edges_are_skewed_and_seeded():
    first, again, other = (rmat_edges(8, 8, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0][:100], other[0][:100])
    sources, targets = rmat_edges(12, 16, seed=1, unique=False)
    # The first bit of both ends is 0 with probability a.
    assert np.mean((sources < 2048) & (targets < 2048)) == pytest.approx(0.57, abs=0.01)
    assert np.mean((sources < 2048) & (targets >= 2048)) == pytest.approx(0.19, abs=0.01)


def test_positions_share_ties():
    assert positions(np.array([0.1, 0.3, 0.3, 0.2])).tolist() == [4, 1, 1, 3]
