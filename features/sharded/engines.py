"""The engines that build features shard by shard."""

from enum import StrEnum


class ShardEngine(StrEnum):
    """``local``: shards one after another, on this machine. ``spark``: shards as Spark tasks."""

    LOCAL = "local"
    SPARK = "spark"
