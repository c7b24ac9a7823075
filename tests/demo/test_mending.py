"""A task whose runs mend a monitor: what fails because of a fault works again, and nothing else changes."""

from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_exporter.demo.monitors import FAILURE, NORMAL


def test_a_run_that_succeeds_mends_the_monitor_of_its_host_for_as_long_as_the_fault_is_not_set_again() -> None:
    now = 1_800_000_000.0
    theeye = SimulatedTheEye(DemoSettings(monitors=30, tasks=4, calm=True, mending=True), lambda: now)
    world, fault = theeye.world, (parse_fault("monitor-failing=web-01/*"),)
    failing = {one.name: one for one in world.monitors.values() if one.hostname == "web-01"}
    theeye.faults = fault
    assert (failing["Processes List"].state, failing["Health"].state) == (FAILURE, FAILURE)
    (task,) = [one for one in world.tasks.values() if (one.name, one.hostname) == ("restart service", "web-01")]
    world.create_job(task.id)
    now += 60.0
    world.sync()
    assert (failing["Processes List"].state, failing["Health"].state) == (NORMAL, FAILURE)
    theeye.faults = fault
    assert failing["Processes List"].state == FAILURE
    world.frozen = True
    world.finish_job(world.create_job(task.id).id, state="failure")
    assert failing["Processes List"].state == FAILURE


def test_without_being_asked_there_are_as_many_tasks_as_before() -> None:
    plain = SimulatedTheEye(DemoSettings(monitors=30, tasks=4)).world
    assert len(plain.tasks) == 4
    more = SimulatedTheEye(DemoSettings(monitors=30, tasks=4, mending=True)).world
    added = sorted((one.name, one.hostname or "") for one in more.tasks.values())
    assert set(added) >= {("canary", "web-01"), *(("restart service", host) for host in more.hosts)}
    assert len(more.tasks) == 4 + len(more.hosts) + 1
