"""Chooses organisations by the flag of a command."""

from collections.abc import Sequence

from theeye_exporter.config.problems import COMMAND_LINE
from theeye_exporter.config.settings import Settings
from theeye_exporter.values.errors import ConfigError, Problem, did_you_mean
from theeye_exporter.values.text import shown

__all__ = ["only"]


def only(names: Sequence[str] | None, settings: Settings) -> Settings:
    """Return the settings with the organisations that have these names; with all of them if no names are given.

    Raises:
        ConfigError: there is no organisation with one of the names.
    """
    if names is None:
        return settings
    known = [organization.name for organization in settings.organizations]
    for name in names:
        if name not in known:
            shard = " of this shard" if settings.elsewhere else ""
            message = f"no organisation{shard} has the name {shown(name)}"
            raise ConfigError([Problem(COMMAND_LINE, "--organization", message, did_you_mean(name, known))])
    kept = tuple(organization for organization in settings.organizations if organization.name in names)
    return settings.model_copy(update={"organizations": kept})
