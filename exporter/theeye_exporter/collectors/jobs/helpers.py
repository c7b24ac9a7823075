"""Threads that help to fetch single jobs; all organisations share them, so that their number is bounded."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

__all__ = ["HELPERS", "POOL"]

HELPERS: Final = 8

POOL: Final = ThreadPoolExecutor(HELPERS, thread_name_prefix="job-details")
