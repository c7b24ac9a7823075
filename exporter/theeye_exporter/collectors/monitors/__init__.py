"""Monitors and, from those of type dstat, host statistics.

How a poll works, and the terms that the modules use:

1. The client lists the monitors: a small fleet at once, a large one in ranges of ids (`TheEyeClient.monitors`).
2. Each listed monitor is split in two. A `KnownMonitor` (`known.py`) holds what people edit: names and settings. Its
   labels are rendered once and kept until a fingerprint shows an edit. A `Report` (`report.py`) holds what bots report:
   state, counts, times and measured values. Reports are read again from every list.
3. When the list is complete, the reports are sorted by id. Each report adds one value to the column of each family for
   which it has a value (`collector.py`). A column is a list of labels and a list of as many values. Measured
   values of silent monitors are left out. To find these monitors, the collector needs TheEye's clock, and therefore
   the whole list.
4. The renderer renders only the parts of the columns that differ from the last poll.
"""

from theeye_exporter.collectors.monitors.collector import KIND

__all__ = ["KIND"]
