"""The plane of two features, importance, and mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from nettool.analysis.boundary import MOST_LEVELS, Axis, Plane, PlaneOfFeatures, can_be_axis, share_shown
from nettool.analysis.columns import EncodedColumn, encoded_columns
from nettool.analysis.importance import permutation_importance
from nettool.analysis.mistakes import worst
from nettool.analysis.outcomes import Array, Classified, Numbers
from nettool.data.columns import Column, conform
from nettool.data.encoders import TableEncoder
from nettool.data.features import CategoryColumn
from nettool.data.values import simplify

KINDS = {"size": "number", "colour": "category", "is_new": "boolean", "bought": "date", "gap": "number"}

COLOURS = ("red", "green", "blue")
COLUMNS = [Column(name, kind, "feature") for name, kind in KINDS.items()]  # type: ignore[arg-type]


@pytest.fixture
def table(tmp_path: Path) -> pa.Table:
    rows = [
        f"{index / 7},{COLOURS[index % 3]},{str(index % 4 == 0).lower()},20{23 + index % 2}-{1 + index % 12:02d}-{1 + index % 28:02d},{'' if index % 5 == 0 else index}"
        for index in range(60)
    ]
    path = tmp_path / "things.csv"
    path.write_text("\n".join([",".join(KINDS), *rows]) + "\n")
    return conform(simplify(pyarrow.csv.read_csv(path)), COLUMNS, "things.csv")


@pytest.fixture
def encoder(table: pa.Table) -> TableEncoder:
    return TableEncoder.fit(table, COLUMNS, "standard")


def seen(plane: PlaneOfFeatures) -> Array:
    """The encoded examples that the network is shown."""
    shown: list[Array] = []

    def predict(features: Array) -> Array:
        shown.append(features)
        return np.zeros((len(features), 1))

    plane.show(predict)
    return shown[0]


@pytest.mark.parametrize("names", [("size", "gap"), ("colour", "size"), ("bought", "is_new"), ("is_new", "colour")])
def test_a_place_in_the_plane_is_encoded_as_a_row_with_these_values(
    table: pa.Table, encoder: TableEncoder, names: tuple[str, str]
) -> None:
    features = encoder.encode(table)
    plane = PlaneOfFeatures(encoder, features, names)
    rows = encoder.decode(seen(plane)).to_pylist()
    found = plane.show(lambda shown: shown[:, :1])
    assert found.surface.shape == (len(plane.y.places), len(plane.x.places), 1)
    width = len(plane.x.places)
    inner = [{0, len(axis.places) - 1} if axis.levels else {40, 120} for axis in (plane.x, plane.y)]
    for down in inner[1]:
        for across in inner[0]:
            row = rows[down * width + across]
            for axis, place in ((plane.x, across), (plane.y, down)):
                value = row[axis.name]
                if axis.levels:
                    assert str(value).lower() == axis.levels[place]
                elif axis.is_date:
                    assert np.datetime64(value, "D").astype(int) == round(axis.places[place])
                else:
                    assert value == pytest.approx(axis.places[place], rel=1e-4)
    others = [name for name in KINDS if name not in names]
    assert set(plane.held) == set(others)
    for name in others:
        assert len({str(row[name]) for row in rows}) == 1, "held still"


def test_what_is_held_is_the_median_or_the_most_frequent(table: pa.Table, encoder: TableEncoder) -> None:
    plane = PlaneOfFeatures(encoder, encoder.encode(table), ("size", "bought"))
    assert plane.held["is_new"] == "false"
    assert plane.held["colour"] in ("red", "green", "blue")
    assert float(plane.held["gap"]) == pytest.approx(30, abs=2)


def test_the_examples_lie_where_their_values_are_and_those_without_one_nowhere(
    table: pa.Table, encoder: TableEncoder
) -> None:
    plane = PlaneOfFeatures(encoder, encoder.encode(table), ("size", "gap"))
    assert plane.x.points == pytest.approx(np.arange(60) / 7, abs=1e-5)
    assert np.isnan(plane.y.points).tolist() == [index % 5 == 0 for index in range(60)]
    assert plane.x.places[0] < 0 < 59 / 7 < plane.x.places[-1]


def test_a_category_with_too_many_levels_is_no_axis() -> None:
    levels = tuple(f"{number:03d}" for number in range(MOST_LEVELS + 1))
    assert not can_be_axis(CategoryColumn("c", levels, missing=False))
    assert can_be_axis(CategoryColumn("c", levels[:-1], missing=False))


def test_the_columns_of_an_encoder_stand_side_by_side(table: pa.Table, encoder: TableEncoder) -> None:
    columns = encoded_columns(encoder)
    assert [column.name for column in columns] == [column.name for column in encoder.columns]
    ends = [0, *(column.place.stop for column in columns)]
    assert [column.place.start for column in columns] == ends[:-1]
    assert ends[-1] == encoder.encode(table).shape[1]


def test_the_column_that_decides_is_the_important_one() -> None:
    generator = np.random.default_rng(1)
    features = generator.normal(size=(300, 4)).astype(np.float32)
    before = features.copy()
    columns = [
        EncodedColumn("noise", slice(0, 1)),
        EncodedColumn("some", slice(1, 2)),
        EncodedColumn("most", slice(2, 4)),
    ]
    target = before[:, 1] + 3 * before[:, 2] + 3 * before[:, 3]

    def cost(changed: Array) -> float:
        return float(((changed[:, 1] + 3 * changed[:, 2] + 3 * changed[:, 3] - target) ** 2).mean())

    most, some, noise = permutation_importance(columns, features, cost)
    assert [most.name, some.name, noise.name] == ["most", "some", "noise"]
    assert most.mean == pytest.approx(2 * 9 * 2, rel=0.2), "twice the variance of what was shuffled"
    assert (noise.losses == 0).all()
    assert (features == before).all(), "they are as they were"


def test_a_series_is_shuffled_by_example_so_that_its_past_stays_together() -> None:
    features = np.arange(24.0).reshape(4, 3, 2)
    rows: list[set[tuple[float, ...]]] = []

    def cost(changed: Array) -> float:
        rows.append({tuple(past) for past in changed[..., 0].tolist()})
        return 0.0

    permutation_importance([EncodedColumn("a", slice(0, 1))], features, cost, repeats=5)
    assert all(each == rows[0] for each in rows)


def test_the_surest_mistakes_come_first_and_the_farthest_numbers() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9]])
    outcome = Classified(("no", "yes"), probabilities, np.array([1, 0, 0, 1]), np.ones(4), np.array([0, 2, 4, 6]))
    assert [(each.place, each.actual, each.predicted, each.how) for each in worst(outcome, 2)] == [
        (0, "yes", "no", "90.0% sure"),
        (2, "no", "yes", "80.0% sure"),
    ]
    assert len(worst(outcome, 9)) == 3
    numbers = Numbers("x", np.array([1.0, 5.0, 2.00004]), np.array([1.5, 1.0, 2.0]), np.ones(3), np.arange(3))
    first, second, third = worst(numbers, 9)
    assert (first.place, first.actual, first.predicted, first.how) == (1, "1", "5", "+4")
    assert (second.place, second.how) == (0, "-0.5")
    assert (third.predicted, third.how) == ("2", "+4e-05")


def test_the_share_of_examples_that_lie_where_their_prediction_is_shown() -> None:
    across, up = (
        Axis("a", np.array([0.0, 1.0]), np.array([0.1, 0.9, 0.2, np.nan])),
        Axis("b", np.arange(2.0), np.zeros(4)),
    )
    surface = np.array([[[0.2], [0.9]], [[0.9], [0.9]]])  # on the lower row no, then yes
    said = np.array([0.1, 0.8, 0.7, 0.9])
    outcome = Classified(("no", "yes"), np.stack([1 - said, said], 1), np.zeros(4, np.int64), np.ones(4), np.arange(4))
    assert share_shown(Plane(across, up, surface, {}), outcome) == pytest.approx(2 / 3)
