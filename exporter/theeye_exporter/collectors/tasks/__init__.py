"""Tasks, and the names that jobs get from them.

How a poll works:

1. `TaskReader` (`reading.py`) keeps all tasks of the organisation. A small organisation's tasks are all listed at every poll.
   A large one's are all listed every `full_list_interval`, in pages. In between, polls list only the tasks that
   changed, and those whose schedule must have changed.
2. `TasksCollector` (`collector.py`) makes samples of all tasks, however few of them were listed.
"""

from theeye_exporter.collectors.tasks.collector import KIND, TASK_INFO, TASK_LABELS, TasksCollector

__all__ = ["KIND", "TASK_INFO", "TASK_LABELS", "TasksCollector"]
