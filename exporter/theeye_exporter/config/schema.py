"""What may stand in the file. Everything is optional here; None means that the file does not say."""

from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from theeye_exporter.config import values
from theeye_exporter.config.addresses import ListenAddress, parse_listen_address, parse_telemetry_path, parse_url
from theeye_exporter.config.document import Document, Location
from theeye_exporter.config.durations import parse_duration
from theeye_exporter.config.problems import InvalidValueError, did_you_mean
from theeye_exporter.config.settings import AuthMethod, LogFormat, LogLevel
from theeye_exporter.config.text import shown

__all__ = [
    "CollectorSection",
    "CollectorsSection",
    "FileSettings",
    "HistogramSection",
    "HistogramsSection",
    "JobsSection",
    "LabelsSection",
    "LimitsSection",
    "LogSection",
    "OrganizationSection",
    "Section",
    "ShardSection",
    "StateSection",
    "UpstreamSection",
    "WebSection",
    "check_document",
    "parse_log_format",
    "parse_log_level",
    "parse_series_limit",
    "parse_shard_count",
    "parse_shard_index",
]

parse_log_level = values.choice(get_args(LogLevel))
parse_log_format = values.choice(get_args(LogFormat))
parse_series_limit = values.whole_number(1, 10**9)
parse_shard_count = values.whole_number(1, 1000)
parse_shard_index = values.whole_number(0, 999)

_Boolean = Annotated[bool | None, BeforeValidator(values.parse_boolean)]
_Url = Annotated[str | None, BeforeValidator(parse_url)]
_Auth = Annotated[AuthMethod | None, BeforeValidator(values.choice(get_args(AuthMethod)))]
_Timeout = Annotated[float | None, BeforeValidator(values.parse_timeout)]


T = TypeVar("T", bound="Section")


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


