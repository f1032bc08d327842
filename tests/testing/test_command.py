"""`python -m minigrad.gradcheck`: targets, inputs, exit status, JSON and HTML."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from minigrad.gradcheck import main

ROOT = Path(__file__).parent.parent.parent

FILE = """
import numpy as np
import minigrad as torch
from minigrad import nn

class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x ** 3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        g = 3 * x * x * g
        return g * (torch.arange(len(g)) != 1) if WRONG else g

WRONG = False

def cube(x):
    return Cube.apply(x)

class Wrong(nn.Module):
    def forward(self, x):
        global WRONG
        WRONG = True
        return Cube.apply(x) * (2 if self.training else 1)

class Look(nn.Module):
    def __init__(self, n=10):
        super().__init__()
        self.table = nn.Embedding(n, 2)
    def forward(self, k, x):
        return self.table(k) * x

def make(n):
    return Look(n)

class Holder:
    net = Look()

def plain(a, b):
    return np.sin(a) * b

def plain_grad(a, b, g):
    return g * np.cos(a) * b, (g * np.sin(a)).sum(0)

def plain_wrong(a, b, g):
    return g * np.cos(a) * b, 2 * (g * np.sin(a)).sum(0)

def log(x):
    return x.log()

def breaks(x):
    return x.view(1234567)

number = 3
"""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run the command on the file above; return the exit status, stdout and stderr."""
    (tmp_path / "user_file.py").write_text(FILE)
    (tmp_path / "broken.py").write_text("def f(x):\n    return x\n\nraise KeyError('mine')\n")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        try:
            status = main(words)
        except SystemExit as stop:  # argparse
            status = stop.code
        sys.modules.pop("user_file", None)
        return status, *capsys.readouterr()

    return run


def test_a_right_function(command):
    status, out, err = command("user_file.py:cube", "--shape", "3,4")
    assert (status, err) == (0, "")
    assert out.startswith("gradcheck ok  cube") and "checked: x (12)" in out
    assert "reproduce: python -m minigrad.gradcheck user_file.py:cube --shape 3,4\n" in out


def test_a_wrong_one_is_named_and_the_line_to_paste_finds_it_again(command):
    status, out, _ = command("user_file.py:Wrong()", "--shape", "4", "--seed", "3", "--eval")
    assert status == 1 and "gradcheck FAILED  Wrong" in out
    line = next(text for text in out.splitlines() if " reproduce: " in text)
    assert line.endswith("'user_file.py:Wrong()' --shape 4 --seed 3 --eval --only=x:1"), line
    status, out, _ = command("user_file.py:Wrong", "--shape", "4", "--seed", "3", "--only", "x:1")
    assert status == 1 and "x (1,)" in out
    assert command("user_file.py:Wrong", "--shape", "4", "--only", "x:0")[0] == 0


@pytest.mark.parametrize("words", [
    ("user_file.py:Look", "--shape", "3", "--int", "0,10", "--shape", "2"),
    ("user_file.py:make(4)", "--shape", "3", "--int", "0,4", "--shape", "2", "--train"),
    ("user_file.py:Holder.net", "--shape", "3", "--int", "0,10", "--shape", "2"),
    ("user_file.py:Look", "--module", "--shape", "3", "--int", "0,10", "--shape", "2",
     "--wrt", "x"),
    ("user_file.py:log", "--range", "1,2", "--shape", "3"),
    ("user_file.py:log", "--range", "1,2", "--shape", "scalar", "--dtype", "float32"),
    ("user_file.py:torch.tanh", "--shape", "3", "--range", "-2,-1", "--order", "2"),
    ("minigrad.nn:Linear(3, 2)", "--shape", "4,3", "--only", "weight:0,2", "--only", "bias:1"),
    ("user_file.py:plain", "--grad", "user_file.py:plain_grad", "--shape", "3,4", "--shape", "4"),
    ("user_file:cube", "--shape", "2"),
])
def test_targets_and_inputs(command, words):
    status, out, err = command(*words)
    assert (status, err) == (0, ""), out + err


