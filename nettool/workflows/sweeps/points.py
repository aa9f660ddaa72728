"""From a config and ranges to the points of a sweep, each a config that was checked. Never torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nettool.config.experiment import Experiment
from nettool.config.load import Loaded, Source, read_source
from nettool.config.ranges import Axis, draws, grid, num_combinations, parse_axis
from nettool.config.write import dump
from nettool.config.yaml import Node
from nettool.errors import ConfigError, Mistake, NettoolError, UsageError
from nettool.model.plans import NetworkPlan
from nettool.workflows.check import Checked, check_config
from nettool.workflows.sweeps.shared import SharedData

MOST_POINTS = 10_000
"""More are trained only where the user says so: a slip of the pen makes a million."""
SEED, FOLD = "seed", "data.split.fold"
REPLICATES = (SEED, FOLD)
"""Keys whose values say nothing of how good a setting is: results are averaged over them."""


@dataclass(frozen=True)
class Request:
    """What was asked for beside the config: `KEY=RANGE` and `KEY=VALUE` as typed, and how often each is trained."""

    texts: tuple[str, ...] = ()
    seeds: int | None = None
    folds: int | None = None
    random: int | None = None
    random_seed: int = 0


@dataclass(frozen=True)
class Sweep:
    """All points, not yet checked. axes: what is varied. points: all overrides of each, in the order that was typed."""

    source: Source
    path: str
    axes: tuple[Axis, ...]
    points: tuple[tuple[str, ...], ...]

    def load(self, number: int) -> Loaded:
        """The point of this number, from 1 on. Raises ConfigError."""
        return self.source.load(self.points[number - 1])

    def name(self, number: int) -> str:
        """What tells it from the others, as one would type it."""
        keys = {axis.key for axis in self.axes}
        return " ".join(override for override in self.points[number - 1] if override.partition("=")[0] in keys)


@dataclass(frozen=True)
class CheckedPoint:
    """What is kept of a point that was held against its data, which may be large. num_examples: for training."""

    experiment: Experiment
    plan: NetworkPlan
    batch_size: int
    num_examples: int


def plan_sweep(config: Path, request: Request, most: int | None = MOST_POINTS) -> Sweep:
    """Read the config, and its `sweep:` section if it has one. most: points that are no mistake.

    Raises UsageError for a range that makes no sense, ConfigError for mistakes of the config.
    """
    source = read_source(config)
    texts = (*_texts_of_section(source), *request.texts)
    source, request = source.without("sweep"), _with_section(source, request)
    axes: dict[str, Axis] = {}
    typed = [text.partition("=")[0] for text in request.texts]
    for text in texts:  # what is typed takes the place of what the file says
        axis = parse_axis(text, needs_count=request.random is None)
        if axis.key in OPTIONS:
            raise UsageError(f"{text}: that is an option, written --{axis.key} {axis.values[0]}.")
        if typed.count(axis.key) > 1:
            raise UsageError(f"{axis.key} is there twice. Name all of its values at once: {axis.key}=0.1,0.2")
        axes.pop(axis.key, None)
        axes[axis.key] = axis
    replicates = _replicates(source, request, axes)
    varied = [axis for axis in axes.values() if len(axis.values) > 1 or axis.span is not None]
    if not varied and not replicates:
        held = "".join(f" {override} is one value." for axis in axes.values() for override in axis.overrides)
        raise UsageError(
            f"nothing is varied.{held} Several: optimizer.lr=0.1,0.2, a range: 1e-4..1e-1:log:16, or --seeds 5."
        )
    if request.random is not None and not varied:
        raise UsageError("--random draws from what is varied, and nothing is: optimizer.lr=1e-4..1e-1:log")
    count = request.random if request.random is not None else num_combinations(varied)
    count *= num_combinations(replicates)
    if most is not None and count > most:
        raise UsageError(f"{count:,} points are more than {most:,}. If you mean it, say so with --yes.")
    every = list(axes.values())  # what is held among them: an override means what it means in its place
    settings = grid(every) if request.random is None else draws(every, request.random, request.random_seed)
    repeats = list(grid(replicates))
    points = tuple((*setting, *repeat) for setting in settings for repeat in repeats)
    return Sweep(source, str(config), (*varied, *replicates), points)


def _replicates(source: Source, request: Request, axes: dict[str, Axis]) -> list[Axis]:
    """Folds and seeds. A seed that is held is the first of several."""
    found: list[Axis] = []
    if request.random is not None:
        _check_count("random", request.random, 1)
    if request.folds is not None:
        _check_count("folds", request.folds, 2)
        axes["data.split.folds"] = Axis("data.split.folds", (str(request.folds),))
        found.append(Axis(FOLD, tuple(str(fold) for fold in range(1, request.folds + 1))))
    if request.seeds is not None:
        _check_count("seeds", request.seeds, 2)
        held = axes.pop(SEED, None) if len(axes.get(SEED, Axis("", ())).values) == 1 else None
        first = _seed(source, held.overrides if held else ())
        found.append(Axis(SEED, tuple(str(seed) for seed in range(first, first + request.seeds))))
    if twice := [axis.key for axis in found if axis.key in axes]:
        raise UsageError(f"{twice[0]} is varied twice: leave {twice[0]}=... out, or the option.")
    return found


def _check_count(what: str, count: int, least: int) -> None:
    if count < least:
        raise UsageError(f"--{what} {count}: {least} at least.")


def _seed(source: Source, overrides: Sequence[str]) -> int:
    """The config's own seed, the first of several."""
    try:
        return source.load(overrides).experiment.seed
    except ConfigError:  # which every point meets again
        return 0


