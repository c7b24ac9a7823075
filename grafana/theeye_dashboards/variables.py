"""The variables of the dashboards, and the links between them."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

__all__ = [
    "DATA_SOURCE",
    "TAG",
    "THEEYE",
    "action",
    "canary",
    "common_variables",
    "hostname",
    "link_to",
    "page_links",
    "task",
]

TAG: Final = "theeye"
THEEYE: Final = "${theeye:raw}"
"""Address of TheEye's own pages."""
DATA_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")

_QUOTABLE: Final = r'/^[^"\\\n]*$/'
"""Names that Grafana of any age can put between double quotes; all others are still among All."""

_KEPT: Final = ("datasource", "job", "instance", "organization", "theeye")


def _query(name: str, label: str, query: str, description: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATA_SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    )


def _with_all(variable: dashboard.QueryVariable, all_value: str) -> dashboard.QueryVariable:
    everything = VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable.multi(True).include_all(True).all_value(all_value).current(everything)


def common_variables(builder: dashboard.Dashboard, objects: str) -> dashboard.Dashboard:
    """Add the variables that every dashboard has: data source, exporter, organisation, and TheEye's own pages.

    Args:
        builder: the dashboard.
        objects: the metric whose organisations can be chosen.
    """
    of_exporter = 'theeye_exporter_build_info{job=~"$job"}'
    of_target = f'{objects}{{job=~"$job", instance=~"$instance"}}'
    return (
        builder.with_variable(
            dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        )
        .with_variable(
            _with_all(
                _query("job", "Job", "label_values(theeye_exporter_build_info, job)", "Scrape job of the exporter."),
                ".+",
            )
        )
        .with_variable(
            _with_all(
                _query("instance", "Instance", f"label_values({of_exporter}, instance)", "Address of the exporter."),
                ".+",
            )
        )
        .with_variable(
            _with_all(
                _query(
                    "organization",
                    "Organisation",
                    f"label_values({of_target}, organization)",
                    "Organisation in TheEye.",
                ).regex(_QUOTABLE),
                ".*",
            )
        )
        .with_variable(
            dashboard.TextBoxVariable("theeye")
            .label("TheEye's address")
            .description("Address of TheEye's own pages, for links to them.")
            .default_value("https://app.theeye.io")
        )
    )


def hostname(metric: str) -> dashboard.QueryVariable:
    """Return the variable for hosts, with the values of a metric's label."""
    of_organization = f'{metric}{{job=~"$job", instance=~"$instance", organization=~"$organization"}}'
    return _with_all(
        _query("hostname", "Host", f"label_values({of_organization}, hostname)", "Host, by its name.").regex(_QUOTABLE),
        ".*",
    )


def canary() -> dashboard.QueryVariable:
    """Return the variable for canaries."""
    return _name("canary", "Canary", "theeye_canary_interval_seconds")


def action() -> dashboard.QueryVariable:
    """Return the variable for actions."""
    return _name("action", "Action", "theeye_action_info")


def _name(label: str, title: str, metric: str) -> dashboard.QueryVariable:
    known = f'{metric}{{job=~"$job", instance=~"$instance", organization=~"$organization"}}'
    variable = _query(label, title, f"label_values({known}, {label})", f"{title}, by its name.")
    return _with_all(variable.regex(_QUOTABLE), ".*")


def task(*, multi: bool, matchers: str = "") -> dashboard.QueryVariable:
    """Return the variable for tasks: shown by name and host, selected by id.

    Names repeat and may hold anything, quotes too; ids are unique and harmless in a query.
    """
    of_organization = (
        f'theeye_task_timeout_seconds{{job=~"$job", instance=~"$instance", organization=~"$organization"{matchers}}}'
    )
    variable = _query(
        "task",
        "Task",
        f'query_result(max by (shown, task_id) (label_join({of_organization}, "shown", " · ", "task", "hostname")))',
        "Task, by its name and host.",
    ).regex(r'/shown="(?<text>[\s\S]*?)(?: · )?",task_id="(?<value>[^"]+)"/')
    return _with_all(variable, ".*") if multi else variable


def page_links() -> list[Builder[DashboardLink]]:
    """Return the links to all dashboards, which keep variables and time range, and to TheEye's own pages."""
    return [
        dashboard.DashboardLink("TheEye")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .icon("external link")
        .tooltip("")
        .url("")
        .as_dropdown(False)
        .target_blank(False)
        .include_vars(True)
        .keep_time(True),
        dashboard.DashboardLink("TheEye's own pages")
        .type(DashboardLinkType.LINK)
        .icon("external link")
        .tooltip("")
        .url(f"{THEEYE}/dashboard")
        .tags([])
        .target_blank(True),
    ]


def link_to(uid: str, **chosen: str) -> str:
    """Return the address of a dashboard that keeps the time range and the variables, and sets some of them.

    Args:
        uid: the dashboard.
        chosen: variables and their values, as text that Grafana fills in.
    """
    kept = "".join(f"&${{{name}:queryparam}}" for name in _KEPT if name not in chosen)
    return f"/d/{uid}?${{__url_time_range}}{kept}" + "".join(f"&var-{name}={value}" for name, value in chosen.items())
