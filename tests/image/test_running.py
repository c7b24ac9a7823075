"""Tests a container without privileges: read-only, a numeric user, no capabilities, little memory."""

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from image.containers import Engine
from processes import eventually, free_port

pytestmark = pytest.mark.e2e

SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9855/metrics', timeout=30).read().decode())"
LIMIT = 256 * 1024 * 1024


def up(exposition: str) -> bool:
    """Return whether TheEye answered."""
    families = (family for family in text_string_to_metric_families(exposition) if family.name == "theeye_up")
    return [sample.value for family in families for sample in family.samples] == [1.0]


def test_the_demo_needs_no_settings(engine: Engine, image: str) -> None:
    with engine.running(image, "demo") as container:
        eventually(container.healthy, "healthy")
        exposition = eventually(lambda: text if up(text := container.python(SCRAPE)) else None, "theeye_up 1")

        assert exposition.count("theeye_monitor_enabled{") == 200
        assert "address=[::]:9855" in container.log() or "address=0.0.0.0:9855" in container.log()


def test_it_may_do_nothing(engine: Engine, image: str) -> None:
    with engine.running(image, "demo") as container:
        status = dict(line.split(":\t", 1) for line in container.execute("cat", "/proc/1/status").splitlines())
        # Whatever is in the image; mounts are other devices.
        writable = container.python("""if True:
            import os
            device = os.stat("/").st_dev
            for folder, folders, files in os.walk("/"):
                folders[:] = [f for f in folders if os.lstat(os.path.join(folder, f)).st_dev == device]
                for path in [folder, *(os.path.join(folder, name) for name in files)]:
                    if os.path.exists(path) and os.access(path, os.W_OK):
                        print(path)
        """)

        assert status["Uid"].split() == ["65532"] * 4
        assert status["Gid"].split() == ["65532"] * 4
        assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert status["NoNewPrivs"] == "1"
        assert writable.split() == []


def test_it_is_scraped_from_outside_on_another_port(engine: Engine, image: str) -> None:
    port, theeye = free_port(), free_port()
    flags = (f"--web.listen-address=127.0.0.1:{port}", f"--demo.listen-address=127.0.0.1:{theeye}")
    with engine.running(image, "demo", *flags, flags=("--network", "host")) as container:
        url = f"http://127.0.0.1:{port}/metrics"
        exposition = eventually(lambda: text if up(text := requests.get(url, timeout=30).text) else None, "theeye_up 1")

        assert "theeye_exporter_build_info" in exposition
        assert container.healthy()


def test_the_memory_limit_is_enough(engine: Engine, image: str) -> None:
    with engine.running(image, "demo") as container:
        eventually(container.healthy, "healthy")
        container.python(f"for _ in range(20): exec({SCRAPE!r})")

        peak = int(
            container.execute(
                "sh",
                "-c",
                "cat /sys/fs/cgroup/memory.peak 2>/dev/null || cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes",
            )
        )
        assert 0 < peak < LIMIT / 2
        assert not container.state()["OOMKilled"]


def test_counters_are_kept_in_the_volume(engine: Engine, image: str) -> None:
    engine.podman("volume", "create", "state")
    try:
        for _ in range(2):  # the second finds what the first left
            flags = ("--network", "none", "--volume", "state:/var/lib/theeye-exporter")
            with engine.running(image, "demo", "--state.file=exporter.state", flags=flags) as container:
                eventually(container.healthy, "healthy")
                (kept,) = container.execute("find", "/var/lib/theeye-exporter", "-name", "exporter.state").split()
                assert kept == "/var/lib/theeye-exporter/exporter.state"
                assert container.stop(10) == 0
    finally:
        engine.podman("volume", "rm", "--force", "state")


def test_it_ends_within_two_seconds_of_sigterm(engine: Engine, image: str) -> None:
    with engine.running(image, "demo") as container:
        eventually(container.healthy, "healthy")

        assert container.stop(2) == 0
        assert "msg=stopped" in container.log()


def test_one_that_does_not_answer_is_unhealthy(engine: Engine, image: str) -> None:
    with engine.running(image, "demo", "--demo.only") as container:
        # The simulated TheEye listens, and knows no health.
        eventually(lambda: "THEEYE_TOKEN=" in container.log(), "the simulated TheEye")

        assert not container.healthy()
        assert container.stop(2) == 0


def test_without_settings_it_says_what_is_missing(engine: Engine, image: str) -> None:
    ended = engine.failing(image)

    assert ended.returncode == 2
    assert "THEEYE_ORGANIZATION_NAME" in ended.stderr
