{{- define "trstctl.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}
{{- define "trstctl.selector" -}}
app.kubernetes.io/name: trstctl
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "trstctl.labels" -}}
{{ include "trstctl.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- /* What is behind a pod's name to make its host name. */ -}}
{{- define "trstctl.domain" -}}{{ include "trstctl.name" . }}-nodes.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}{{- end }}
{{- define "trstctl.addresses" -}}
{{- $all := list }}{{- range $i := until (int .Values.replicas) }}
{{- $all = append $all (printf "https://%s-%d.%s:8200" (include "trstctl.name" $) $i (include "trstctl.domain" $)) }}{{- end }}
{{- join "," $all }}{{- end }}
