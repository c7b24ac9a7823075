"""Shows the effective configuration to people."""

from typing import Any

import yaml
from pydantic import BaseModel

from theeye_exporter.config.settings import Settings
from theeye_exporter.values.settings import model_in, setting_of

__all__ = ["describe"]


def describe(settings: Settings) -> str:
    """Return the effective configuration as YAML, in the format of the file, but without tokens."""
    # The organisations of all files are listed; to name the files too would list them twice.
    described = _described(settings.model_copy(update={"organization_files": ()}))
    return yaml.dump(described, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _described(settings: BaseModel) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for key, field in type(settings).model_fields.items():
        value, setting = getattr(settings, key), setting_of(field)
        if isinstance(value, BaseModel):
            described[key] = _described(value)
        elif model_in(field.annotation) is not None:
            described[key] = [_described(item) for item in value]
        # Reading an empty value back would fail.
        elif setting is not None and setting.in_file and value is not None and value != ():
            described[key] = setting.show(value)
    return described


class _Dumper(yaml.SafeDumper):
    """Writes YAML."""

    def represent_values(self, values: tuple[Any, ...]) -> yaml.Node:
        """Write lists of values in brackets: there can be many buckets, and they are short."""
        return self.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)


_Dumper.add_representer(tuple, _Dumper.represent_values)
