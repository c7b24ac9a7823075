{{/* Checks what the schema cannot check, and reports all mistakes at once. */}}
{{- define "theeye-exporter.validate" -}}
{{- $problems := list }}
{{- $inFile := .Values.configFile.existingSecret.name }}
{{- if and $inFile (or .Values.organizations .Values.organizationFiles.existingSecret .Values.config) }}
  {{- $problems = append $problems "configFile.existingSecret.name is the whole configuration: unset it, or remove organizations, organizationFiles and config" }}
{{- end }}
{{- if .Values.demo.enabled }}
  {{- if or .Values.organizations .Values.organizationFiles.existingSecret $inFile }}
    {{- $problems = append $problems "demo.enabled watches only a simulated TheEye: unset it, or remove organizations, organizationFiles and configFile" }}
  {{- end }}
  {{- if include "theeye-exporter.stateful" . }}
    {{- $problems = append $problems "demo.enabled supports only one pod without state: unset shards and persistence.enabled" }}
  {{- end }}
{{- else if not (or .Values.organizations .Values.organizationFiles.existingSecret .Values.config.organization_files $inFile) }}
  {{- $problems = append $problems (include "theeye-exporter.nothingToWatch" . | trim) }}
{{- end }}
{{- $names := list }}
{{- range $index, $organization := (include "theeye-exporter.organizations" . | fromJson).organizations }}
  {{- $where := ternary (printf "organizations.%s" $organization.name) (printf "organizations[%d] (%s)" $index $organization.name) (kindIs "map" $.Values.organizations) }}
  {{- if has $organization.name $names }}
    {{- $problems = append $problems (printf "%s: another organisation has this name" $where) }}
  {{- end }}
  {{- $names = append $names $organization.name }}
  {{- $tokens := list }}
  {{- range list "existingSecret" "token_file" "token" }}
    {{- if get $organization . }}
      {{- $tokens = append $tokens . }}
    {{- end }}
  {{- end }}
  {{- if ne (len $tokens) 1 }}
    {{- $problems = append $problems (printf "%s: give exactly one of existingSecret, token_file and token (given: %s)" $where (join ", " $tokens | default "none")) }}
  {{- end }}
{{- end }}
{{- if and .Values.persistence.existingClaim (gt (int .Values.shards) 1) }}
  {{- $problems = append $problems "persistence.existingClaim is one volume, but each of several shards needs its own: unset it" }}
{{- end }}
{{- if and .Values.persistence.existingClaim (not .Values.persistence.enabled) }}
  {{- $problems = append $problems "persistence.existingClaim is given, but persistence.enabled is false" }}
{{- end }}
{{- if and .Values.web.config .Values.web.existingSecret.name }}
  {{- $problems = append $problems "web.config and web.existingSecret.name are both given: unset one of them" }}
{{- end }}
{{- with regexFind "^[^/]+" .Values.image.repository }}
  {{- if and $.Values.image.registry (contains "/" $.Values.image.repository) (regexMatch "[.:]|^localhost$" .) }}
    {{- $problems = append $problems (printf "image.repository begins with a registry: set image.registry to %s, and leave it out of image.repository" .) }}
  {{- end }}
{{- end }}
{{- $fits := include "theeye-exporter.maxResponseBytes" . }}
{{- $wanted := include "theeye-exporter.bytes" (dig "limits" "max_response_bytes" 0 .Values.config) | int64 }}
{{- if and $fits (gt $wanted (int64 $fits)) }}
  {{- $problems = append $problems (printf "config.limits.max_response_bytes: %d needs twelve times as much memory: set resources.limits.memory to %dMi or more" $wanted (divf (mulf $wanted 12) 1048576 | ceil | int64)) }}
{{- end }}
{{- range $key, $files := dict "disabledAlerts" "files/alerts/*.yml" "optionalAlerts" "files/alerts/optional/*.yml" }}
  {{- $alerts := list }}
  {{- range $path, $content := $.Files.Glob $files }}
    {{- range (fromYaml (toString $content)).groups }}
      {{- range .rules }}
        {{- $alerts = append $alerts .alert }}
      {{- end }}
    {{- end }}
  {{- end }}
  {{- range get $.Values.prometheusRule $key }}
    {{- if not (has . $alerts) }}
      {{- $problems = append $problems (printf "prometheusRule.%s: there is no alert %s; the alerts are %s" $key . (compact $alerts | uniq | sortAlpha | join ", " | default "none")) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- range .Values.extraEnv }}
  {{- if and (eq .name "THEEYE_TOKEN") .value }}
    {{- $problems = append $problems "extraEnv: THEEYE_TOKEN would show the token to everybody who may read pods: use organizations[].existingSecret" }}
  {{- end }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
  {{- $problems = append $problems "serviceMonitor and podMonitor are both enabled, so Prometheus would scrape everything twice: disable one of them" }}
{{- end }}
{{- range list "serviceMonitor" "podMonitor" }}
  {{- $monitor := get $.Values . }}
  {{- if $monitor.enabled }}
    {{- $problems = concat $problems (include "theeye-exporter.scrapeProblems" (dict "web" $.Values.web "monitor" $monitor "name" . "server" "the exporter") | fromJsonArray) }}
    {{- if $.Values.actions.enabled }}
      {{- $asActions := include "theeye-exporter.actionsMonitor" (dict "root" $ "monitor" $monitor) | fromJson }}
      {{- $problems = concat $problems (include "theeye-exporter.scrapeProblems" (dict "web" $.Values.actions.web "monitor" $asActions "name" "actions.monitor" "server" "the actions process") | fromJsonArray) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- with .Values.actions }}
  {{- if and .web.config .web.existingSecret.name }}
    {{- $problems = append $problems "actions.web.config and actions.web.existingSecret.name are both given: unset one of them" }}
  {{- end }}
  {{- if and .enabled .config.actions (eq (include "theeye-exporter.webAuth" .web) "none") }}
    {{- $problems = append $problems "actions.config.actions: whoever reaches the port could start runs: set actions.web.config.basic_auth_users, or demand client certificates" }}
  {{- end }}
  {{- if and .enabled .config.actions (not .persistence.enabled) }}
    {{- $problems = append $problems "actions.config.actions: alerts that start runs need a state file: set actions.persistence.enabled" }}
  {{- end }}
{{- end }}
{{- with $problems }}
  {{- fail (printf "\n\nThese values cannot work:\n- %s\n" (join "\n- " .)) }}
{{- end }}
{{- end }}

{{/* Why Prometheus could not scrape a web server, as a list. (dict "web" VALUES "monitor" VALUES "name" OF-THE-MONITOR "server" NAME) */}}
{{- define "theeye-exporter.scrapeProblems" -}}
{{- $problems := list }}
{{- $auth := include "theeye-exporter.webAuth" .web }}
{{- if and (eq (.monitor.scheme | default (include "theeye-exporter.scheme" .web)) "https") (not .monitor.tlsConfig) }}
  {{- $problems = append $problems (printf "Prometheus scrapes over https: set %s.tlsConfig, so that it can verify the server (ca and serverName, or insecureSkipVerify)" .name) }}
{{- end }}
{{- if and (eq $auth "basic") (not .monitor.basicAuth) }}
  {{- $problems = append $problems (printf "%s asks for a user: set %s.basicAuth to the user and the password (username: {name, key}, password: {name, key})" .server .name) }}
{{- end }}
{{- if and (eq $auth "certificate") .monitor.tlsConfig (not (or .monitor.tlsConfig.cert .monitor.tlsConfig.certFile)) }}
  {{- $problems = append $problems (printf "%s asks for a client certificate: set one in %s.tlsConfig (cert and keySecret)" .server .name) }}
{{- end }}
{{- $problems | toJson }}
{{- end }}

{{- define "theeye-exporter.nothingToWatch" }}
nothing to watch: organizations is empty. Put an integration token of TheEye into a Secret, and name the organisation and the Secret:
    kubectl --namespace {{ include "theeye-exporter.namespace" . }} create secret generic theeye --from-file=token=PATH-OF-A-FILE-WITH-THE-TOKEN
    --set 'organizations[0].name=ORGANISATION' --set 'organizations[0].existingSecret.name=theeye'
  To try it without a token, use a simulated TheEye:
    --set demo.enabled=true
{{- end }}
