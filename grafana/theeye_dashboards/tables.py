"""Tables: one row for each object, with links to its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from theeye_dashboards.panels import Panel, Steps, empty_text, link_of, target
from theeye_dashboards.queries import Scope, either
from theeye_dashboards.variables import DATA_SOURCE, THEEYE, link_to

__all__ = ["HOST", "ORGANIZATION", "SEVERITY", "TASK", "Column", "rows", "words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: the label, or the value (`Value`, with several expressions `Value #A`), that it shows.
        title: its head; without one it is not shown, but links can use it.
        unit: one of Grafana's, for numbers.
        decimals: digits after the point.
        width: in pixels; the rest is shared by the columns without one.
        words: what is shown for a value, and in which colour.
        steps: values from which another colour holds.
        gauge: drawn as a bar, up to this value.
        link: where a click leads.
        own: the page of TheEye itself to which another click leads.
    """

    name: str
    title: str = ""
    unit: str = ""
    decimals: int | None = None
    width: int | None = None
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    steps: Steps | None = None
    gauge: float | None = None
    link: str = ""
    own: str = ""

    def properties(self) -> list[DynamicConfigValue]:
        """Return the properties of a field for this column."""
        if not self.title:
            return [DynamicConfigValue("custom.hidden", value=True)]
        made: dict[str, Any] = {"displayName": self.title}
        if self.unit:
            made["unit"] = self.unit
        if self.decimals is not None:
            made["decimals"] = self.decimals
        if self.width is not None:
            made["custom.width"] = self.width
        if self.words:
            texts = {
                value: {"text": text, "color": colour, "index": index}
                for index, (value, (text, colour)) in enumerate(self.words.items())
            }
            made["mappings"] = [{"type": "value", "options": texts}]
            made["custom.cellOptions"] = {"type": "color-text"}
        if self.steps is not None:
            levels = [{"value": value, "color": colour} for value, colour in self.steps]
            made["thresholds"] = {"mode": "absolute", "steps": levels}
            made["color"] = {"mode": "thresholds"}
            made["custom.cellOptions"] = {"type": "color-text"}
        if self.gauge is not None:
            made |= {"min": 0, "max": self.gauge, "custom.cellOptions": {"type": "gauge", "mode": "basic"}}
        if self.name.startswith("Value"):
            missing = {"type": "special", "options": {"match": "nan", "result": {"text": "", "index": 9}}}
            made["mappings"] = [*made.get("mappings", ()), missing]
        if self.link or self.own:
            made["links"] = self._links()
        return [DynamicConfigValue(name, value) for name, value in made.items()]

    def _links(self) -> list[dict[str, Any]]:
        links: list[dict[str, Any]] = []
        if self.link:
            links.append({"title": f"Show {self.title.lower()}", "url": self.link})
        if self.own:
            links.append({"title": "Open in TheEye", "url": THEEYE + self.own, "targetBlank": True})
        return links


def words(by_value: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return colours for values that are shown unchanged."""
    return {value: (value, colour) for value, colour in by_value.items()}


ORGANIZATION: Final = Column(name="organization", title="Organisation", width=110)
HOST: Final = Column(
    name="hostname",
    title="Host",
    link=link_to(
        "theeye-hosts",
        organization="${__data.fields.organization:percentencode}",
        hostname="${__data.fields.hostname:percentencode}",
    ),
)
TASK: Final = Column(
    name="task",
    title="Task",
    link=link_to(
        "theeye-task",
        organization="${__data.fields.organization:percentencode}",
        task="${__data.fields.task_id:percentencode}",
    ),
    own="/admin/task",
)
SEVERITY: Final = Column(
    name="severity",
    title="Severity",
    width=84,
    words=words({"CRITICAL": "red", "HIGH": "orange", "LOW": "yellow"}),
)


def rows(panel: Panel, columns: Sequence[Column], *, sort: Sequence[tuple[str, bool]]) -> table.Panel:
    """Return a table.

    Args:
        panel: what every panel has; its expressions are asked for the end of the time range.
        columns: in their order; labels that have none are left out.
        sort: titles of columns, the most important first, and whether the largest comes first.
    """
    transformations = []
    if panel.needs:
        label = next(c.name for c in columns if c.title and c.width is None and not c.name.startswith("Value"))
        first, *others = panel.queries
        missing = Scope().missing(panel.needs, label)
        panel = replace(panel, queries=[replace(first, expression=either(first.expression, missing)), *others])
    if len(panel.queries) > 1:
        transformations.append(DataTransformerConfig(id_val="merge", options={}))
        # If only the first expression finds something, Grafana names its column `Value`, as if there were no others.
        columns = [
            c
            for column in columns
            for c in ((column, replace(column, name="Value")) if column.name == "Value #A" else (column,))
        ]
    transformations += [
        DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": [column.name for column in columns]}}
        ),
        DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                "indexByName": {column.name: index for index, column in enumerate(columns)},
                "renameByName": {},
            },
        ),
    ]
    built = (
        table.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(DATA_SOURCE)
        .targets([target(replace(query, instant=True), index, table=True) for index, query in enumerate(panel.queries)])
        .span(panel.width)
        .height(panel.height)
        .no_value(panel.empty if panel.needs else empty_text(panel))
        .links(link_of(panel))
        .transformations(transformations)
        .filterable(False)
        .sort_by([common.TableSortByFieldState().display_name(title).desc(largest) for title, largest in sort])
    )
    for column in columns:
        built = built.override_by_name(column.name, column.properties())
    return built
