{{/* The pod, of a Deployment and of a StatefulSet alike. */}}
{{- define "theeye-exporter.pod" -}}
metadata:
  labels:
    {{- include "theeye-exporter.podLabels" (dict "root" . "more" .Values.podLabels "selector" (include "theeye-exporter.selectorLabels" .)) | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: exporter
    {{- if and .Values.rollOnConfigChange (not .Values.configFile.existingSecret.name) }}
    checksum/config: {{ include "theeye-exporter.config" . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  serviceAccountName: {{ include "theeye-exporter.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
  # The variables that Kubernetes makes for the Services of this chart usually begin with THEEYE_, too.
  enableServiceLinks: false
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: exporter
      image: {{ include "theeye-exporter.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- include "theeye-exporter.args" . | nindent 8 }}
      {{- with include "theeye-exporter.env" . }}
      env:
        {{- . | nindent 8 }}
      {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ int .Values.containerPort }}
          protocol: TCP
      {{- range $probe, $path := dict "startupProbe" "/-/healthy" "livenessProbe" "/-/healthy" "readinessProbe" "/-/ready" }}
      {{- $timing := get $.Values $probe }}
      {{- if $timing.enabled }}
      {{ $probe }}:
        {{- include "theeye-exporter.probeHandler" (dict "web" $.Values.web "probe" $probe "path" $path) | nindent 8 }}
        {{- range $key, $value := omit $timing "enabled" }}
        {{ $key }}: {{ int $value }}
        {{- end }}
      {{- end }}
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        {{- include "theeye-exporter.volumeMounts" . | nindent 8 }}
    {{- with .Values.sidecars }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "theeye-exporter.volumes" . | nindent 4 }}
  {{- range $key := list "priorityClassName" "runtimeClassName" "dnsPolicy" }}
  {{- with get $.Values $key }}
  {{ $key }}: {{ . | quote }}
  {{- end }}
  {{- end }}
  {{- range $key := list "dnsConfig" "hostAliases" "nodeSelector" "affinity" "tolerations" }}
  {{- with get $.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{ mergeOverwrite (dict "labelSelector" (dict "matchLabels" (include "theeye-exporter.selectorLabels" $ | fromYaml))) (deepCopy .) | toYaml | nindent 6 | trim }}
    {{- end }}
  {{- end }}
{{- end }}

{{- define "theeye-exporter.args" -}}
{{- if .Values.demo.enabled -}}
- demo
- --demo.monitors={{ int .Values.demo.monitors }}
- --demo.tasks={{ int .Values.demo.tasks }}
{{ end -}}
- --config.file=/etc/theeye-exporter/config/{{ ternary .Values.configFile.existingSecret.key "theeye-exporter.yml" (ne .Values.configFile.existingSecret.name "") }}
{{- if .Values.configFile.existingSecret.name }}
- --web.telemetry-path={{ include "theeye-exporter.telemetryPath" . }}
{{- end }}
- --web.listen-address=:{{ int .Values.containerPort }}
{{- with include "theeye-exporter.webConfigFlag" .Values.web }}
{{ . }}
{{- end }}
{{- if .Values.web.enableLifecycle }}
- --web.enable-lifecycle
{{- end }}
{{- if .Values.persistence.enabled }}
- --state.file=/var/lib/theeye-exporter/state.db
{{- end }}
{{- if gt (int .Values.shards) 1 }}
- --shard.count={{ int .Values.shards }}
- --shard.index=$(POD_INDEX)
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- define "theeye-exporter.env" -}}
{{- $env := .Values.extraEnv }}
{{- if gt (int .Values.shards) 1 }}
{{- $index := dict "fieldRef" (dict "fieldPath" "metadata.labels['apps.kubernetes.io/pod-index']") }}
{{- $env = prepend $env (dict "name" "POD_INDEX" "valueFrom" $index) }}
{{- end }}
{{- with $env }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/*
What a probe does. If the web server asks for a user or a client certificate, it also asks the kubelet, which has none. Then
startup and liveness use the image's health check, for which being asked is a sign of life, and readiness only needs an open port.
(dict "web" VALUES "probe" NAME "path" PATH)
*/}}
{{- define "theeye-exporter.probeHandler" -}}
{{- if eq (include "theeye-exporter.webAuth" .web) "none" -}}
httpGet:
  path: {{ .path }}
  port: metrics
  scheme: {{ include "theeye-exporter.scheme" .web | upper }}
{{- else if eq .probe "readinessProbe" -}}
tcpSocket:
  port: metrics
{{- else -}}
exec:
  command: [python3, -m, theeye_exporter.healthcheck]
{{- end }}
{{- end }}

{{- define "theeye-exporter.volumeMounts" -}}
- name: config
  mountPath: /etc/theeye-exporter/config
  readOnly: true
{{- if include "theeye-exporter.tokenSources" . }}
- name: tokens
  mountPath: /etc/theeye-exporter/tokens
  readOnly: true
{{- end }}
{{- if .Values.organizationFiles.existingSecret }}
- name: organizations
  mountPath: /etc/theeye-exporter/organizations
  readOnly: true
{{- end }}
{{- include "theeye-exporter.webMounts" .Values.web }}
{{- if .Values.persistence.enabled }}
- name: state
  mountPath: /var/lib/theeye-exporter
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Mounted as folders, and never with subPath, so that changes reach a running pod. */}}
{{- define "theeye-exporter.volumes" -}}
{{- $name := include "theeye-exporter.fullname" . -}}
- name: config
  {{- with .Values.configFile.existingSecret.name }}
  secret:
    secretName: {{ . | quote }}
    defaultMode: {{ include "theeye-exporter.secretMode" $ }}
  {{- else }}
  configMap:
    name: {{ $name }}
  {{- end }}
{{- with include "theeye-exporter.tokenSources" . }}
- name: tokens
  projected:
    defaultMode: {{ include "theeye-exporter.secretMode" $ }}
    sources:
      {{- . | trim | nindent 6 }}
{{- end }}
{{- with .Values.organizationFiles.existingSecret }}
- name: organizations
  secret:
    secretName: {{ . | quote }}
    defaultMode: {{ include "theeye-exporter.secretMode" $ }}
{{- end }}
{{- include "theeye-exporter.webVolumes" (dict "root" . "web" .Values.web "name" $name) }}
{{- if and .Values.persistence.enabled .Values.persistence.existingClaim }}
- name: state
  persistentVolumeClaim:
    claimName: {{ .Values.persistence.existingClaim | quote }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Mode of files from Secrets. With fsGroup, they belong to its group, which may read them. Without it, they belong to root, so everybody may read them. */}}
{{- define "theeye-exporter.secretMode" -}}
{{- ternary "0440" "0444" (hasKey .Values.podSecurityContext "fsGroup") }}
{{- end }}

{{/* The Secrets with tokens, each token as one file. Empty: all tokens come from elsewhere. */}}
{{- define "theeye-exporter.tokenSources" -}}
{{- range (include "theeye-exporter.organizations" . | fromJson).organizations }}
{{- if not .token_file }}
- secret:
    {{- $file := include "theeye-exporter.tokenKey" .name }}
    name: {{ ternary (dig "existingSecret" "name" "" .) (printf "%s-tokens" (include "theeye-exporter.fullname" $)) (hasKey . "existingSecret") | quote }}
    items:
      - key: {{ ternary (dig "existingSecret" "key" "token" .) $file (hasKey . "existingSecret") | quote }}
        path: {{ $file | quote }}
{{- end }}
{{- end }}
{{- end }}