# --- the section -------------------------------------------------------------------------------------------

OPTIONS = ("seeds", "folds", "random")


def _section(source: Source) -> Mapping[str, Node]:
    assert isinstance(source.root.value, dict)
    node = source.root.value.get("sweep")
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        text = "is a mapping of what is varied: `sweep: {optimizer.lr: 1e-4..1e-1:log:16, seeds: 5}`."
        raise ConfigError([Mistake(("sweep",), text, str(node.shown_place))])
    return node.value


def _texts_of_section(source: Source) -> list[str]:
    """`optimizer.lr: [0.1, 0.01]` and `dropout: 0,0.2` as they would be typed."""
    return [f"{key}={_as_typed(node.plain())}" for key, node in _section(source).items() if key not in OPTIONS]


def _as_typed(value: Any) -> str:
    """A list of values as text with commas; each value as YAML on one line."""
    if isinstance(value, list | tuple):
        return ",".join(_as_yaml(item) for item in value)
    return value if isinstance(value, str) else _as_yaml(value)


def _as_yaml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_as_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_as_yaml(item)}' for key, item in value.items())}}}"
    return dump(value).removesuffix("\n...\n").strip()


def _with_section(source: Source, request: Request) -> Request:
    """What the section says of seeds, folds and random, where the command says nothing."""
    section = _section(source)

    def count(name: str, asked: int | None) -> int | None:
        if name not in section or asked is not None:
            return asked
        value = section[name].value
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError([Mistake(("sweep", name), "is a whole number.", str(section[name].shown_place))])
        return value

    seeds, folds, random = (count(name, getattr(request, name)) for name in OPTIONS)
    return replace(request, seeds=seeds, folds=folds, random=random)


# --- mistakes, all before anything starts ------------------------------------------------------------------


def check_points(sweep: Sweep, shared: SharedData) -> list[CheckedPoint]:
    """Hold every point against its data. Raises ConfigError with the mistakes of all of them, or DataError."""
    mistakes: dict[Mistake, list[int]] = {}
    loaded: dict[str, list[tuple[int, Loaded]]] = {}
    found: dict[int, CheckedPoint] = {}
    seen: dict[str, int] = {}

    @contextmanager
    def at(number: int) -> Iterator[None]:
        try:
            yield
        except ConfigError as error:
            for mistake in error.mistakes:
                mistakes.setdefault(mistake, []).append(number)
        except NettoolError as error:
            raise type(error)(f"point {number} ({sweep.name(number)}): {error}") from None

    for number in range(1, len(sweep.points) + 1):
        with at(number):
            point = sweep.load(number)
            loaded.setdefault(shared.key(point.experiment.data, point.experiment.loss), []).append((number, point))
            same = seen.setdefault(point.experiment.model_dump_json(), number)
            if same != number:
                raise UsageError(
                    f"it is the same as point {same} ({sweep.name(same)}). What is typed later undoes what came "
                    "before, as optimizer=sgd does to optimizer.lr: put it first."
                )
    for points in loaded.values():  # those of the same data behind each other, so that they are read once
        for number, point in points:
            with at(number):
                found[number] = _checked(check_config(point, all_rows=True, read=shared.read))
    if mistakes:
        raise ConfigError(_merged(mistakes, len(sweep.points)))
    return [found[number] for number in sorted(found)]


def _checked(checked: Checked) -> CheckedPoint:
    num_examples = len(checked.data.splits["train"])
    return CheckedPoint(checked.loaded.experiment, checked.plan, checked.batch_size, num_examples)


def _merged(mistakes: Mapping[Mistake, Sequence[int]], num_points: int) -> list[Mistake]:
    """One of each kind: that 16 rates have the same misspelt key is said once."""
    kinds: dict[tuple[Any, ...], list[tuple[Mistake, int]]] = {}
    for mistake, numbers in mistakes.items():
        kind = (mistake.path, mistake.place.partition("=")[0] if "=" in mistake.place else mistake.place, mistake.label)
        kinds.setdefault(kind, []).append((mistake, numbers[0]))
    merged = []
    for found in kinds.values():
        first, number = found[0]
        more = len(found) - 1
        others = f", and {more:,} more value{'s'[: more > 1]} of it" if more else ""
        where = f" (point {number:,} of {num_points:,}{others})" if "=" in first.place else ""
        merged.append(replace(first, text=f"{first.text}{where}"))
    return merged
