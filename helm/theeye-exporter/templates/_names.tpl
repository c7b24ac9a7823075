{{/* Text cut to a length. If it is cut, it ends with a hash of the whole text, so that long names stay different. (list TEXT LENGTH) */}}
{{- define "theeye-exporter.cut" -}}
{{- $text := index . 0 }}
{{- $length := index . 1 | int }}
{{- if gt (len $text) $length }}
{{- printf "%s-%s" ($text | trunc (sub $length 9 | int) | trimSuffix "-") ($text | sha256sum | trunc 8) }}
{{- else }}
{{- $text }}
{{- end }}
{{- end }}

{{/* Name of the objects. 52 characters: a StatefulSet puts eleven more into a label of its pods. */}}
{{- define "theeye-exporter.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- include "theeye-exporter.cut" (list (.Values.fullnameOverride | default $full | replace "." "-") 52) }}
{{- end }}

{{- define "theeye-exporter.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{- define "theeye-exporter.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "theeye-exporter.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "theeye-exporter.image" -}}
{{- with .Values.image }}
{{- with $.Values.global.imageRegistry | default .registry }}{{ . }}/{{ end }}
{{- if .digest }}
{{- .repository }}{{ with .tag }}:{{ . }}{{ end }}@{{ .digest }}
{{- else }}
{{- .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/* Labels that select the pods of this release. Never change them: Kubernetes refuses to change selectors. */}}
{{- define "theeye-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "theeye-exporter.cut" (list (.Values.nameOverride | default .Chart.Name) 63) }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: exporter
{{- end }}

{{/* Labels of an object. (dict "root" $ "more" LABELS) */}}
{{- define "theeye-exporter.labels" -}}
{{- $root := .root }}
{{- $own := include "theeye-exporter.selectorLabels" $root | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $_ := set $own "app.kubernetes.io/part-of" "theeye-exporter" }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- mergeOverwrite (deepCopy $root.Values.commonLabels) (deepCopy (.more | default dict)) $own | toYaml }}
{{- end }}

{{/* Labels of a pod. (dict "root" $ "more" LABELS "selector" LABELS-THAT-SELECT-IT) */}}
{{- define "theeye-exporter.podLabels" -}}
{{- $own := mergeOverwrite (.selector | fromYaml) (dict "app.kubernetes.io/part-of" "theeye-exporter") }}
{{- mergeOverwrite (deepCopy .root.Values.commonLabels) (deepCopy (.more | default dict)) $own | toYaml }}
{{- end }}

{{/* The metadata of an object. (dict "root" $ "name" NAME "namespace" NAMESPACE "labels" LABELS "annotations" ANNOTATIONS) */}}
{{- define "theeye-exporter.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default (include "theeye-exporter.namespace" .root) }}
labels:
  {{- include "theeye-exporter.labels" (dict "root" .root "more" .labels) | nindent 2 }}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (deepCopy (.annotations | default dict)) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
