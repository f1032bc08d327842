"""Freed memory stays in the process: steps do not pay page faults for the same arrays again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad.kernels import _memory

ROOT = Path(__file__).parent.parent.parent
FAULTS = """
import resource, sys
import numpy as np
import minigrad.kernels

def step():  # 40 arrays of 1 MB: 10,240 pages
    arrays = [np.ones(1 << 18, np.float32) for _ in range(40)]
    return sum(a.size for a in arrays)

step(), step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
glibc = pytest.mark.skipif(not _memory._is_glibc(), reason="only glibc's malloc is adjusted")


def faults(**settings):
    """Return the page faults of five steps in a fresh process."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    out = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True,
                         text=True, cwd=ROOT, env=outside | settings).stdout
    return int(out)


@glibc
def test_later_steps_have_no_page_faults():
    assert faults() < 500  # of 51,200


@glibc
def test_settings_of_the_environment_are_kept():
    assert faults(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="33554432") > 20_000


@pytest.mark.parametrize(("name", "value"), [
    ("MALLOC_TRIM_THRESHOLD_", "1000000"), ("MALLOC_MMAP_THRESHOLD_", "1000000"),
    ("MALLOC_TOP_PAD_", "0"), ("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=1000000")])
def test_the_environment_decides(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert _memory.keep_freed_memory() is False


def test_other_systems_are_left_alone(monkeypatch):
    def confstr(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "confstr", confstr, raising=False)
    assert _memory.keep_freed_memory() is False
