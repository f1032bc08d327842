"""Mode, quantiles, covariances: errors and special values."""

import math

import pytest

import minigrad as torch


@pytest.mark.parametrize(("function", "words"), [
    (lambda: torch.quantile(torch.tensor([1, 2]), 0.5), "float or double"),
    (lambda: torch.quantile(torch.ones(2), 2.0), "in the range"),
    (lambda: torch.quantile(torch.ones(2), math.nan), "in the range"),
    (lambda: torch.quantile(torch.ones(2), torch.ones(1, dtype=torch.float64)), "same dtype"),
    (lambda: torch.quantile(torch.ones(2), 0.5, interpolation="cubic"), "interpolation"),
    (lambda: torch.quantile(torch.ones(0), 0.5), "non-empty"),
    (lambda: torch.cov(torch.ones(2, 2, 2)), "two or fewer"),
])
def test_errors(function, words):
    with pytest.raises(RuntimeError, match=words):
        function()


def test_quantiles_of_infinite_numbers_come_from_the_nearer_end():
    x = torch.tensor([-math.inf, 1.0, 2.0])
    assert torch.quantile(x, 0.0).item() == -math.inf
    assert torch.quantile(x, 0.4).item() == -math.inf
    assert torch.quantile(x, 0.5).item() == 1.0


def test_quantile_of_nan_is_nan_and_nanquantile_skips_it():
    x = torch.tensor([[1.0, math.nan], [2.0, 4.0]])
    assert math.isnan(torch.quantile(x, 0.5, dim=1)[0].item())
    assert torch.nanquantile(x, 0.5, dim=1).tolist() == [1.0, 3.0]


def test_mode_returns_the_last_place_of_the_smallest_most_frequent_value():
    values, indices = torch.tensor([2, 2, 1, 1, 3]).mode()
    assert (values.item(), indices.item()) == (1, 3)
    assert isinstance(torch.ones(2).mode(), torch.return_types.mode)


def test_covariance_of_one_variable_is_a_number():
    x = torch.tensor([1.0, 2.0, 4.0])
    assert torch.cov(x).item() == pytest.approx(torch.var(x).item())
    assert torch.corrcoef(x).item() == 1.0
