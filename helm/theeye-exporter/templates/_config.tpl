{{/* Key and file name of an organisation's token: readable, unlike any other, and the same in whatever order they stand. */}}
{{- define "theeye-exporter.tokenKey" -}}
{{- printf "%s-%s" (regexReplaceAll "[^-._a-zA-Z0-9]" . "_" | trunc 40) (sha256sum . | trunc 8) }}
{{- end }}

{{/* The exporter's configuration file. */}}
{{- define "theeye-exporter.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $organizations := list }}
{{- range .Values.organizations }}
{{- $organization := omit (deepCopy .) "token" "existingSecret" }}
{{- if not .token_file }}
{{- $_ := set $organization "token_file" (printf "/etc/theeye-exporter/tokens/%s" (include "theeye-exporter.tokenKey" .name)) }}
{{- end }}
{{- $organizations = append $organizations $organization }}
{{- end }}
{{- with $organizations }}
{{- $_ := set $config "organizations" . }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{/* Whether a StatefulSet runs the exporter; empty: a Deployment. */}}
{{- define "theeye-exporter.stateful" -}}
{{- if or (gt (int .Values.shards) 1) .Values.persistence.enabled }}true{{ end }}
{{- end }}

{{- define "theeye-exporter.telemetryPath" -}}
{{- dig "web" "telemetry_path" "/metrics" .Values.config }}
{{- end }}

{{/* Whether there is a file for --web.config.file; empty: no. */}}
{{- define "theeye-exporter.webConfig" -}}
{{- if or .Values.web.config .Values.web.existingSecret.name }}true{{ end }}
{{- end }}

{{- define "theeye-exporter.scheme" -}}
{{- if .Values.web.existingSecret.name }}
{{- ternary "https" "http" .Values.web.existingSecret.tls }}
{{- else }}
{{- ternary "https" "http" (hasKey .Values.web.config "tls_server_config") }}
{{- end }}
{{- end }}

{{/* What the web server asks of its clients, on every path: none, basic or certificate. */}}
{{- define "theeye-exporter.webAuth" -}}
{{- if .Values.web.existingSecret.name }}
{{- .Values.web.existingSecret.auth }}
{{- else if hasPrefix "Require" (dig "tls_server_config" "client_auth_type" "" .Values.web.config) }}
{{- "certificate" }}
{{- else if .Values.web.config.basic_auth_users }}
{{- "basic" }}
{{- else }}
{{- "none" }}
{{- end }}
{{- end }}
