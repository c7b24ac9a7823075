"""Panels that are not line charts: histograms over time, states over time, bars."""

from dataclasses import replace

from grafana_foundation_sdk.builders import bargauge, common, dashboard, heatmap, prometheus, statetimeline
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    LegendDisplayMode,
    LegendPlacement,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import FieldColorModeId, ValueMap
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from theeye_dashboards.panels import Panel, empty_text, link_of, steps, target
from theeye_dashboards.variables import DATA_SOURCE

__all__ = ["bars", "bucket_heatmap", "timeline"]


def bucket_heatmap(panel: Panel) -> heatmap.Panel:
    """Return a panel of a histogram over time: how many observations fell into each bucket."""
    (query,) = panel.queries
    built = prometheus.Dataquery().expr(query.expression).ref_id("A").datasource(DATA_SOURCE).range()
    return (
        heatmap.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(DATA_SOURCE)
        .targets([built.legend_format(query.legend).format(PromQueryFormat.HEATMAP)])
        .span(panel.width)
        .height(panel.height)
        .no_value(empty_text(panel))
        .links(link_of(panel))
        .max_data_points(panel.points or 60)
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64).reverse(False))
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
        .cell_values(heatmap.CellValues().unit("short").decimals(1))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .cell_gap(1)
        .show_legend()
    )


def timeline(panel: Panel, words: ValueMap) -> statetimeline.Panel:
    """Return a panel of states over time."""
    return (
        statetimeline.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(DATA_SOURCE)
        .targets([target(query, index) for index, query in enumerate(panel.queries)])
        .span(panel.width)
        .height(panel.height)
        .unit(panel.unit)
        .no_value(empty_text(panel))
        .links(link_of(panel))
        .mappings([words])
        .max_data_points(panel.points or 80)
        .merge_values(True)
        .show_value(VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(80)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .thresholds(steps(((None, "green"),)))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .calcs([])
        )
    )


def bars(panel: Panel) -> bargauge.Panel:
    """Return a panel of horizontal bars, one for each series."""
    built = (
        bargauge.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(DATA_SOURCE)
        .targets([target(replace(query, instant=True), index) for index, query in enumerate(panel.queries)])
        .span(panel.width)
        .height(panel.height)
        .unit(panel.unit)
        .no_value(empty_text(panel))
        .links(link_of(panel))
        .min(0)
        .orientation(VizOrientation.HORIZONTAL)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(""))
        .thresholds(steps(panel.steps or ((None, "blue"),)))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    )
    for name, override in panel.overrides.items():
        built = built.override_by_name(name, list(override))
    return built
