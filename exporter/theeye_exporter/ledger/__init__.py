"""Which runs are counted, and the counters that must survive a restart."""
