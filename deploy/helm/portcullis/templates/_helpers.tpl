{{/* Names, labels, and what is computed from the configuration. */}}

{{- define "portcullis.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "portcullis.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 57 | trimSuffix "-" }}
{{- else if contains (include "portcullis.name" .) .Release.Name }}
{{- .Release.Name | trunc 57 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "portcullis.name" .) | trunc 57 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "portcullis.selector" -}}
app.kubernetes.io/name: {{ include "portcullis.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "portcullis.labels" -}}
{{ include "portcullis.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "portcullis.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "portcullis.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "portcullis.fullname" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{/* The port at the end of an address. */}}
{{- define "portcullis.port" -}}
{{- regexFind "[0-9]+$" . }}
{{- end }}

{{/* A duration of the configuration, in whole seconds. */}}
{{- define "portcullis.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if eq $unit "s" }}{{ $number }}{{ else if eq $unit "m" }}{{ mul $number 60 }}{{ else }}{{ fail (printf "%s: write it in seconds or minutes, as 30s or 1m" .) }}{{ end }}
{{- end }}

{{/* How long a gateway may take to end: it goes on for drain.delay, then finishes what is under way, then writes what it has counted. */}}
{{- define "portcullis.grace" -}}
{{- $drain := default dict .Values.config.drain -}}
{{- add (include "portcullis.seconds" (default "0s" $drain.delay)) (include "portcullis.seconds" (default "30s" $drain.timeout)) 15 }}
{{- end }}
