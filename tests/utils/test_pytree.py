"""utils._pytree, utils.dlpack and torch.random: names that programs import."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple

import numpy as np
import pytest

import minigrad as torch
from minigrad.random import fork_rng
from minigrad.utils import _pytree as tree
from minigrad.utils import checkpoint, dlpack

Point = namedtuple("Point", "x y")
TREES = [
    ({"b": [1, (2, None)], "a": deque([3])}, [1, 2, None, 3]),
    (Point(1, [2]), [1, 2]),
    (3, [3]),
    ([], []),
    (OrderedDict(a=1, b={"c": ()}), [1]),
    (defaultdict(list, a=[1]), [1]),
    (torch.Size([2, 3]), [2, 3]),
]


@pytest.mark.parametrize(("value", "leaves"), TREES, ids=str)
def test_trees_come_apart_and_together(value, leaves):
    found, spec = tree.tree_flatten(value)
    assert found == leaves == tree.tree_leaves(value) == list(tree.tree_iter(value))
    assert (spec.num_leaves, tree.tree_structure(value)) == (len(leaves), spec)
    again = tree.tree_unflatten(found, spec)
    assert again == value and type(again) is type(value)
    for path, leaf in tree.tree_leaves_with_path(value):
        assert tree.key_get(value, path) is leaf


def test_specs_print_as_torchs():
    _, spec = tree.tree_flatten(TREES[0][0])
    assert repr(spec) == (
        "TreeSpec(dict, ['b', 'a'], [TreeSpec(list, None, [*,\n    TreeSpec(tuple, None, [*,\n"
        "      *])]),\n  TreeSpec(deque, None, [*])])")
    assert repr(tree.tree_structure(Point(1, 2))) == (
        f"TreeSpec(namedtuple, {Point!r}, [*,\n  *])")
    assert (spec.num_nodes, spec.num_children, spec.type) == (8, 2, dict)
    assert spec.child(1).children() == spec.children_specs[1].children() == [tree.LeafSpec()]
    assert tree.LeafSpec().is_leaf() and not spec.is_leaf()
    assert tree.tree_is_leaf(None) and not tree.tree_is_leaf(())


def test_maps():
    assert tree.tree_map(lambda a, b: a + b, {"x": 1, "y": [2]}, {"y": [3], "x": 4}) == {
        "x": 5, "y": [5]}
    assert tree.tree_map(lambda a, b: (a, b), [1, 2], [[3], 4]) == [(1, [3]), (2, 4)]
    short = {"is_leaf": lambda x: isinstance(x, list) and len(x) == 1}
    assert tree.tree_map(str, [1, [2]], **short) == ["1", "[2]"]
    assert tree.tree_map_only(int, lambda x: x + 1, [1, "a", 2.]) == [2, "a", 2.]
    assert tree.tree_map_only((int, str), lambda x: 0, [1, "a", 2.]) == [0, 0, 2.]
    assert tree.tree_map_only(lambda x: x == 1, lambda x: 0, [1, "a"]) == [0, "a"]
    seen = []
    value = {"a": [1, "b"]}
    assert tree.tree_map_(seen.append, value) is tree.tree_map_only_(int, seen.append, value)
    assert seen == [1, "b", 1]
    assert tree.arg_tree_leaves(1, [2], a=3) == [1, 2, 3]
    assert tree.tree_map_with_path(lambda path, x: tree.keystr(path) + x, {"a": [Point("p", "q")]},
                                   ) == {"a": [Point("['a'][0].xp", "['a'][0].yq")]}


def test_questions_about_all_leaves():
    assert tree.tree_all(bool, [1, [2]]) and not tree.tree_all(bool, [1, [0]])
    assert tree.tree_any(bool, [0, [2]]) and not tree.tree_any(bool, [0])
    assert tree.tree_all_only(int, bool, [1, ""]) and not tree.tree_any_only(int, bool, [0, "a"])


@pytest.mark.parametrize(("error", "text", "call"), [
    (ValueError, "arity", lambda: tree.tree_map(max, [1, 2], [1])),
    (ValueError, "type mismatch", lambda: tree.tree_map(max, [1, 2], (1, 2))),
    (ValueError, "keys", lambda: tree.tree_map(max, {"a": 1}, {"b": 1})),
    (ValueError, "context", lambda: tree.tree_map(max, Point(1, 2), namedtuple("P", "x y")(1, 2))),
    (ValueError, "length 1", lambda: tree.tree_unflatten([1], tree.tree_structure([1, 2]))),
    (TypeError, "TreeSpec", lambda: tree.tree_unflatten([1], 3)),
    (TypeError, "callable", lambda: tree.tree_map_only(3, str, [1])),
    (ValueError, "already", lambda: tree.register_pytree_node(list, list, list)),
    (RuntimeError, "serialised", lambda: tree.register_pytree_node(
        int, list, list, serialized_type_name="int")),
])
def test_errors(error, text, call):
    with pytest.raises(error, match=text):
        call()


def test_registered_classes_are_containers_everywhere():
    class Pair:
        def __init__(self, first, second, label):
            self.first, self.second, self.label = first, second, label

    tree.register_pytree_node(Pair, lambda p: ((p.first, p.second), p.label),
                              lambda parts, label: Pair(*parts, label))
    doubled = tree.tree_map(lambda x: 2 * x, [Pair(1, 2, "name")])[0]
    assert (doubled.first, doubled.second, doubled.label) == (2, 4, "name")
    assert [tree.keystr(path) for path, _ in tree.tree_leaves_with_path(Pair(1, 2, 3))] == [
        "[0]", "[1]"]
    g = torch.func.grad(lambda p: (p.first * p.second).sum())(
        Pair(torch.tensor([2.]), torch.tensor([3.]), "name"))
    assert (g.first.item(), g.second.item(), g.label) == (3, 2, "name")


def test_dlpack():
    array = np.arange(3.)
    t = dlpack.from_dlpack(array)
    t[0] = 5
    assert array[0] == 5 and np.from_dlpack(t)[0] == 5
    capsule = dlpack.to_dlpack(t)
    assert type(capsule).__name__ == "PyCapsule"
    dlpack.from_dlpack(capsule)[1] = 7
    assert array[1] == 7


def test_the_module_of_random_numbers():
    torch.random.manual_seed(3)
    state = torch.random.get_rng_state()
    with fork_rng():
        first = torch.rand(2)
    assert torch.equal(torch.rand(2), first) and torch.random.initial_seed() == 3
    torch.random.set_rng_state(state)
    assert torch.equal(torch.rand(2), first)
    assert isinstance(torch.random.seed(), int)
    assert torch.random.default_generator is torch.default_generator


def test_selective_checkpoints_say_why_they_are_absent():
    with pytest.raises(AttributeError, match="not chosen op by op"):
        _ = checkpoint.create_selective_checkpoint_contexts
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = checkpoint.nothing
