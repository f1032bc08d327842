"""as_strided on any memory, storages, resize_ and set_: values are what PyTorch gave."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as torch

SHOWN = {
    "whole": lambda b: b,
    "slice": lambda b: b[4:16],
    "transposed": lambda b: b.view(4, 6).t(),
    "columns": lambda b: b.view(4, 6)[:, 1:4],
    "steps": lambda b: b[1::3],
    "windows": lambda b: b.unfold(0, 4, 2),
    "expanded": lambda b: b[2:6].expand(3, 4),
}
PLACES = [((2, 3), (6, 1), 8), ((3, 2), (1, 4), None),
          ((2, 2), (1, 1), 5), ((3,), (0,), 7), ((), (), 9),
          ((0, 2), (1, 1), 3)]
every_view = pytest.mark.parametrize("shown", SHOWN)
every_place = pytest.mark.parametrize("place", PLACES, ids=str)


def base(**options):
    return torch.arange(24., dtype=torch.float64, **options)


@every_view
@every_place
def test_as_strided_counts_in_the_memory(shown, place):
    x = SHOWN[shown](base())
    size, stride, offset = place
    y = x.as_strided(*place)
    start = x.storage_offset() if offset is None else offset
    want = np.full(size, float(start))
    for k, (n, s) in enumerate(zip(size, stride, strict=True)):
        want += (np.arange(n) * s).reshape([-1 if i == k else 1 for i in range(len(size))])
    np.testing.assert_array_equal(y.numpy(), want)
    assert y._base is (x if x._base is None else x._base)
    if y.numel():
        assert y.stride() == stride and y.storage_offset() == start
    assert y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


@every_view
@every_place
def test_gradients_stay_inside_of_what_the_tensor_shows(shown, place):
    """Each element of x that lies in a place which y shows; shares where several of x lie there."""
    b = base(requires_grad=True)
    x = SHOWN[shown](b * 1)
    y = x.as_strided(*place)
    weight = torch.arange(1., 1 + y.numel(), dtype=torch.float64).view(y.shape)
    (g,) = torch.autograd.grad((y * weight).sum(), x)
    memory = np.zeros(24)
    np.add.at(memory, y.detach().long().numpy().ravel(), weight.numpy().ravel())
    lies = x.detach().long().numpy()
    counts = np.bincount(lies.ravel(), minlength=24)
    np.testing.assert_allclose(g.numpy(), (memory / np.maximum(counts, 1))[lies])


@every_place
def test_derivatives_of_a_copy_are_right(place):
    x = torch.rand(4, 6, dtype=torch.float64, requires_grad=True)

    def through(x):
        return (x * 1).t().as_strided(*place).sin()

    assert torch.autograd.gradcheck(through, x)
    assert torch.autograd.gradgradcheck(through, x)


def test_writing_through_strides_reaches_the_base():
    x = base(requires_grad=True)
    b = x * 1
    view = b[1::3].as_strided((2, 2), (5, 1), 2)  # 2 3 7 8, of which b[1::3] shows 7 alone
    view.mul_(10)
    assert b.detach()[[2, 3, 7, 8]].tolist() == [20, 30, 70, 80]
    b.sum().backward()
    assert x.grad.tolist() == [10. if k in (2, 3, 7, 8) else 1. for k in range(24)]


def test_a_rewritten_history_needs_a_dense_base():
    b = torch.from_numpy(np.arange(24.).reshape(4, 6)[:, ::2])
    view = b.as_strided((2,), (6,), 2)
    assert view.tolist() == [2, 8]
    source = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"clone\(\) the base"):
        view.mul_(source)
        b.sum().backward()


def test_as_strided_in_place():
    x = base(requires_grad=True)
    b = x * 1
    old = b[3:5]
    assert b.as_strided_((2, 3), (1, 4), 2) is b
    assert b.tolist() == [[2, 6, 10], [3, 7, 11]] and b.storage_offset() == 2
    assert old.tolist() == [3, 4]
    (b * b).sum().backward()
    assert x.grad.nonzero().flatten().tolist() == [2, 3, 6, 7, 10, 11]
    with pytest.raises(RuntimeError, match="leaf"):
        x.as_strided_((2,), (1,))


@pytest.mark.parametrize("place", [((3,), (2,), 20), ((3,), (2,), -1), ((3,), (-2,)), ((-3,), (2,)),
                                   ((3, 1), (2,))])
@pytest.mark.parametrize("name", ["as_strided", "as_strided_"])
def test_places_outside_are_refused(place, name):
    with pytest.raises(RuntimeError, match=r"[sS]torage|[sS]trides"):
        getattr(base(), name)(*place)


def test_memory_ends_where_the_base_ends():
    part = torch.from_numpy(np.arange(10.)[2:8])
    assert part.storage_offset() == 0 and part.untyped_storage().nbytes() == 48
    with pytest.raises(RuntimeError, match="out of bounds for storage of size 48"):
        part.as_strided((7,), (1,))


def test_scatter_into_any_memory():
    x = torch.arange(12.).view(3, 4).t()
    y = torch.as_strided_scatter(x, torch.tensor([[90., 91.], [92., 93.]]), (2, 2), (1, 5))
    assert y.tolist() == [[90, 4, 8], [92, 91, 9], [2, 93, 10], [3, 7, 11]]
    assert x[0, 0] == 0 and y.stride() == (1, 4)
    y = torch.as_strided_scatter(torch.arange(6.)[2:], torch.tensor([9.]), (1,), (1,), 3)
    assert y.tolist() == [2, 9, 4, 5]


def test_detached_views_keep_the_place_in_memory():
    b = base()
    for x in (b[2:].detach(), b[2:].data, b[1:].detach()[1:].detach()):
        assert x.storage_offset() == 2 and x.as_strided((1,), (1,), 0).item() == 0
        assert x.untyped_storage().nbytes() == 192


def test_storages_are_the_memory():
    x = torch.arange(4, dtype=torch.int16)
    s = x[2:].untyped_storage()
    assert (len(s), s.size(), s.nbytes(), s.element_size()) == (8, 8, 8, 1)
    assert torch.is_storage(s) and isinstance(s, torch.UntypedStorage)
    s[6] = 9
    assert x.tolist() == [0, 1, 2, 9]
    copy = s.clone()
    s.fill_(0)
    assert x.tolist() == [0] * 4 and copy.tolist() == list(b"\0\0\1\0\2\0\t\0")
    assert s.copy_(copy) is s and x.tolist() == [0, 1, 2, 9]
    assert s[6:].tolist() == [9, 0] and s.untyped() is s
    for wrong in (lambda: s.copy_(x[:1].clone().untyped_storage()), lambda: s.resize_(1),
                  lambda: s[::2]):
        with pytest.raises(RuntimeError):
            wrong()
    assert torch.UntypedStorage(3).nbytes() == 3 and torch.UntypedStorage([1, 2]).tolist() == [1, 2]
    assert torch.TypedStorage(3, dtype=torch.float64).nbytes() == 24
    assert torch.TypedStorage([1, 2]).tolist() == [1., 2.]
    with pytest.raises(TypeError, match="untyped_storage"):
        torch.UntypedStorage(torch.ones(2))
    assert repr(x[:1].clone().untyped_storage()) == (
        " 0\n 0\n[torch.storage.UntypedStorage(device=cpu) of size 2]")


def test_typed_storages_warn():
    x = torch.arange(3.)
    with pytest.warns(UserWarning, match="TypedStorage is deprecated"):
        s = x[1:].storage()
    assert s.tolist() == list(s) == [0, 1, 2] and s[2] == 2 and s.dtype is torch.float32
    assert (len(s), s.size(), s.nbytes(), s.element_size()) == (3, 3, 12, 4)
    s[0] = 5
    assert x.tolist() == [5, 1, 2] and s.data_ptr() == x.data_ptr()
    assert torch.is_storage(s) and s.untyped().nbytes() == 12
    assert repr(s.fill_(1)) == (" 1.0\n 1.0\n 1.0\n[torch.storage.TypedStorage("
                                "dtype=torch.float32, device=cpu) of size 3]")
    with pytest.raises(RuntimeError, match="indexed by int"):
        s[0:1]


def test_resize_keeps_the_memory():
    x = torch.arange(12.)
    assert x.resize_(2).tolist() == [0, 1] and x.resize_(2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert x.t().resize_(4).tolist() == [0, 1, 2, 3]
    y = torch.arange(6.)[4:].resize_(3)
    assert y.tolist() == [4, 5, 0] and y.storage_offset() == 4


def test_set_shows_other_memory():
    b = torch.arange(12.)
    x = torch.zeros(3).set_(b[2:])
    assert x.storage_offset() == 2 and x.data_ptr() == b[2:].data_ptr()
    assert torch.zeros(3).set_(b[1:], 1, (2,), (2,)).tolist() == [2, 4]
    assert torch.zeros(3).set_(b.untyped_storage(), 2, (3,), (1,)).tolist() == [2, 3, 4]
    assert torch.zeros(3).set_(b.untyped_storage()).tolist() == b.tolist()
    with pytest.warns(UserWarning):
        assert torch.zeros(3).set_(b.storage()).tolist() == b.tolist()
    assert x.set_().shape == (0,)


def test_strides_under_vmap_count_inside_of_each_example():
    x = torch.arange(12.).view(3, 4)
    assert torch.vmap(lambda t: t.as_strided((2,), (2,)))(x).tolist() == [[0, 2], [4, 6], [8, 10]]
    with pytest.raises(RuntimeError, match="setStorage"):
        torch.vmap(lambda t: t.as_strided((3,), (2,)))(x)
