"""Charts drawn on the server: a standalone SVG document without a script.

The document carries its style inside itself, so it is served with a policy of its own and shown by ``<img>``
(``supervise.views.charts``); the page beside it has the legend, the numbers as a table and the links.
"""

import sys
from collections.abc import Sequence
from xml.etree.ElementTree import Element

import pygal
from pygal.style import Style

# The library hangs a finder of the old kind (find_module) into every later import, which warns or fails; it serves
# plugins only, and there are none.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

#: Also ``--series-0`` to ``--series-6`` of static/app.css, where the legend is drawn.
PALETTE = ("#1d5bbf", "#5aa2e0", "#2a9d8a", "#e8a23a", "#c8553d", "#7a5ea8", "#8593a8")
WIDTH, HEIGHT = 680, 240
_FONTS = "'Segoe UI', 'PingFang SC', 'Noto Sans CJK SC', 'Noto Sans SC', 'Microsoft YaHei', system-ui, sans-serif"
_INK, _LINE = "#43516a", "#e3e8f0"
_STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground=_INK,
    foreground_strong=_INK,
    foreground_subtle=_LINE,
    colors=PALETTE,
    font_family=_FONTS,
    label_font_size=13,
    major_label_font_size=13,
    no_data_font_size=16,
    guide_stroke_dasharray="none",
    guide_stroke_color=_LINE,
    major_guide_stroke_dasharray="none",
    major_guide_stroke_color=_LINE,
    opacity="1",
    stroke_opacity="1",
    stroke_width="0",
    transition="none",
)


class _SlimBars(pygal.StackedBar):  # type: ignore[misc]  # the library has no types
    _series_margin = 0.32


class _BarsBeside(pygal.Bar):  # type: ignore[misc]  # the library has no types
    _series_margin = 0.12


Series = tuple[str, Sequence[int]]


def bar_chart_svg(
    title: str, labels: Sequence[str], series: Sequence[Series], *, no_data: str = "—", beside: bool = False
) -> bytes:
    """Return the SVG of stacked bars: one bar for each label, one colour for each of *series* (name, values).

    With *beside*, each label has a bar for each series, to be compared.

    Values are whole and >= 0 (counts, or yuan rounded for the eye: the table beside has the fen).
    *no_data* stands in an empty chart.

    Raises:
        ValueError: if a series has not one value for each label, or a negative one.
    """
    for name, values in series:
        if len(values) != len(labels) or min(values, default=0) < 0:
            raise ValueError(f"series {name!r} needs {len(labels)} values >= 0")
    kind = _BarsBeside if beside else _SlimBars
    chart = kind(
        width=WIDTH,
        height=HEIGHT,
        style=_STYLE,
        title=None,
        show_legend=False,
        js=(),
        margin=6,
        spacing=8,
        no_data_text=no_data,
        x_labels=list(labels),
        y_labels=_ticks(_highest(series, beside=beside)) if labels and series else None,
        x_label_rotation=40 if sum(map(len, labels)) > _LABELS_FIT else 0,
        truncate_label=-1,
        rounded_bars=0,
        print_values=False,
        value_formatter=lambda value: f"{value:,.0f}",
        css=("file://style.css", "file://graph.css", f"inline:{_EXTRA_CSS}"),
    )
    chart.uuid = "bars"  # not a random one: the same numbers are the same bytes
    for name, values in series:
        chart.add(name, list(values))
    chart.add_xml_filter(lambda root: _calm(root, title))
    drawing: bytes = chart.render()
    return drawing


#: About so many characters of labels stand beside each other at this width and size.
_LABELS_FIT = 75
# The guides are enough; more specific than the library's own rule for axes.
_EXTRA_CSS = "#chart-bars .axis:is(.x, .y) > .line { stroke: none; }"


def _highest(series: Sequence[Series], *, beside: bool) -> int:
    if beside:
        return max((value for _, values in series for value in values), default=0)
    return max((sum(stack) for stack in zip(*(values for _, values in series), strict=True)), default=0)


def _ticks(highest: int) -> list[int]:
    """Return two to eight round steps from 0 to at least *highest*."""
    step = 1
    while highest > step * 7:
        # 1, 2, 5, 10, 20, 50 ...
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    steps = max(-(-highest // step), 1)
    return list(range(0, steps * step + 1, step))


def _calm(root: Element, title: str) -> Element:
    """Take scripts and the drawing library's remarks out, and name the picture for a screen reader."""
    for parent in list(root.iter()):
        for child in list(parent):
            tag: object = child.tag  # a remark has a function in its place
            if not isinstance(tag, str) or tag.endswith("script"):
                parent.remove(child)
    for child in root:
        if child.tag == "title":
            child.text = title
    root.set("role", "img")
    return root
