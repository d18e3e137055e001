{{/*
Any value as an expression of CEL. Members of a list or map of one literal must have one type there, so
each is dyn. A string of JSON is a string of CEL.
*/}}
{{- define "store-plugin.cel" -}}
{{- if kindIs "map" . -}}
{
{{- range $index, $key := keys . | sortAlpha -}}
{{- if $index }}, {{ end }}{{ $key | toJson }}: dyn({{ include "store-plugin.cel" (get $ $key) }})
{{- end -}}
}
{{- else if kindIs "slice" . -}}
[
{{- range $index, $value := . -}}
{{- if $index }}, {{ end }}dyn({{ include "store-plugin.cel" $value }})
{{- end -}}
]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

{{/* Patches that add values to a list of the Pod: a dictionary of `field`, `at` (0 or -) and `values`. */}}
{{- define "store-plugin.cel.add" -}}
{{- $path := printf "/spec/%s" .field -}}
(has(object.spec.{{ .field }}) ? [] : [JSONPatch{op: "add", path: {{ $path | quote }}, value: []}])
{{- range .values }} + [JSONPatch{op: "add", path: "{{ $path }}/{{ $.at }}", value: {{ include "store-plugin.cel" . }}}]
{{- end }}
{{- end }}
