"""Measure minigrad against torch: `python -m benchmarks --help`.

workloads.py, ops.py and shapes.py say *what* is measured: each case is written once, as a
function of the namespace (`torch` or `minigrad`), and returns the call to be timed.
measure.py says *how*; worker.py is the fresh process that does it; report.py prints.
"""
