"""Elementwise ops: what the sample table cannot express (errors, special values, in-place)."""

import math

import numpy as np
import pytest

import minigrad as torch

NAN, INF = math.nan, math.inf


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


def slope(function, *values):
    x = leaf(*values)
    function(x).sum().backward()
    return x.grad.tolist()


# ------------------------------------------------------------------------------ slopes at kinks
@pytest.mark.parametrize(("function", "at", "want"), [
    (torch.abs, 0.0, 0.0),
    (torch.sqrt, 0.0, INF),
    (lambda x: x.clamp(0, 1), 0.0, 1.0),
    (lambda x: x.clamp(0, 1), 1.0, 1.0),
    (lambda x: x.clamp(0, 1), 1.5, 0.0),
    (lambda x: x.clamp(0, 1), NAN, 0.0),
    (lambda x: x.clamp_min(2.0), 2.0, 1.0),
    (lambda x: torch.maximum(x, torch.tensor([3.0])), 3.0, 0.5),
    (lambda x: torch.minimum(x, torch.tensor([3.0])), 3.0, 0.5),
    (lambda x: torch.fmax(x, torch.tensor([3.0])), 3.0, 1.0),
    (lambda x: x ** 0, 0.0, 0.0),
    (lambda x: x ** 2, 0.0, 0.0),
    (lambda x: 0 ** x, 2.0, 0.0),
    (lambda x: torch.tensor([0.0]) ** x, 0.0, 0.0),
    (torch.sinc, 0.0, 0.0),
    (lambda x: torch.atan2(x, torch.zeros(1)), 0.0, 0.0),
    (lambda x: torch.xlogy(x, torch.zeros(1)), 0.0, 0.0),
    (torch.nan_to_num, INF, 0.0),
    (torch.round, 0.5, 0.0),
])
def test_slopes_at_kinks_are_torchs(function, at, want):
    assert slope(function, at) == [want]


def test_ties_of_maximum_give_each_operand_half():
    x, y = leaf(1.0, 2.0), leaf(1.0, 3.0)
    torch.maximum(x, y).sum().backward()
    assert x.grad.tolist() == [0.5, 0.0]
    assert y.grad.tolist() == [0.5, 1.0]


def test_where_keeps_nan_of_the_other_branch_out_of_the_gradient():
    x = leaf(0.0, 4.0)
    torch.where(x > 0, x.clamp_min(1e-9).sqrt(), torch.zeros(2)).sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]


# -------------------------------------------------------------------------------------- promotion
@pytest.mark.parametrize(("a", "b", "want"), [
    (torch.ones(2), 2, "float32"),
    (torch.ones(2), 2.5, "float32"),
    (torch.tensor([1, 2]), 2.5, "float32"),
    (torch.tensor([1, 2]), 2, "int64"),
    (torch.tensor([True]), 2, "int64"),
    (torch.tensor([True]), True, "bool"),
    (torch.tensor([1], dtype=torch.uint8), torch.tensor([1], dtype=torch.int8), "int16"),
    (torch.ones(2), torch.tensor(1.0, dtype=torch.float64), "float32"),
    (torch.ones(2), torch.ones(2, dtype=torch.float64), "float64"),
    (torch.tensor([1, 2]), torch.tensor(1.0, dtype=torch.float16), "float16"),
    (torch.ones(2, dtype=torch.float16), torch.tensor([1, 2]), "float16"),
])
def test_result_types(a, b, want):
    assert torch.add(a, b).dtype == getattr(torch, want)
    assert torch.mul(a, b).dtype == getattr(torch, want)


