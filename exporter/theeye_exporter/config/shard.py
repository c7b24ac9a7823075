"""Decides which organisations belong to this process if they are split among several processes.

Each organisation belongs to the shard for which the SHA-256 hash of `SHARD/NAME` is the highest (rendezvous hashing):
all processes get the same result without asking each other, and an additional shard takes its share from all others
without moving any other organisation.
"""

from hashlib import sha256

from theeye_exporter.config.settings import ShardSettings
from theeye_exporter.config.sources import Sources
from theeye_exporter.values.errors import InvalidValueError

__all__ = ["find_shard", "shard_of"]


def shard_of(name: str, count: int) -> int:
    """Return the shard, from 0, that an organisation belongs to."""
    return max(range(count), key=lambda shard: sha256(f"{shard}/{name}".encode()).digest())


def find_shard(sources: Sources) -> ShardSettings:
    """Return the shard, and report an index that is too large for the count."""
    shard = ShardSettings.model_validate(sources.values["shard"])
    if shard.index >= shard.count and not sources.is_faulty(("shard", "count"), ("shard", "index")):
        hint = "" if "count" in shard.model_fields_set else "shard.count is the total number"
        message = f"{shard.index} is too large for shard.count {shard.count}, because shards are numbered from 0"
        sources.add_fault(("shard", "index"), InvalidValueError(message, hint))
    return shard
