{{/* Roles and their bindings. An account is a dictionary of `namespace` and `serviceAccount`. */}}

{{/*
A role: `root`, `part`, `name`, `namespace` (left out: of the whole cluster) and `rules`, a text. With
`accounts` its binding too; with `role` only a binding, to that ClusterRole.
*/}}
{{- define "store-plugin.role" -}}
{{- $kind := ternary "Role" "ClusterRole" (hasKey . "namespace") -}}
{{- if .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  {{- include "store-plugin.metadata" . | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
{{- end }}
{{- if .accounts }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  {{- include "store-plugin.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .role | default .name | quote }}
subjects:
  {{- range .accounts }}
  {{- if eq .serviceAccount "*" }}
  - kind: Group
    apiGroup: rbac.authorization.k8s.io
    name: "system:serviceaccounts:{{ .namespace }}"
  {{- else }}
  - kind: ServiceAccount
    namespace: {{ .namespace | quote }}
    name: {{ .serviceAccount | quote }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Of an object: `root`, `part`, `name`, and `namespace` where it is in one. */}}
{{- define "store-plugin.metadata" -}}
{{- with .namespace -}}
namespace: {{ . | quote }}
{{ end -}}
name: {{ .name | quote }}
labels:
  {{- include "store-plugin.labels" . | nindent 2 }}
{{- end }}
