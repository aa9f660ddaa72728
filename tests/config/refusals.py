"""A good config to spoil, and the types of the fixtures that read it and refuse it."""

from __future__ import annotations

from collections.abc import Callable

from nettool.config.experiment import Experiment

GOOD = """\
data:
  path: table.csv
  target: y
layers:
  - dense: 8
  - output
loss: mse
"""

Read = Callable[..., Experiment]
Refuse = Callable[..., list[str]]
