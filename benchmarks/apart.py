"""Time a case on libraries that take turns but have a process each, as in their users' programs.

In one process the libraries share more than the processors. Above all, minigrad tells malloc to
keep freed memory (`minigrad/kernels/_memory.py`), which spares torch's large tensors the page
faults that they cost it otherwise, up to thousands in a step.
"""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Settings, interleave

ROOT = Path(__file__).resolve().parent.parent


class Server:
    """A fresh process for one library."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)

    def build(self, suite: str, name: str, side: str) -> None:
        """Build one case there."""
        self._ask({"do": "serve", "suite": suite, "name": name, "side": side})

    def time(self, side: str, settings: Settings) -> tuple[float, bool]:
        """Return what `measure.time_side` returns there."""
        found = self._ask({"side": side, "settings": dataclasses.asdict(settings)})
        return found["seconds"], found["disturbed"]

    def _ask(self, request: dict) -> dict:
        assert self.process.stdin and self.process.stdout and self.process.stderr
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the process has ended; its errors tell why
        line = self.process.stdout.readline()
        if not line:
            raise ChildProcessError(self.process.stderr.read().strip())
        return json.loads(line)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.communicate()


def time_case(suite: str, name: str, sides: list[str], settings: Settings) -> dict:
    """Return what `measure.interleave` returns, or {"error": text}."""
    servers: dict[str, Server] = {}
    try:
        for side in sides:
            library = side.split()[0]
            if library not in servers:
                servers[library] = Server()
                servers[library].build(suite, name, side)
        timed = lambda side: servers[side.split()[0]].time(side, settings)
        return interleave(sides, timed, settings)
    except ChildProcessError as error:
        return {"error": str(error)}
    finally:
        for server in servers.values():
            server.close()
