"""Problems of the exporter itself, and not of TheEye, in words for the landing page."""

from collections.abc import Iterator
from dataclasses import dataclass

from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.web import humanize

__all__ = ["Trouble", "find_troubles"]

_NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Trouble:
    """One problem.

    Attributes:
        brief: a clause for a headline.
        text: what the problem means, and what to do.
    """

    brief: str
    text: str


def find_troubles(
    telemetry: Telemetry,
    store: SnapshotStore,
    stalled_for: float | None,
    check: str = "theeye-exporter check --config-only",
) -> Iterator[Trouble]:
    """Yield the current problems.

    Args:
        telemetry: the metrics of the process.
        store: the snapshot.
        stalled_for: seconds since the last poll started, if polls are overdue.
        check: the command that says what is wrong with the configuration.
    """
    if stalled_for is not None:
        yield Trouble(
            "polling has stopped",
            f"No poll has started for {humanize.span(stalled_for)}. Restart the exporter, and please report this.",
        )
    if telemetry.reload_failed:
        yield Trouble(
            "the last reload failed",
            f"The last reload of the configuration failed. The configuration of {_time(telemetry.loaded_at)} stays in effect. "
            f"The log says why; `{check}` says whether the new one has mistakes.",
        )
    if telemetry.file_problems:
        yield Trouble(
            "an organisation file cannot be used",
            f"Organisation files have {humanize.counted(telemetry.file_problems, 'mistake')}. The last valid content "
            "of each file since the start stays in effect. If there is none, the organisations of the file are missing. "
            f"After a restart, there is none. `{check}` says what is wrong.",
        )
    web_file = telemetry.web_file
    if web_file is not None and not web_file.successful:
        yield Trouble(
            "the web configuration cannot be used",
            f"The file of `--web.config.file` is not valid. The version of {_time(web_file.last_success)} "
            "stays in effect. The log says what is wrong.",
        )
    cut = store.current().cut
    if cut:
        families = humanize.listed(sorted(cut), at_most=_NAMED_AT_MOST)
        yield Trouble(
            "series are cut",
            f"{humanize.counted(sum(cut.values()), 'sample')} of {families} are left out, because an organisation has more "
            "series of these families than `limits.max_series_per_family` allows. Raise the limit, or delete unused objects "
            "in TheEye.",
        )


def _time(seconds: float) -> str:
    return f"{humanize.utc(seconds):%Y-%m-%d %H:%M:%S} UTC"
