{{/* The endpoint of a ServiceMonitor or PodMonitor. (dict "root" $ "monitor" VALUES) */}}
{{- define "theeye-exporter.endpoint" -}}
port: metrics
path: {{ include "theeye-exporter.telemetryPath" .root | quote }}
scheme: {{ .monitor.scheme | default (include "theeye-exporter.scheme" .root) }}
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
  # The operator names the port so; theeye_api_… have a label of that name, which has to keep it.
  - action: labeldrop
    regex: endpoint
  {{- if include "theeye-exporter.stateful" .root }}
  # The pod of a shard is always called the same, so that series go on when it moves.
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
