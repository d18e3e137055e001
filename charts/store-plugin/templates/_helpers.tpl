{{/* What several parts of the chart need. */}}

{{- define "store-plugin.name" -}}
{{- .Values.fullnameOverride | default (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- end }}

{{/* Of a part, a dictionary of `root` and `part`. */}}
{{- define "store-plugin.selector" -}}
app.kubernetes.io/name: store-plugin
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "store-plugin.labels" -}}
{{ include "store-plugin.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
What the templates of store-plugin-sidecar take: the values of all sidecars with what a part changes in
them. A dictionary of `root` and `changes`; the image of the chart, unless the sidecar has its own.
*/}}
{{- define "store-plugin.sidecarWith" -}}
{{- $values := deepCopy .root.Values.sidecar -}}
{{- range .changes }}
{{- $values = mergeOverwrite $values (deepCopy .) -}}
{{- end }}
{{- include "store-plugin.dropNulls" $values -}}
{{- if not $values.image.repository }}
{{- $values = set $values "image" (deepCopy .root.Values.image) -}}
{{- end }}
{{- dict "values" $values "version" .root.Chart.AppVersion "kubeVersion" .root.Capabilities.KubeVersion.Version | toYaml }}
{{- end }}

{{/* Take out of a dictionary, at every depth, what is null: it takes back what was said before. */}}
{{- define "store-plugin.dropNulls" -}}
{{- range $key, $value := . }}
{{- if kindIs "invalid" $value }}
{{- $_ := unset $ $key }}
{{- else if kindIs "map" $value }}
{{- include "store-plugin.dropNulls" $value }}
{{- end }}
{{- end }}
{{- end }}

{{/* The kinds of store configs, as resources of RBAC; StoreConfig is read by operators only. */}}
{{- define "store-plugin.kinds" -}}
[awsconfigs, kubernetesstoreconfigs, localconfigs, vaultconfigs]
{{- end }}

{{- define "store-plugin.standaloneAccount" -}}
{{- .Values.standalone.serviceAccount.name | default (include "store-plugin.name" .) }}
{{- end }}
