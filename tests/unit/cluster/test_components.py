"""What hangs together in a graph, beside scipy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dtst_flow.cluster.components import components


@given(n=st.integers(1, 40), edges=st.integers(0, 60), seed=st.integers(0, 2**32))
def test_as_scipy_has_it(n, edges, seed):
    i, j = np.random.default_rng(seed).integers(0, n, (2, edges))
    found = components(n, i, j)
    graph = coo_array((np.ones(edges), (i, j)), shape=(n, n))
    _, group = connected_components(graph, directed=False)
    for number in np.unique(group):
        nodes = np.flatnonzero(group == number)
        assert set(found[nodes]) == {nodes[0]}


def test_a_chain_in_any_order_is_one():
    order = np.random.default_rng(0).permutation(10_000)
    assert not components(len(order), order[1:], order[:-1]).any()
