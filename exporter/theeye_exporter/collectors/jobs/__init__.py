"""Jobs: every finished run, counted once; the run that finished last; and open jobs."""

from theeye_exporter.collectors.jobs.collector import KIND, JobsCollector, JobsMemory, JobsSettings

__all__ = ["KIND", "JobsCollector", "JobsMemory", "JobsSettings"]
