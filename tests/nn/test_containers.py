"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import minigrad as torch
from minigrad import nn


def kinds(container):
    return [type(m).__name__ for m in container]


def test_sequential():
    net = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())
    assert kinds(net[0:2]) == ["ReLU", "Tanh"]
    assert type(net[1:]) is nn.Sequential
    assert type(net[-1]) is nn.Sigmoid
    assert type(net.pop(0)) is nn.ReLU
    assert list(net._modules) == ["0", "1"]
    net.insert(1, nn.ReLU())
    assert kinds(net) == ["Tanh", "ReLU", "Sigmoid"]
    net[0] = nn.ELU()
    del net[1]
    assert kinds(net) == ["ELU", "Sigmoid"]
    del net[:]
    assert len(net) == 0
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    assert type(named.b) is nn.Tanh
    assert type(named[1]) is nn.Tanh
    assert list(named[:1]._modules) == ["a"]
    assert kinds(named + nn.Sequential(nn.ELU())) == ["ReLU", "Tanh", "ELU"]
    assert kinds(2 * nn.Sequential(nn.ELU())) == ["ELU", "ELU"]
    named *= 2
    assert len(named) == 4
    assert kinds(nn.Sequential().append(nn.ReLU()).extend([nn.Tanh()])) == ["ReLU", "Tanh"]


def test_module_list():
    layers = nn.ModuleList([nn.Linear(2, 2)])
    layers += [nn.ReLU()]
    layers.append(nn.Linear(2, 3)).insert(0, nn.Identity())
    assert kinds(layers) == ["Identity", "Linear", "ReLU", "Linear"]
    assert kinds(layers[1:3]) == ["Linear", "ReLU"]
    assert kinds(layers + [nn.Tanh()])[-1] == "Tanh"
    assert type(layers.pop(-1)) is nn.Linear
    assert len(list(layers.parameters())) == 2
    assert not [name for name in dir(layers) if name.isdigit()]
    assert repr(nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Sequential(nn.ReLU())])) == """\
ModuleList(
  (0-1): 2 x ReLU()
  (2): Sequential(
    (0): ReLU()
  )
)"""


def test_module_dict():
    d = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Linear(1, 1)})
    assert list(d) == list(d.keys()) == ["b", "a"]
    d["c"] = nn.Tanh()
    d.update([("b", nn.ELU())])
    assert [type(m).__name__ for m in d.values()] == ["ELU", "Linear", "Tanh"]
    assert "a" in d
    assert type(d.pop("a")) is nn.Linear
    del d["c"]
    assert [k for k, _ in d.items()] == ["b"]
    d.clear()
    assert len(d) == 0


def test_parameter_list():
    values = nn.ParameterList([torch.zeros(2), nn.Parameter(torch.ones(1)), 7])
    assert type(values[0]) is nn.Parameter
    assert values[2] == 7
    assert len(list(values.parameters())) == 2
    values += [torch.ones(3)]
    values[0] = torch.ones(4)
    assert [v.numel() for v in (values[0], values[-1])] == [4, 3]
    assert len(values[1:]) == 3
    assert list(values.state_dict()) == ["0", "1", "3"]
    assert not [name for name in dir(values) if name.isdigit()]


def test_parameter_dict():
    d = nn.ParameterDict({"b": torch.ones(2), "a": torch.zeros(1)})
    assert list(d) == ["a", "b"]
    assert list(nn.ParameterDict(OrderedDict(b=torch.ones(2), a=torch.ones(1)))) == ["b", "a"]
    assert d.get("x", 3) == 3
    assert d.setdefault("x", torch.ones(3)).requires_grad
    assert len(list(d.parameters())) == 3
    assert d.popitem()[0] == "x"
    assert d.pop("a").numel() == 1
    assert list(d | {"z": torch.ones(1)}) == ["b", "z"]
    d |= {"y": torch.ones(1)}
    assert (len(d), "y" in d, list(reversed(d))) == (2, True, ["y", "b"])
    assert [k for k, _ in d.copy().items()] == ["b", "y"]
    assert [v.numel() for v in d.values()] == [2, 1]
    assert list(d.fromkeys(["k"], torch.ones(1)).keys()) == ["k"]
    d.clear()
    assert repr(d) == "ParameterDict()"


