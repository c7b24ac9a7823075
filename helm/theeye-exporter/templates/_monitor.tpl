{{/* The endpoint of a ServiceMonitor or PodMonitor. (dict "monitor" VALUES "web" VALUES "path" PATH "stateful" WHETHER-PODS-KEEP-THEIR-NAMES) */}}
{{- define "theeye-exporter.endpoint" -}}
port: metrics
path: {{ .path | quote }}
scheme: {{ .monitor.scheme | default (include "theeye-exporter.scheme" .web) }}
{{- with .monitor.interval }}
interval: {{ . | quote }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . | quote }}
{{- end }}
{{- with .monitor.params }}
params:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .monitor.honorLabels }}
honorLabels: true
{{- end }}
{{- with .monitor.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
relabelings:
  # Drops the operator's label, the name of the port: the metrics theeye_api_… have another label of this name.
  - action: labeldrop
    regex: endpoint
  {{- if .stateful }}
  # A pod of a StatefulSet keeps its name, so series continue when it moves.
  - sourceLabels: [__meta_kubernetes_pod_name]
    targetLabel: instance
  {{- end }}
  {{- with .monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The endpoint of the exporter. (dict "root" $ "monitor" VALUES) */}}
{{- define "theeye-exporter.exporterEndpoint" -}}
{{- include "theeye-exporter.endpoint" (dict "monitor" .monitor "web" .root.Values.web "path" (include "theeye-exporter.telemetryPath" .root) "stateful" (include "theeye-exporter.stateful" .root)) }}
{{- end }}

{{/* How actions are scraped: as the exporter, except for what depends on its web server or its collectors. (dict "root" $ "monitor" VALUES) */}}
{{- define "theeye-exporter.actionsMonitor" -}}
{{- merge (deepCopy .root.Values.actions.monitor) (omit .monitor "params" "tlsConfig" "basicAuth") | toJson }}
{{- end }}

{{/* (dict "root" $ "monitor" VALUES) */}}
{{- define "theeye-exporter.actionsEndpoint" -}}
{{- $actions := .root.Values.actions }}
{{- include "theeye-exporter.endpoint" (dict "monitor" (include "theeye-exporter.actionsMonitor" . | fromJson) "web" $actions.web "path" (dig "web" "telemetry_path" "/metrics" $actions.config) "stateful" "") }}
{{- end }}