def test_division_of_integers_is_true_unless_rounded():
    x = torch.tensor([7, -7])
    assert (x / 2).tolist() == [3.5, -3.5]
    assert (x / 2).dtype == torch.float32
    assert (x // 2).tolist() == [3, -4]
    assert (x % 2).tolist() == [1, 1]
    assert torch.fmod(x, 2).tolist() == [1, -1]
    assert torch.div(x, 2, rounding_mode="trunc").tolist() == [3, -3]
    assert (x // 2).dtype == torch.int64


def test_gradients_have_the_dtype_of_their_tensors():
    x = torch.ones(2, dtype=torch.float16, requires_grad=True)
    y = torch.ones(2, dtype=torch.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype == torch.float16
    assert y.grad.dtype == torch.float64


# --------------------------------------------------------------------------------- special values
def test_floats_divided_by_zero():
    x = torch.tensor([1.0, -1.0, 0.0])
    for y in (x / 0, x // 0, torch.div(x, 0.0, rounding_mode="trunc")):
        assert y.tolist()[:2] == [INF, -INF]
        assert math.isnan(y.tolist()[2])


def test_integers_divided_by_zero_raise():
    x = torch.tensor([1, 2])
    for function in (lambda: x // 0, lambda: x % 0, lambda: torch.fmod(x, torch.tensor([1, 0]))):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            function()


def test_no_warning_escapes_from_overflow_or_invalid_values():
    x = torch.tensor([1e38, -1e38, INF, NAN, 0.0], requires_grad=True)
    y = (x * 10 + x.exp() - x.log() + x.sqrt() + (x - x) / x + x.sigmoid() + x ** 7).sum()
    y.backward()  # pytest turns warnings into errors


def test_integer_powers():
    x = torch.tensor([2, 1, -1, 0])
    assert (x ** torch.tensor([-1, -2, -3, -1])).tolist() == [0, 1, -1, 0]
    with pytest.raises(RuntimeError, match="negative integer powers"):
        x ** -1


def test_nan_to_num_uses_the_limits_of_the_dtype():
    y = torch.nan_to_num(torch.tensor([INF, -INF, NAN]))
    limit = torch.finfo(torch.float32).max
    assert y.tolist() == [limit, -limit, 0.0]


def test_half_precision_sigmoid_is_rounded_once():
    x = np.linspace(-9, 9, 101).astype(np.float16)
    want = (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float16)
    np.testing.assert_array_max_ulp(torch.sigmoid(torch.from_numpy(x)).numpy(), want, 1)


# ----------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(("function", "error", "words"), [
    (lambda: torch.ones(2) + torch.ones(3), RuntimeError, "size of tensor a"),
    (lambda: torch.tensor([True]) - torch.tensor([True]), RuntimeError, "Subtraction"),
    (lambda: 1 - torch.tensor([True]), RuntimeError, "Subtraction"),
    (lambda: -torch.tensor([True]), RuntimeError, "Negation"),
    (lambda: torch.ones(2) & torch.ones(2), NotImplementedError, "bitwise_and"),
    (lambda: ~torch.ones(2), TypeError, "invert"),
    (lambda: torch.ones(2) + "a", TypeError, "unsupported operand"),
    (lambda: torch.add(torch.ones(2), [1.0]), TypeError, "must be Tensor"),
    (lambda: torch.ones(2).clamp(), RuntimeError, "At least one of"),
    (lambda: torch.tensor([1]).add(1, alpha=2.5), RuntimeError, "alpha"),
    (lambda: torch.tensor([1]).add_(1.5), RuntimeError, "can't be cast"),
    (lambda: torch.ones(2).add_(torch.ones(3, 2)), RuntimeError, "broadcast shape"),
    (lambda: torch.div(torch.ones(2), 2, rounding_mode="up"), RuntimeError, "rounding_mode"),
    (lambda: torch.where(torch.tensor([1]), 1.0, 2.0), RuntimeError, "boolean"),
    (lambda: torch.ones(2).masked_fill(torch.tensor([1, 0]), 1), RuntimeError, "boolean masks"),
    (lambda: torch.ones(2).masked_fill(torch.ones(2) > 0, torch.ones(2)), RuntimeError,
     "0-dimensional"),
    (lambda: torch.lerp(torch.ones(2), torch.tensor([1, 2]), 0.5), RuntimeError, "dtype"),
    (lambda: torch.addcdiv(torch.tensor([1]), torch.tensor([1]), torch.tensor([1])), RuntimeError,
     "Integer division"),
    (lambda: torch.maximum(torch.ones(2), 1.0), TypeError, "must be Tensor"),
    (lambda: (leaf(3.0) // 2).backward(), RuntimeError, "not implemented"),
])
def test_errors(function, error, words):
    with pytest.raises(error, match=words):
        function()


# --------------------------------------------------------------------------- operators, in-place
def test_every_operator_agrees_with_python():
    x, n = torch.tensor([7, 2]), 3
    got = [x + n, n + x, x - n, n - x, x * n, n * x, x // n, n // x, x % n, n % x, x ** n, n ** x,
           x & n, n & x, x | n, n | x, x ^ n, n ^ x, x << n, n << x, x >> 1, 29 >> x, -x, +x, ~x,
           abs(-x), x == 7, x != 7, x < 3, x <= 2, x > 2, x >= 7]
    want = [[f(v) for v in (7, 2)] for f in (
        lambda v: v + n, lambda v: n + v, lambda v: v - n, lambda v: n - v, lambda v: v * n,
        lambda v: n * v, lambda v: v // n, lambda v: n // v, lambda v: v % n, lambda v: n % v,
        lambda v: v ** n, lambda v: n ** v, lambda v: v & n, lambda v: n & v, lambda v: v | n,
        lambda v: n | v, lambda v: v ^ n, lambda v: n ^ v, lambda v: v << n, lambda v: n << v,
        lambda v: v >> 1, lambda v: 29 >> v, lambda v: -v, lambda v: v, lambda v: ~v, lambda v: v,
        lambda v: v == 7, lambda v: v != 7, lambda v: v < 3, lambda v: v <= 2, lambda v: v > 2,
        lambda v: v >= 7)]
    assert [y.tolist() for y in got] == want


def test_augmented_assignments_write_in_place():
    x = torch.tensor([7.0, 2.0])
    same = x
    x += 1
    x -= 2
    x *= 3
    x /= 2
    x **= 2
    x //= 2
    x %= 7
    assert x is same
    assert x.tolist() == [5.0, 1.0]
    assert x._version == 7


def test_ndarrays_mix_with_tensors():
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert (x + np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
    assert (np.array([1.0, 2.0]) * x).tolist() == [1.0, 4.0]
    assert (np.float32(2) * x).dtype == torch.float64
    assert (1 / x).tolist() == [1.0, 0.5]


@pytest.mark.parametrize("name", ["exp_", "sigmoid_", "tanh_", "sqrt_", "neg_", "abs_", "square_",
                                  "sin_", "log1p_", "erf_"])
def test_inplace_forms_differentiate_like_the_others(name):
    a, b = leaf(0.5, 1.5), leaf(0.5, 1.5)
    x = a * 2
    y = getattr(x, name)()
    z = getattr(b * 2, name[:-1])()
    assert y is x
    (y * y).sum().backward()
    (z * z).sum().backward()
    assert y.tolist() == z.tolist()
    assert a.grad.tolist() == b.grad.tolist()


def test_inplace_binary_and_masked_fill_differentiate():
    x, v = leaf(1.0, -2.0, 3.0), torch.tensor(5.0, requires_grad=True)
    y = (x * 2).masked_fill_(torch.tensor([True, False, False]), v).mul_(3).clamp_(max=16)
    y.sum().backward()
    assert y.tolist() == [15.0, -12.0, 16.0]
    assert x.grad.tolist() == [0.0, 6.0, 0.0]
    assert v.grad.item() == 3.0


def test_overwritten_saved_values_are_noticed():
    y = leaf(1.0).exp()
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_out_receives_the_result():
    out = torch.zeros(2)
    assert torch.add(torch.ones(2), 1, out=out) is out
    assert torch.where(torch.tensor([True, False]), torch.ones(2), 2.0, out=out) is out
    assert out.tolist() == [1.0, 2.0]


def test_third_derivatives():
    x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    for function, third in ((torch.exp, math.exp(0.7)), (torch.sin, -math.cos(0.7)),
                            (lambda t: t ** 5, 60 * 0.7 ** 2), (torch.log, 2 / 0.7 ** 3)):
        g = function(x)
        for _ in range(3):
            (g,) = torch.autograd.grad(g, x, create_graph=True)
        assert g.item() == pytest.approx(third, rel=1e-12)


def test_pow_by_zero_has_its_mixed_derivatives():
    """d2 a^b / da db at b = 0 is 1 / a, which PyTorch takes for 0."""
    a = torch.tensor([2.0, 0.5, 4.0], dtype=torch.float64, requires_grad=True)
    b = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.pow(a, b).sum(), a, create_graph=True)
    assert slope.tolist() == [0.0] * 3
    (mixed,) = torch.autograd.grad(slope.sum(), b, create_graph=True)
    assert mixed.tolist() == [0.5, 2.0, 0.25]
    (third,) = torch.autograd.grad(mixed.sum(), a)
    assert third.tolist() == [-0.25, -4.0, -0.0625]


def test_pow_by_zero_is_flat_for_every_base():
    """The slope is 0 where a^(b - 1) is infinite or NaN as well, recorded or not."""
    values = [0.0, -2.0, math.inf, -math.inf, math.nan]
    a = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    for recorded in (False, True):
        y = torch.pow(a, b)
        (slope,) = torch.autograd.grad(y.sum(), a, create_graph=recorded)
        assert slope.tolist() == [0.0] * 5
