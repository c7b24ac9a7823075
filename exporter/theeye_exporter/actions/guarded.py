"""The rows of one organisation as starts for alerts see them."""

from collections.abc import Callable

from theeye_exporter.actions.alert_records import AlertRecords
from theeye_exporter.actions.deciding import alert_key
from theeye_exporter.actions.moments import Moments
from theeye_exporter.actions.records import KnownEpisode, Order
from theeye_exporter.actions.rows import Row
from theeye_exporter.actions.store import FileStore

__all__ = ["GuardedStore", "is_current"]


class GuardedStore:
    """The store as the starter sees it: a start begins only if its episode still fires, and is not saved without its order.

    Args:
        store: The rows.
        records: What is kept besides.
        may_begin: Whether the limits leave room for a start. Over all organisations, only one start at a time is checked and saved.
        moments: Converts Unix times to monotonic times.
    """

    def __init__(
        self, store: FileStore, records: AlertRecords, may_begin: Callable[[Order], bool], moments: Moments
    ) -> None:
        self._store = store
        self._records = records
        self._may_begin = may_begin
        self._moments = moments

    def open_rows(self) -> list[Row]:
        """Return the rows that are not over, in the order in which they wait."""
        with self._records.lock:
            return self._store.open_rows()

    def save(self, row: Row) -> None:
        """Save a row, unless its alert was resolved meanwhile, and its order dropped."""
        with self._records.lock:
            if self._records.get(Order, row.id) is not None:
                self._store.save(row)

    def begin(self, row: Row) -> bool:
        """Save a row as sending, if its alert still fires, the limits allow it, and no other row of the task is sending."""
        with self._records.lock:
            order = self._records.get(Order, row.id)
            if order is None or not is_current(self._records, order) or not self._may_begin(order):
                return False
            self._moments.when(row.id, row.sent_at)
            return self._store.begin(row)

    def known_jobs(self, task_id: str) -> frozenset[str]:
        """Return the ids of the jobs of all starts of a task."""
        with self._records.lock:
            return self._store.known_jobs(task_id)

    def user_id(self, token_mark: str) -> str | None:
        """Return the id of the user of a token, once it is known."""
        with self._records.lock:
            return self._store.user_id(token_mark)

    def learn_user_id(self, token_mark: str, user_id: str) -> None:
        """Remember the user of a token."""
        with self._records.lock:
            self._store.learn_user_id(token_mark, user_id)


def is_current(records: AlertRecords, order: Order) -> bool:
    """Whether the episode of an order is the last known one of its alert, and fires."""
    episode = records.get(KnownEpisode, alert_key(order.action, order.alert))
    return episode is not None and episode.end is None and episode.order == order.id
