"""Toys, the example of a collector: approvals among the tasks.

theeye_toy_info{organization="demo",toy_id="6b…",toy="sign"} 1
"""

from typing import Annotated, Final

from theeye_exporter.collectors.base import Collection, CollectorKind, Context
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.exposition.family import Families
from theeye_exporter.exposition.labels import format_labels
from theeye_exporter.exposition.samples import Samples
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.fields import text
from theeye_exporter.values.settings import Setting, integer

__all__ = ["KIND"]

FAMILIES: Final = Families()

TOY_INFO: Final = FAMILIES.info(
    "theeye_toy_info", ("organization", "toy_id", "toy"), "Descriptive properties of a toy."
)


class ToysSettings(CollectorSettings):
    """How toys are polled."""

    most: Annotated[int, Setting(integer(1, 10), "maximum number of toys")] = 3


class ToysCollector:
    """Collects an organisation's toys."""

    def __init__(self, context: Context[ToysSettings]) -> None:
        self._organization = context.organization
        self._most = context.settings.most

    def collect(self, client: TheEyeClient, now: float) -> Collection:  # noqa: ARG002 - no toy's value has an age
        """See `Collector`."""
        listing = next(client.tasks())  # more than enough
        samples = Samples()
        for toy in listing.items[: self._most]:
            samples[TOY_INFO].add(format_labels(TOY_INFO.labels, (self._organization, toy.id, text(toy.name))), 1)
        return Collection(samples, len(samples[TOY_INFO]), listing.skipped)


KIND: Final = CollectorKind(
    name="toys",
    title="Toys of the simulation",
    families=FAMILIES,
    make=ToysCollector,
    settings=ToysSettings,
    interval=20.0,
)
