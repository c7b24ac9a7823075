"""Which organisations are this process's, when several share them out.

Each organisation belongs to the shard for which the SHA-256 hash of `SHARD/NAME` is the highest (rendezvous hashing):
each process finds the same without asking the others, and one shard more takes a fair part of everybody's organisations
and moves no other.
"""

from collections.abc import Sequence
from hashlib import sha256

from theeye_exporter.config.document import Document
from theeye_exporter.config.flags import Flags
from theeye_exporter.config.organizations import Organization
from theeye_exporter.config.problems import InvalidValueError, Report
from theeye_exporter.config.schema import ShardSection
from theeye_exporter.config.settings import ShardSettings

__all__ = ["find_shard", "own_organizations", "shard_of"]


def shard_of(name: str, count: int) -> int:
    """Return the shard, from 0, that an organisation belongs to."""
    return max(range(count), key=lambda shard: sha256(f"{shard}/{name}".encode()).digest())


def own_organizations(organizations: Sequence[Organization], shard: ShardSettings) -> tuple[Organization, ...]:
    """Return the organisations that belong to the shard."""
    return tuple(
        organization for organization in organizations if shard_of(organization.name, shard.count) == shard.index
    )


def find_shard(document: Document, section: ShardSection | None, flags: Flags, report: Report) -> ShardSettings:
    """Return the shard of flags and file, noting an index that the count does not allow."""
    section = section or ShardSection()
    index = section.index if flags.shard_index is None else flags.shard_index
    count = section.count if flags.shard_count is None else flags.shard_count
    given = ShardSettings(index=index or 0, count=1 if count is None else count)
    if given.index < given.count or document.is_faulty(("shard", "count"), ("shard", "index")) or flags.shard_faulty:
        return given
    message = f"shard {given.index} of {given.count}: shards are counted from 0"
    hint = "" if count is not None else "shard.count says how many there are"
    if flags.shard_index is not None:
        report.add_flag("--shard.index", message, hint)
    elif section.index is not None:
        document.add_fault(("shard", "index"), InvalidValueError(message, hint))
    return given
