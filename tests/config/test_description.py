"""The effective configuration as people see it."""

import re
from pathlib import Path

from config.configurations import CANARY, configure
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.config.description import describe

EFFECTIVE = """\
theeye:
  url: https://supervisor.theeye.io
  auth: header
  timeout: 2s500ms
  tls_config:
    insecure_skip_verify: false
  proxy_url: http://<redacted>@proxy.example.com:3128
  proxy_from_environment: true
  follow_redirects: true
organizations:
- name: 'yes'
  token: <redacted>
  url: https://supervisor.theeye.io
  auth: header
  timeout: 2s500ms
  tls_config:
    insecure_skip_verify: false
  proxy_url: http://<redacted>@proxy.example.com:3128
  no_proxy: '*'
  proxy_from_environment: true
  follow_redirects: true
  collectors:
    monitors:
      enabled: true
      interval: 30s
      max_age: 2m30s
    tasks:
      enabled: false
      interval: 1m
      max_age: 5m
      full_list_interval: 10m
    workflows:
      enabled: true
      interval: 1m
      max_age: 5m
    jobs:
      enabled: true
      interval: 15s
      max_age: 1m15s
      max_details_per_cycle: 200
      detail_concurrency: 4
      full_list_interval: 1h
collectors:
  monitors:
    enabled: true
    interval: 30s
    max_age: 2m30s
  tasks:
    enabled: false
    interval: 1m
    max_age: 5m
    full_list_interval: 10m
  workflows:
    enabled: true
    interval: 1m
    max_age: 5m
  jobs:
    enabled: true
    interval: 15s
    max_age: 1m15s
    max_details_per_cycle: 200
    detail_concurrency: 4
    full_list_interval: 1h
web:
  listen_address: [':9855']
  telemetry_path: /metrics
  enable_lifecycle: false
log:
  level: debug
  format: logfmt
state: {}
shard:
  index: 0
  count: 1
histograms:
  job_duration:
    enabled: true
    buckets: [100ms, 250ms, 500ms, 1s, 2s500ms, 5s, 10s, 30s, 1m, 2m, 5m, 10m, 30m, 1h, 2h, 6h, 12h, 1d]
  job_turnaround:
    enabled: true
    buckets: [100ms, 250ms, 500ms, 1s, 2s500ms, 5s, 10s, 30s, 1m, 2m, 5m, 10m, 30m, 1h, 2h, 6h, 12h, 1d]
  workflow_turnaround:
    enabled: false
    buckets: [500ms, 1m30s]
limits:
  max_series_per_family: 1000000
  max_response_bytes: 64MiB
labels:
  tags: true
"""


def test_description_is_complete_and_without_secrets(tmp_path: Path) -> None:
    text = f"""\
theeye: {{timeout: 2500ms, proxy_url: "http://user:{CANARY}@proxy.example.com:3128/"}}
organizations: [{{name: yes, token: {CANARY}, no_proxy: "*"}}]
histograms: {{workflow_turnaround: {{enabled: false, buckets: [500ms, 90s]}}}}
"""
    settings = configure("--log.level=debug", "--no-collector.tasks", file=tmp_path / "exporter.yml", text=text)
    text = describe(settings)
    # Of the collectors, these four will do.
    others = "|".join(kind.name for kind in COLLECTORS if f" {kind.name}:" not in EFFECTIVE)
    found, count = re.subn(rf"^( +)(?:{others}):\n(?:\1  .*\n)+", "", text, flags=re.MULTILINE)
    assert found == EFFECTIVE
    assert count == 2 * (len(COLLECTORS) - 4)


def test_description_loads_to_the_same_settings(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(CANARY, encoding="utf-8")
    file = tmp_path / "exporter.yml"
    # More than one line holds.
    buckets = ", ".join(f"{minutes}m10s500ms" for minutes in range(50))
    text = f"""\
organizations:
  - {{name: "007 \U0001f600", token_file: {token_file}, url: "http://[::1]:1/x", auth: query, tls_config: {{server_name: a.example}},
     proxy_url: "https://proxy.example.com", no_proxy: "a.example,10.0.0.0/8", follow_redirects: false}}
web: {{listen_address: ["[::1]:1", ":2"], telemetry_path: /x, enable_lifecycle: true}}
shard: {{index: 1, count: 2}}
collectors: {{jobs: {{full_list_interval: 90m}}, workflows: {{enabled: false}}}}
state: {{file: "kept: 1"}}
histograms: {{job_duration: {{buckets: [{buckets}]}}, job_turnaround: {{enabled: false}}}}
limits: {{max_response_bytes: 1025}}
"""
    settings = configure(file=file, text=text)
    assert configure(file=file, text=describe(settings)) == settings