class Section(BaseModel):
    """A part of a file; keys that it does not name are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CollectorSection(Section):
    """One collector of ``collectors:``."""

    enabled: _Boolean = None
    interval: Annotated[float | None, BeforeValidator(values.duration_from(1.0))] = None
    max_age: Annotated[float | None, BeforeValidator(parse_duration)] = None


class JobsSection(CollectorSection):
    """``collectors: jobs:``."""

    max_details_per_cycle: Annotated[int | None, BeforeValidator(values.whole_number(0, 100_000))] = None
    detail_concurrency: Annotated[int | None, BeforeValidator(values.whole_number(1, 64))] = None
    full_list_interval: Annotated[float | None, BeforeValidator(values.duration_from(60.0))] = None


class CollectorsSection(Section):
    """``collectors:``, at the top or within an organisation."""

    monitors: CollectorSection | None = None
    tasks: CollectorSection | None = None
    jobs: JobsSection | None = None
    workflows: CollectorSection | None = None


class UpstreamSection(Section):
    """``theeye:``, the defaults of every organisation."""

    url: _Url = None
    auth: _Auth = None
    timeout: _Timeout = None


class OrganizationSection(Section):
    """One item of ``organizations:``."""

    name: Annotated[str | None, BeforeValidator(values.parse_organization_name)] = None
    token: Annotated[SecretStr | None, BeforeValidator(values.parse_token)] = None
    token_file: Annotated[Path | None, BeforeValidator(values.parse_file_path)] = None
    url: _Url = None
    auth: _Auth = None
    timeout: _Timeout = None
    collectors: CollectorsSection | None = None


class WebSection(Section):
    """``web:``."""

    listen_address: Annotated[
        tuple[Annotated[ListenAddress, BeforeValidator(parse_listen_address)], ...] | None, BeforeValidator(_listed)
    ] = None
    telemetry_path: Annotated[str | None, BeforeValidator(parse_telemetry_path)] = None
    enable_lifecycle: _Boolean = None


class LogSection(Section):
    """``log:``."""

    level: Annotated[LogLevel | None, BeforeValidator(parse_log_level)] = None
    format: Annotated[LogFormat | None, BeforeValidator(parse_log_format)] = None


class StateSection(Section):
    """``state:``."""

    file: Annotated[Path | None, BeforeValidator(values.parse_file_path)] = None


class ShardSection(Section):
    """``shard:``."""

    index: Annotated[int | None, BeforeValidator(parse_shard_index)] = None
    count: Annotated[int | None, BeforeValidator(parse_shard_count)] = None


class HistogramSection(Section):
    """One histogram of ``histograms:``."""

    enabled: _Boolean = None
    buckets: Annotated[
        tuple[Annotated[float, BeforeValidator(values.parse_bucket)], ...] | None,
        BeforeValidator(values.parse_bucket_list),
        AfterValidator(values.check_buckets),
    ] = None


class HistogramsSection(Section):
    """``histograms:``."""

    job_duration: HistogramSection | None = None
    job_turnaround: HistogramSection | None = None
    workflow_turnaround: HistogramSection | None = None


class LimitsSection(Section):
    """``limits:``."""

    max_series_per_family: Annotated[int | None, BeforeValidator(parse_series_limit)] = None
    max_response_bytes: Annotated[int | None, BeforeValidator(values.parse_size)] = None


class LabelsSection(Section):
    """``labels:``."""

    tags: _Boolean = None


class FileSettings(Section):
    """The whole file."""

    theeye: UpstreamSection | None = None
    organizations: tuple[OrganizationSection, ...] | None = None
    collectors: CollectorsSection | None = None
    web: WebSection | None = None
    log: LogSection | None = None
    state: StateSection | None = None
    shard: ShardSection | None = None
    histograms: HistogramsSection | None = None
    limits: LimitsSection | None = None
    labels: LabelsSection | None = None


def check_document(document: Document, schema: type[T]) -> T:
    """Return what of the document can be used; the rest is noted as its faults and removed from its data."""
    while True:
        try:
            return schema.model_validate(document.data)
        except ValidationError as error:
            faults = error.errors(include_url=False)
        for fault in faults:
            document.add_fault(fault["loc"], _explain(fault, schema))
        for fault in faults:
            _remove(document.data, fault["loc"])


def _explain(fault: ErrorDetails, schema: type[Section]) -> InvalidValueError:
    """Return a fault in our words."""
    own = fault.get("ctx", {}).get("error")
    if isinstance(own, InvalidValueError):
        return own
    location = fault["loc"]
    if fault["type"] == "extra_forbidden":
        return _unknown_key(str(location[-1]), list(_section_at(location[:-1], schema).model_fields))
    if fault["type"] == "model_type":
        keys = list(_section_at(location, schema).model_fields)
        return InvalidValueError(f"expected keys ({', '.join(keys)}), got {shown(fault['input'])}")
    if fault["type"] == "dict_type":
        return InvalidValueError(f"expected keys, got {shown(fault['input'])}")
    return InvalidValueError(f"expected a list, got {shown(fault['input'])}", 'each item starts with "- "')


def _unknown_key(key: str, valid: list[str]) -> InvalidValueError:
    start, colon, _ = key.partition(":")
    if colon and start in valid:
        return InvalidValueError(f'expected a blank after "{start}:"')
    return InvalidValueError("unknown key", did_you_mean(key, valid) or f"valid keys are {', '.join(valid)}")


def _section_at(location: Location, schema: type[Section]) -> type[Section]:
    section = schema
    for part in location:
        if isinstance(part, str):
            section = _section_of(section.model_fields[part].annotation) or section
    return section


def _section_of(annotation: object) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(_section_of, get_args(annotation))), None)


def _remove(data: dict[str, Any], location: Location) -> None:
    """Remove a value; a list goes as a whole, except organizations: they become empty and keep their places."""
    for index, part in enumerate(location):
        if isinstance(part, int) and location[index - 1] != "organizations":
            location = location[:index]
            break
    holder: Any = data
    for part in location[:-1]:
        holder = holder[part]
    if isinstance(holder, list):
        holder[int(location[-1])] = {}
    else:
        holder.pop(location[-1], None)