@pytest.mark.parametrize(("error", "match", "act"), [
    (IndexError, "out of range", lambda: nn.Sequential(nn.ReLU())[5]),
    (IndexError, "out of range", lambda: nn.Sequential().insert(7, nn.ReLU())),
    (AssertionError, "must be an nn.Module", lambda: nn.Sequential().insert(0, 3)),
    (ValueError, "Non-positive", lambda: nn.Sequential(nn.ReLU()) * 0),
    (TypeError, "unsupported operand", lambda: nn.Sequential() * 1.5),
    (ValueError, "only objects of Sequential", lambda: nn.Sequential() + 3),
    (TypeError, "int is not a Module subclass", lambda: nn.Sequential(3)),
    (TypeError, "dict is not a Module subclass", lambda: nn.Sequential({"a": nn.ReLU()})),
    (TypeError, "int is not a Module subclass", lambda: nn.ModuleList([3])),
    (TypeError, "called with an iterable", lambda: nn.ModuleList(3)),
    (TypeError, "element #0", lambda: nn.ModuleDict([3])),
    (TypeError, "called with an iterable", lambda: nn.ModuleDict(3)),
    (ValueError, "element #0 has length 3", lambda: nn.ModuleDict([("a", nn.ReLU(), 3)])),
    (KeyError, "already exists", lambda: nn.ModuleDict({"training": nn.ReLU()})),
    (KeyError, "a", lambda: nn.ModuleDict()["a"]),
    (NotImplementedError, "forward", lambda: nn.ModuleList([nn.ReLU()])(3)),
    (RuntimeError, "should not be called", lambda: nn.ParameterList([3])(3)),
    (TypeError, "not a string", lambda: nn.ParameterDict([(3, 3)])),
    (TypeError, "called with an iterable", lambda: nn.ParameterList(torch.ones(2, 2))),
    (IndexError, "out of range", lambda: nn.ParameterList([1])[3]),
    (AttributeError, "no attribute 'a'", lambda: nn.ParameterDict()["a"]),
])
def test_refusals(error, match, act):
    with pytest.raises(error, match=match):
        act()


def test_pop_and_delete_slices():
    for kind in (lambda: nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid()),
                 lambda: nn.ModuleList([nn.ReLU(), nn.Tanh(), nn.Sigmoid()])):
        row = kind()
        assert kinds(row.pop(slice(1, None))) == ["Tanh", "Sigmoid"]
        assert kinds(row) == ["ReLU"]
        row = kind()
        del row[::2]
        assert [(name, kinds([m])[0]) for name, m in row.named_children()] == [("0", "Tanh")]


def test_insert_keeps_names():
    """At the end a named row grows; in front the names would move to other modules."""
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    with pytest.raises(KeyError, match=r"names of their own, \['a', 'b'\]"):
        named.insert(0, nn.ELU())
    named.insert(2, nn.ELU())
    assert list(named._modules) == ["a", "b", "2"]
    layers = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    layers.insert(-1, nn.ELU())
    assert kinds(layers) == ["ReLU", "ELU", "Tanh"]


def test_parameter_dict_or_keeps_the_left_type():
    own = nn.ParameterDict({"a": torch.ones(1)})
    assert type(own | {"b": torch.ones(1)}) is nn.ParameterDict
    merged = {"b": 1} | own
    assert type(merged) is dict
    assert merged["a"] is own["a"]
    with pytest.raises(TypeError):
        3 | own


def test_a_refused_parameter_leaves_no_key():
    own = nn.ParameterDict()
    with pytest.raises(KeyError, match=r"can.*t contain"):
        own["a.b"] = torch.ones(1)
    with pytest.raises(TypeError, match="not a string"):
        own[3]
    assert list(own) == []
    assert repr(own) == "ParameterDict()"


@pytest.mark.parametrize(("layers", "expected"), [
    ([nn.Linear(1, 1) for _ in range(3)],
     "(0-2): 3 x Linear(in_features=1, out_features=1, bias=True)"),
    ([nn.ReLU(), nn.ReLU(), nn.Tanh(), nn.ReLU()],
     "(0-1): 2 x ReLU()\n  (2): Tanh()\n  (3): ReLU()"),
    ([nn.ModuleList([nn.ReLU()] * 2)] * 2,
     "(0-1): 2 x ModuleList(\n    (0-1): 2 x ReLU()\n  )"),
])
def test_repeated_blocks_are_folded(layers, expected):
    assert repr(nn.ModuleList(layers)) == f"ModuleList(\n  {expected}\n)"
