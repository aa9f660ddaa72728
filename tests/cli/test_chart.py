from nettool_cli.chart import HEIGHT, curve_chart, loss_chart


def test_a_chart_shows_both_curves_between_their_extremes() -> None:
    chart = loss_chart([4.0, 3.0, 2.0], [4.0, 3.5, 3.9], width=80)
    lines = chart.splitlines()
    assert len(lines) == HEIGHT + 2
    assert lines[0].split()[0] == "4"
    assert lines[HEIGHT - 1].split()[0] == "2"
    assert "·" in lines[HEIGHT - 1]
    assert "*" in lines[0]
    assert lines[-1].strip() == "epoch 1 to 3   · training loss   * validation loss"


def test_losses_over_many_orders_get_a_log_axis() -> None:
    lines = loss_chart([100.0, 10.0, 1.0], [None] * 3, width=80).splitlines()
    middle = [index for index, line in enumerate(lines[:HEIGHT]) if "·" in line]
    assert middle in ([0, 3, 7], [0, 4, 7])
    assert lines[-1].endswith("(log axis)")
    assert "validation" not in lines[-1]


def test_a_long_run_fits_the_width_and_a_short_one_has_no_chart() -> None:
    losses = [1 / (epoch + 1) for epoch in range(5000)]
    assert max(map(len, loss_chart(losses, losses, width=80).splitlines())) <= 80
    assert loss_chart([1.0], [1.0], width=80) == ""


def test_what_is_not_finite_is_left_out() -> None:
    chart = loss_chart([1.0, float("nan"), 2.0, float("inf")], [None] * 4, width=80)
    assert "nan" not in chart
    assert "inf" not in chart


def test_without_unicode_the_chart_is_ascii() -> None:
    assert loss_chart([1.0, 2.0], [2.0, 1.0], width=80, unicode=False).isascii()


def test_a_value_of_a_curve_is_pointed_at_from_below() -> None:
    values = [9.0, 8.0, 7.0, 1.0, *[5.0] * 37]  # as many as there are columns
    *rows, axis, legend = curve_chart(values, 53, "rate 1 to 41", noted=3, note="4, the best").splitlines()
    assert rows[-1].index("*") == axis.index("▲")
    assert legend.strip() == "rate 1 to 41   ▲ 4, the best"
    assert len(axis) == len(curve_chart(values, 53, "").splitlines()[-2])
    for noted in (0, 40):
        axis = curve_chart(values, 53, "", unicode=False, noted=noted).splitlines()[-2]
        assert axis.isascii()
        assert axis.index("^") == axis.index("+") + 1 + noted
