{{/* What the schema cannot say. All mistakes at once. */}}
{{- define "theeye-exporter.validate" -}}
{{- $problems := list }}
{{- if .Values.demo.enabled }}
  {{- if .Values.organizations }}
    {{- $problems = append $problems "demo.enabled watches a simulated TheEye alone: unset it, or remove organizations" }}
  {{- end }}
  {{- if include "theeye-exporter.stateful" . }}
    {{- $problems = append $problems "demo.enabled is one pod without state: unset shards and persistence.enabled" }}
  {{- end }}
{{- else if not .Values.organizations }}
  {{- $problems = append $problems (include "theeye-exporter.nothingToWatch" . | trim) }}
{{- end }}
{{- $names := list }}
{{- range $index, $organization := .Values.organizations }}
  {{- $where := printf "organizations[%d] (%s)" $index $organization.name }}
  {{- if has $organization.name $names }}
    {{- $problems = append $problems (printf "%s: there is another organisation of this name" $where) }}
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
{{- range .Values.extraEnv }}
  {{- if eq .name "THEEYE_TOKEN" }}
    {{- $problems = append $problems "extraEnv: THEEYE_TOKEN would show the token to whoever may read pods: use organizations[].existingSecret" }}
  {{- end }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
  {{- $problems = append $problems "serviceMonitor and podMonitor are both enabled, so that everything would be scraped twice: disable one of them" }}
{{- end }}
{{- range list "serviceMonitor" "podMonitor" }}
  {{- $monitor := get $.Values . }}
  {{- if $monitor.enabled }}
    {{- if and (eq (include "theeye-exporter.scheme" $) "https") (not $monitor.tlsConfig) }}
      {{- $problems = append $problems (printf "the exporter serves https: %s.tlsConfig has to say how Prometheus verifies it (ca and serverName, or insecureSkipVerify)" .) }}
    {{- end }}
    {{- if and (eq (include "theeye-exporter.webAuth" $) "basic") (not $monitor.basicAuth) }}
      {{- $problems = append $problems (printf "the exporter asks for a user: %s.basicAuth has to say where user and password are (username: {name, key}, password: {name, key})" .) }}
    {{- end }}
    {{- if and (eq (include "theeye-exporter.webAuth" $) "certificate") $monitor.tlsConfig (not (or $monitor.tlsConfig.cert $monitor.tlsConfig.certFile)) }}
      {{- $problems = append $problems (printf "the exporter asks for a client certificate: %s.tlsConfig has to name one (cert and keySecret)" .) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- with $problems }}
  {{- fail (printf "\n\nThese values cannot work:\n- %s\n" (join "\n- " .)) }}
{{- end }}
{{- end }}

{{- define "theeye-exporter.nothingToWatch" }}
nothing to watch: organizations is empty. Keep an integration token of TheEye in a Secret, and name both:
    kubectl --namespace {{ include "theeye-exporter.namespace" . }} create secret generic theeye --from-file=token=PATH-OF-A-FILE-WITH-THE-TOKEN
    --set 'organizations[0].name=ORGANISATION' --set 'organizations[0].existingSecret.name=theeye'
  Without a token, look at a simulated TheEye:
    --set demo.enabled=true
{{- end }}
