{{/* Key and file name of an organisation's token: readable, unique, and independent of the order of the organisations. */}}
{{- define "theeye-exporter.tokenKey" -}}
{{- printf "%s-%s" (regexReplaceAll "[^-._a-zA-Z0-9]" . "_" | trunc 40) (sha256sum . | trunc 8) }}
{{- end }}

{{/* The organisations as a list, however they are given, sorted by name if they are a map: (…).organizations. */}}
{{- define "theeye-exporter.organizations" -}}
{{- $organizations := list }}
{{- if kindIs "map" .Values.organizations }}
{{- range $name, $organization := .Values.organizations }}
{{- if not (kindIs "invalid" $organization) }}
{{- $organizations = append $organizations (merge (dict "name" $name) $organization) }}
{{- end }}
{{- end }}
{{- else }}
{{- $organizations = .Values.organizations }}
{{- end }}
{{- dict "organizations" $organizations | toJson }}
{{- end }}

{{/* The exporter's configuration file. */}}
{{- define "theeye-exporter.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $organizations := list }}
{{- range (include "theeye-exporter.organizations" . | fromJson).organizations }}
{{- $organization := omit (deepCopy .) "token" "existingSecret" }}
{{- if not .token_file }}
{{- $_ := set $organization "token_file" (printf "/etc/theeye-exporter/tokens/%s" (include "theeye-exporter.tokenKey" .name)) }}
{{- end }}
{{- $organizations = append $organizations $organization }}
{{- end }}
{{- with $organizations }}
{{- $_ := set $config "organizations" . }}
{{- end }}
{{- if .Values.organizationFiles.existingSecret }}
{{- $folder := "/etc/theeye-exporter/organizations" }}
{{- $files := kindIs "string" $config.organization_files | ternary (list $config.organization_files) $config.organization_files }}
{{- $_ := set $config "organization_files" (concat ($files | default list) (list (printf "%s/*.yaml" $folder) (printf "%s/*.yml" $folder))) }}
{{- end }}
{{- if not (hasKey ($config.limits | default dict) "max_response_bytes") }}
{{- with include "theeye-exporter.maxResponseBytes" . }}
{{- $_ := set $config "limits" (merge (dict "max_response_bytes" (int64 .)) ($config.limits | default dict)) }}
{{- end }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{/* Maximum size of a response: a twelfth of the memory limit, because the exporter may use nine times as much, and for a moment some more. Empty without a limit. */}}
{{- define "theeye-exporter.maxResponseBytes" -}}
{{- $memory := dig "limits" "memory" "" (.Values.resources | default dict) | toString }}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?([kMGT]i?|Ki)?$" $memory }}
{{- $number := regexFind "^[0-9.]+" $memory | float64 }}
{{- $factors := dict "" 1 "k" 1000 "Ki" 1024 "M" 1000000 "Mi" 1048576 "G" 1000000000 "Gi" 1073741824 "T" 1000000000000 "Ti" 1099511627776 }}
{{- divf (mulf $number (get $factors (regexFind "[A-Za-z]*$" $memory))) 12 | int64 }}
{{- end }}
{{- end }}

{{/* Bytes of a size as the configuration writes it: a number, or one with KiB, MiB or GiB. 0 for anything else. */}}
{{- define "theeye-exporter.bytes" -}}
{{- $text := ternary (. | toString) (. | int64 | toString) (kindIs "string" .) }}
{{- $unit := regexFind "[A-Za-z]*$" $text }}
{{- mul (regexFind "^[0-9]+" $text | int64) (get (dict "" 1 "B" 1 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824) $unit | int64) }}
{{- end }}

{{/* Whether a StatefulSet runs the exporter; empty: a Deployment. */}}
{{- define "theeye-exporter.stateful" -}}
{{- if or (gt (int .Values.shards) 1) .Values.persistence.enabled }}true{{ end }}
{{- end }}

{{- define "theeye-exporter.telemetryPath" -}}
{{- dig "web" "telemetry_path" "/metrics" .Values.config }}
{{- end }}

{{/* Whether a web server has a file for --web.config.file; empty: no. The argument is the values of the web server. */}}
{{- define "theeye-exporter.webConfig" -}}
{{- if or .config .existingSecret.name }}true{{ end }}
{{- end }}

{{- define "theeye-exporter.webConfigFlag" -}}
{{- if include "theeye-exporter.webConfig" . -}}
- --web.config.file=/etc/theeye-exporter/web/{{ ternary .existingSecret.key "web-config.yml" (ne .existingSecret.name "") }}
{{- end }}
{{- end }}

{{- define "theeye-exporter.webMounts" -}}
{{- if include "theeye-exporter.webConfig" . }}
- name: web
  mountPath: /etc/theeye-exporter/web
  readOnly: true
{{- end }}
{{- if .tlsSecret }}
- name: tls
  mountPath: /etc/theeye-exporter/tls
  readOnly: true
{{- end }}
{{- end }}

{{/* (dict "root" $ "web" VALUES "name" NAME-OF-ITS-OBJECTS) */}}
{{- define "theeye-exporter.webVolumes" -}}
{{- if include "theeye-exporter.webConfig" .web }}
- name: web
  secret:
    secretName: {{ .web.existingSecret.name | default (printf "%s-web" .name) | quote }}
    defaultMode: {{ include "theeye-exporter.secretMode" .root }}
{{- end }}
{{- if .web.tlsSecret }}
- name: tls
  secret:
    secretName: {{ .web.tlsSecret | quote }}
    defaultMode: {{ include "theeye-exporter.secretMode" .root }}
{{- end }}
{{- end }}

{{- define "theeye-exporter.scheme" -}}
{{- if .existingSecret.name }}
{{- ternary "https" "http" .existingSecret.tls }}
{{- else }}
{{- ternary "https" "http" (hasKey .config "tls_server_config") }}
{{- end }}
{{- end }}

{{/* What the web server asks of its clients, on every path: none, basic or certificate. */}}
{{- define "theeye-exporter.webAuth" -}}
{{- if .existingSecret.name }}
{{- .existingSecret.auth }}
{{- else if hasPrefix "Require" (dig "tls_server_config" "client_auth_type" "" .config) }}
{{- "certificate" }}
{{- else if .config.basic_auth_users }}
{{- "basic" }}
{{- else }}
{{- "none" }}
{{- end }}
{{- end }}
