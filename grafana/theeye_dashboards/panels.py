"""Panels with the common parts of all panels: colours, legends, links, text for no data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat
from grafana_foundation_sdk.builders import timeseries as timeseries_builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DashboardLinkType,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from theeye_dashboards.variables import DATA_SOURCE

__all__ = [
    "GOOD_ABOVE",
    "GREEN",
    "OUTCOMES",
    "Panel",
    "Query",
    "Steps",
    "colours",
    "dashed",
    "empty_text",
    "link_of",
    "mapping",
    "number",
    "properties",
    "steps",
    "target",
    "timeseries",
]

OUTCOMES: Final = {
    "success": "green",
    "failure": "red",
    "timeout": "orange",
    "error": "purple",
    "canceled": "#8e8e8e",
    "unknown": "blue",
}

GOOD_ABOVE: Final = ((None, "red"), (0.9, "yellow"), (0.99, "green"))
"""Steps of a rate of success."""

Steps = Sequence[tuple[float | None, str]]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression of a panel.

    Attributes:
        expression: PromQL.
        legend: name of its series.
        instant: asked for the end of the time range only.
        exemplars: asked for exemplars too.
        interval: least time between two points.
    """

    expression: str
    legend: str = ""
    instant: bool = False
    exemplars: bool = False
    interval: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The properties that all kinds of panels have.

    Attributes:
        title: what it shows, in plain words.
        description: what it means and where it comes from.
        queries: its expressions.
        width: columns of 24.
        height: rows of some 38 pixels.
        unit: one of Grafana's.
        empty: shown instead of nothing.
        needs: the collector whose data a table needs; where there is none, a line of the table says so.
        link: address of the dashboard with the detail, and its name.
        overrides: properties of single fields, by name.
        points: most points asked for, where each is expensive.
        steps: values from which another colour holds.
        decimals: digits after the point.
        top: highest value of the axis.
    """

    title: str
    description: str
    queries: Sequence[Query]
    width: int
    height: int = 8
    unit: str = "short"
    empty: str = "No data in this time range"
    needs: str = ""
    link: tuple[str, str] | None = None
    overrides: Mapping[str, Sequence[DynamicConfigValue]] = field(default_factory=dict)
    points: int | None = None
    steps: Steps | None = None
    decimals: int | None = None
    top: float | None = None


def empty_text(panel: Panel) -> str:
    """Return the text of an empty panel, which does not hide that data may be missing."""
    return panel.empty if "no data" in panel.empty.lower() else f"{panel.empty}, or there is no data"


def target(query: Query, index: int, *, table: bool = False) -> prometheus.Dataquery:
    """Return an expression in the form that a panel uses."""
    built = prometheus.Dataquery().expr(query.expression).ref_id("ABCDEFGHIJ"[index]).datasource(DATA_SOURCE)
    built = built.instant() if query.instant else built.range()
    if query.legend:
        built = built.legend_format(query.legend)
    if query.exemplars:
        built = built.exemplar(True)
    if query.interval:
        built = built.interval(query.interval)
    return built.format(PromQueryFormat.TABLE if table else PromQueryFormat.TIME_SERIES)


def steps(values: Steps) -> dashboard.ThresholdsConfig:
    """Return thresholds in ascending order; the first has no value."""
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=colour) for value, colour in values])
    )


def properties(**values: object) -> list[DynamicConfigValue]:
    """Return properties of a field; `__` in a name stands for a dot."""
    return [DynamicConfigValue(id_val=name.replace("__", "."), value=value) for name, value in values.items()]


GREEN: Final = properties(thresholds={"mode": "absolute", "steps": [{"value": None, "color": "green"}]})
"""The properties of a field that is green whatever its value."""


def mapping(texts: Mapping[str, tuple[str, str]]) -> ValueMap:
    """Return texts and colours for values."""
    return ValueMap(
        {
            value: ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(texts.items())
        }
    )


def colours(by_name: Mapping[str, str]) -> dict[str, list[DynamicConfigValue]]:
    """Return overrides that give each series the same colour on all dashboards."""
    return {name: properties(color={"mode": "fixed", "fixedColor": colour}) for name, colour in by_name.items()}


def dashed(colour: str) -> list[DynamicConfigValue]:
    """Return the style of a line that shows a limit and not a measurement."""
    return properties(
        color={"mode": "fixed", "fixedColor": colour},
        custom__lineStyle={"fill": "dash", "dash": [8, 6]},
        custom__fillOpacity=0,
        custom__lineWidth=2,
    )


def link_of(panel: Panel) -> list[Builder[DashboardLink]]:
    """Return the link in a panel's corner."""
    if panel.link is None:
        return []
    url, title = panel.link
    return [dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(url).tags([]).icon("").tooltip("")]


def number(panel: Panel, *, words: ValueMap | None = None, text: BigValueTextMode | None = None) -> stat.Panel:
    """Return a panel with a large number, for the end of the time range."""
    built = (
        stat.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(DATA_SOURCE)
        .targets([target(replace(query, instant=True), index) for index, query in enumerate(panel.queries)])
        .span(panel.width)
        .height(panel.height)
        .unit(panel.unit)
        .no_value(empty_text(panel))
        .links(link_of(panel))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(""))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.BACKGROUND_SOLID if panel.steps is not None else BigValueColorMode.NONE)
        .text_mode(text or (BigValueTextMode.VALUE_AND_NAME if _named(panel) else BigValueTextMode.VALUE))
        .orientation(VizOrientation.AUTO)
        .thresholds(steps(panel.steps or ((None, "blue"),)))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    )
    if panel.link is not None:
        built = built.data_links(link_of(panel))
    if words is not None:
        built = built.mappings([words])
    if panel.decimals is not None:
        built = built.decimals(panel.decimals)
    for name, override in panel.overrides.items():
        built = built.override_by_name(name, list(override))
    return built


def _named(panel: Panel) -> bool:
    return len(panel.queries) > 1 or "{{" in panel.queries[0].legend


def timeseries(
    panel: Panel, *, stacked: bool = False, table_legend: bool = False, soft_top: float | None = None
) -> timeseries_builders.Panel:
    """Return a panel with lines over time, or with stacked areas."""
    legend = common.VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM)
    if table_legend:
        legend = legend.display_mode(LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"]).sort_by("Max")
        legend = legend.sort_desc(True)
    else:
        legend = legend.display_mode(LegendDisplayMode.LIST).calcs([])
    built = (
        timeseries_builders.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(DATA_SOURCE)
        .targets([target(query, index) for index, query in enumerate(panel.queries)])
        .span(panel.width)
        .height(panel.height)
        .unit(panel.unit)
        .no_value(empty_text(panel))
        .links(link_of(panel))
        .min(0)
        .legend(legend)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .line_width(1)
        .fill_opacity(60 if stacked else 8)
        .show_points(VisibilityMode.AUTO if panel.queries[0].exemplars else VisibilityMode.NEVER)
        .span_nulls(False)
        .max_data_points(panel.points or 300)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .thresholds(steps(panel.steps or ((None, "green"),)))
    )
    if stacked:
        built = built.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if panel.top is not None:
        built = built.max(panel.top)
    if soft_top is not None:
        built = built.axis_soft_max(soft_top)
    if panel.decimals is not None:
        built = built.decimals(panel.decimals)
    for name, override in panel.overrides.items():
        built = built.override_by_name(name, list(override))
    return built
