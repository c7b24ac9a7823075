"""A simulated TheEye: a server with a simulated world behind it, and faults that can be switched on.

It responds like supervisor 4.15, on a real port, and needs nothing else:

    with SimulatedTheEye(DemoSettings(monitors=500)) as theeye:
        requests.get(f"{theeye.url}/demo/resource", headers={"Authorization": f"Bearer {theeye.settings.token}"})
"""

from theeye_exporter.demo.expected import OUTCOMES, EndedRuns, Tally
from theeye_exporter.demo.faults import FAULTS, Fault, parse_fault
from theeye_exporter.demo.server import RequestRecord, SimulatedTheEye
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.world import World

__all__ = [
    "FAULTS",
    "OUTCOMES",
    "DemoSettings",
    "EndedRuns",
    "Fault",
    "RequestRecord",
    "SimulatedTheEye",
    "Tally",
    "World",
    "parse_fault",
]
