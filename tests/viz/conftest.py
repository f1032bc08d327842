"""The browser that the tests of the interactive page share."""

from __future__ import annotations

import pytest

from .browser import browser
from .pages import PAGES


@pytest.fixture(scope="module")
def chrome():
    with browser() as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture
def load(chrome, folder):
    """Open a page by its name; at the end nothing may have been complained about or requested."""
    def opened(name):
        path = folder / f"{name}.html"
        if not path.exists():
            PAGES[name]().save(path)
        chrome.open(path)
        return chrome

    yield opened
    assert chrome.complaints() == []
