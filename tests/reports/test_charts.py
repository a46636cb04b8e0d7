"""Drawings: the right heights, no script, the same bytes for the same numbers."""

from xml.etree import ElementTree as ET

import pytest

from reports.charts import bar_chart_svg

LABELS = ("第45周", "第46周")
SERIES = (("城东", (13, 0)), ("城西", (7, 10)))


def test_a_bar_is_as_high_as_its_number() -> None:
    root = ET.fromstring(bar_chart_svg("每周投诉量", LABELS, SERIES))  # noqa: S314 - our own drawing

    bars = [rect for rect in root.iterfind(".//{*}rect") if "reactive" in rect.get("class", "")]
    heights = [float(bar.get("height", "")) for bar in bars]
    assert len(heights) == 4
    assert heights[0] / heights[2] == pytest.approx(13 / 7)
    assert heights[1] == 0


def test_the_drawing_names_itself_and_runs_no_script() -> None:
    svg = bar_chart_svg("每周 <投诉量>", LABELS, SERIES)

    root = ET.fromstring(svg)  # noqa: S314 - our own drawing
    assert root.findtext("{*}title") == "每周 <投诉量>"
    assert b"<script" not in svg


def test_the_same_numbers_are_the_same_bytes() -> None:
    assert bar_chart_svg("每周投诉量", LABELS, SERIES) == bar_chart_svg("每周投诉量", LABELS, SERIES)


def test_nothing_to_draw_is_said_in_words() -> None:
    assert "暂无数据" in bar_chart_svg("每周投诉量", (), (), no_data="暂无数据").decode()


@pytest.mark.parametrize("values", [(1,), (1, 2, 3), (1, -2)])
def test_values_that_fit_no_label_or_are_negative_are_refused(values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="needs 2 values"):
        bar_chart_svg("每周投诉量", LABELS, (("城东", values),))