def test_arrays_with_a_gradient_by_hand(command):
    status, out, _ = command("user_file.py:plain", "--grad", "user_file.py:plain_wrong",
                             "--shape", "3,4", "--shape", "4")
    assert status == 1 and " b " in out and "x2.000" in out


def test_json(command):
    status, out, _ = command("user_file.py:Wrong", "--shape", "4", "--json")
    report = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert status == 1 and report["ok"] is False
    assert report["failures"][0]["input"] == "x" and report["failures"][0]["index"] == [1]
    assert report["failures"][0]["left"] is None  # nan
    assert json.loads(command("user_file.py:torch.sin", "--shape", "2", "--json")[1])["ok"] is True


class Closed(HTMLParser):
    """Notes elements that are opened and closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_html(command, tmp_path):
    assert command("user_file.py:Wrong", "--shape", "4", "--html", "out.html")[0] == 1
    page = Closed((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert page.open == [] and {"html", "title", "table", "th", "td"} <= set(page.seen)
    assert any("gradcheck FAILED  Wrong" in w for w in page.words) and "[1]" in page.words


def test_blame(command):
    status, out, _ = command("user_file.py:Wrong", "--shape", "4", "--blame")
    assert status == 1 and "blame: the rule of Cube" in out


@pytest.mark.parametrize(("words", "says"), [
    (("user_file.py:cube",), "--shape for each input of user_file.py:cube (x)"),
    (("user_file.py", "--shape", "2"), "expected FILE.py:NAME"),
    (("user_file.py:cub", "--shape", "2"), "has no 'cub'"),
    (("user_file.py:1 +", "--shape", "2"), "neither a name nor an expression"),
    (("nofile.py:f", "--shape", "2"), "no file 'nofile.py'"),
    (("no_such_module_here:f", "--shape", "2"), "no module 'no_such_module_here'"),
    (("user_file.py:number", "--shape", "2"), "is a int, expected a function"),
    (("user_file.py:cube", "--shape", "2", "--eval"), "are for Modules"),
    (("user_file.py:cube", "--shape", "2", "--module"), "cube"),
    (("user_file.py:cube", "--shape", "2", "--only", "y:0"), "only names 'y'"),
    (("user_file.py:cube", "--shape", "2", "--wrt", "y"), "wrt names ['y']"),
    (("user_file.py:cube", "--shape", "two"), "expected sizes such as 3,4"),
    (("user_file.py:cube", "--shape", "2", "--range", "2,1"), "LOW must be less than HIGH"),
    (("user_file.py:cube", "--shape", "2", "--only", "x"), "expected NAME:INDEX"),
    (("user_file.py:cube", "--shape", "2", "--order", "3"), "invalid choice"),
])
def test_errors_of_usage(command, words, says):
    status, out, err = command(*words)
    assert (status, out) == (2, "") and says in err, err


@pytest.mark.parametrize(("target", "line", "says"), [
    ("broken.py:f", "raise KeyError('mine')", "KeyError: 'mine'"),
    ("user_file.py:breaks", "return x.view(1234567)", "RuntimeError"),
])
def test_errors_of_the_users_code_show_its_traceback(command, target, line, says):
    status, out, err = command(target, "--shape", "2")
    assert (status, out) == (2, "") and line in err and says in err
    assert err.startswith("Traceback") and target.split(":")[0] in err.splitlines()[1]


def test_as_a_command():
    done = subprocess.run([sys.executable, "-m", "minigrad.gradcheck", "minigrad:tanh",
                           "--shape", "3"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("gradcheck ok  tanh"), done.stderr
    code = "import minigrad; assert callable(minigrad.autograd.gradcheck); minigrad.gradcheck"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          timeout=60)
    assert "AttributeError" in done.stderr  # PyTorch has no torch.gradcheck either
