"""What a sweep varies, from text to overrides."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettool.config.load import load_mapping
from nettool.config.ranges import draws, grid, parse_axis
from nettool.config.yaml import resolve_scalar
from nettool.errors import UsageError

CONFIG = {"data": {"path": "t.csv", "target": "y"}, "layers": [{"dense": 8}, "output"], "loss": "mse"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("optimizer.lr=1e-4..1e-1:log:4", ("0.0001", "0.001", "0.01", "0.1")),
        ("optimizer.lr=1e-4..1e-3:log:3", ("0.0001", "0.0003162", "0.001")),
        ("optimizer.beta2=0.99..0.99999:3", ("0.99", "0.995", "0.99999")),
        ("dropout=0..0.5:3", ("0.0", "0.25", "0.5")),
        ("dropout=0..1:5", ("0.0", "0.25", "0.5", "0.75", "1.0")),
        ("layers.0.units=32..128:log:3", ("32", "64", "128")),
        ("layers.0.units=1..8:log:4", ("1", "2", "4", "8")),
        ("epochs=10..30:lin:3", ("10", "20", "30")),
        ("data.limit=0.01..1:log:3", ("0.01", "0.1", "1.0")),
        ("x=-1..1:3", ("-1", "0", "1")),
        ("dropout=0,0.2, 0.5", ("0", "0.2", "0.5")),
        ("layers.0.units=64", ("64",)),
        ("optimizer=sgd,{name: adam, lr: 0.01}", ("sgd", "{name: adam, lr: 0.01}")),
        ("layers=[{dense: 8}, output],[output]", ("[{dense: 8}, output]", "[output]")),
        ('data.target="a,b",c', ('"a,b"', "c")),
        ("schedule.name=a..b", ("a..b",)),
    ],
)
def test_what_is_written_is_what_is_varied(text: str, values: tuple[str, ...]) -> None:
    axis = parse_axis(text)
    assert axis.values == values
    assert axis.overrides == tuple(f"{axis.key}={value}" for value in values)
    assert axis.is_log == (":log:" in text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("optimizer.lr", "is written KEY=RANGE"),
        ("=1,2", "is written KEY=RANGE"),
        ("optimizer.lr=", "there is no value"),
        ("dropout=0,,1", "a value is missing beside a comma"),
        ("dropout=0.1,0.2,0.1", "0.1 is there twice"),
        ("layers=[output", "lacks a ] at its end"),
        ("optimizer={name: sgd", "lacks a } at its end"),
        ("optimizer.lr=1e-1..1e-4:log:4", "the range is reversed. It goes from the smaller to the larger: 1e-4..1e-1."),
        ("optimizer.lr=1..1:4", "the range is empty"),
        ("optimizer.lr=0..1:log:4", "a log range cannot touch 0"),
        ("optimizer.lr=-1..1:log:4", "a log range cannot touch 0"),
        ("optimizer.lr=1e-4..1e-1", "how many values? 1e-4..1e-1:8 makes 8 of them."),
        ("optimizer.lr=1e-4..1e-1:log", "1e-4..1e-1:log:8 makes 8"),
        ("seed=1..5", "1..5:5 makes 5 of them"),
        ("optimizer.lr= 0.1, 0.2,", "without spaces"),
        ("optimizer.lr=1e-4..1e-1:log:1", "two values at least"),
        ("optimizer.lr=1e-4..1e-1:log:0", "two values at least"),
        ("optimizer.lr=1e-4..1e-1:log:x", "a range is LOW..HIGH:COUNT"),
        ("optimizer.lr=1e-4..1e-1:log:4:4", "a range is LOW..HIGH:COUNT"),
        ("optimizer.lr=1e-4..1e999:log:4", "too large for a number"),
        ("optimizer.lr=1..1.0001:9", "the same to 4 digits. Take fewer."),
        ("seed=0..9:99999999", "are too many"),
    ],
)
def test_what_makes_no_sense_is_told_with_what_was_typed(text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_axis(text)
    assert str(error.value).startswith(text)
    assert told in str(error.value)


@given(
    st.floats(1e-12, 1e12),
    st.floats(1.01, 1e6),
    st.integers(2, 50),
    st.booleans(),
)
def test_a_range_rises_from_end_to_end_and_each_value_reads_as_a_number(
    low: float, factor: float, count: int, is_log: bool
) -> None:
    try:
        axis = parse_axis(f"x={low!r}..{low * factor!r}:{'log:' if is_log else ''}{count}")
    except UsageError as error:
        assert "to 4 digits" in str(error)
        return
    numbers = [resolve_scalar(value) for value in axis.values]
    assert all(isinstance(number, float) for number in numbers)
    assert numbers == sorted(set(numbers))
    assert len(numbers) == count
    assert math.isclose(numbers[0], low, rel_tol=1e-3)
    assert math.isclose(numbers[-1], low * factor, rel_tol=1e-3)


def test_a_grid_has_every_combination_once_the_last_axis_fastest() -> None:
    axes = [parse_axis("a=1,2"), parse_axis("b=x,y,z")]
    assert list(grid(axes)) == [
        ("a=1", "b=x"), ("a=1", "b=y"), ("a=1", "b=z"), ("a=2", "b=x"), ("a=2", "b=y"), ("a=2", "b=z"),
    ]  # fmt: skip


def test_random_draws_repeat_with_their_seed_fill_the_range_and_differ() -> None:
    axes = [parse_axis("optimizer.lr=1e-4..1e-1:log", needs_count=False), parse_axis("layers.0.units=8..64:2")]
    first, again, other = draws(axes, 40), draws(axes, 40), draws(axes, 40, seed=1)
    assert first == again
    assert first != other
    assert len(set(first)) == 40
    rates = [float(rate.partition("=")[2]) for rate, _ in first]
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert 8 < sum(rate < 10**-2.5 for rate in rates) < 32, "not spread by multiplication"
    experiments = [load_mapping(CONFIG, overrides).experiment for overrides in first]
    assert len({experiment.layers[0] for experiment in experiments}) > 20  # whole numbers, all of the range
    assert sorted(draws([parse_axis("a=1,2"), parse_axis("b=3,4")], 100)) == sorted(
        grid([parse_axis("a=1,2"), parse_axis("b=3,4")])
    )
