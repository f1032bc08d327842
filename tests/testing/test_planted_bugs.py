"""Bugs planted in ops, layers, Functions, Modules and NumPy code: found, located, named."""

from __future__ import annotations

import warnings

import pytest

from . import planted_functions, planted_further, planted_layers, planted_ops
from .planted_tools import check_found

PLANTS = [*planted_ops.PLANTS, *planted_layers.PLANTS, *planted_functions.PLANTS,
          *planted_further.PLANTS]
TITLES = [plant.title for plant in PLANTS]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_there_are_many_of_many_causes():
    assert len(set(TITLES)) == len(TITLES) >= 150
    assert len({plant.cause.split()[0] for plant in PLANTS}) >= 14


@pytest.mark.parametrize("plant", PLANTS[::2], ids=TITLES[::2])
def test_found_located_and_named(plant):
    check_found(plant, seed=len(plant.title) % 7)


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS, ids=TITLES)
def test_at_five_seeds(plant):
    for seed in range(11, 16):
        check_found(plant, seed)
