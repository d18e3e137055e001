{{/* What several parts of the chart need. */}}

{{- define "store-plugin.name" -}}
{{- .Values.fullnameOverride | default (.Release.Name | trunc 40 | trimSuffix "-") }}
{{- end }}

{{/* Of a part, a dictionary of `root` and `part`, and of labels that are `more`, which may be left out. */}}
{{- define "store-plugin.selector" -}}
{{- $own := dict "app.kubernetes.io/name" "store-plugin" "app.kubernetes.io/instance" .root.Release.Name "app.kubernetes.io/component" .part -}}
{{- merge $own (.more | default dict) | toYaml }}
{{- end }}

{{/* As the selector, with labels that nothing is chosen by. Those of the user never take the place of ours. */}}
{{- define "store-plugin.labels" -}}
{{- $own := include "store-plugin.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- merge $own (.root.Values.labels | default dict) | toYaml }}
{{- end }}

{{/*
What the templates of store-plugin-sidecar take: the values of all sidecars with what a part changes in
them. A dictionary of `root` and `changes`.
*/}}
{{- define "store-plugin.sidecarWith" -}}
{{- $values := deepCopy .root.Values.sidecar -}}
{{- range compact .changes }}
{{- $values = mergeOverwrite $values (deepCopy .) -}}
{{- end }}
{{- $values = set $values "image" (include "store-plugin.image" . | fromYaml) -}}
{{- include "store-plugin.dropNulls" $values -}}
{{- dict "values" $values "version" .root.Chart.AppVersion "kubeVersion" .root.Capabilities.KubeVersion.Version | toYaml }}
{{- end }}

{{/*
The image of the chart, with what `sidecar` and then a part say of it: a dictionary of `root` and `changes`.
A digest is that of one image, so it is left behind by who names another repository or tag.
*/}}
{{- define "store-plugin.image" -}}
{{- $image := deepCopy .root.Values.image -}}
{{- $said := dict -}}
{{- range $field, $value := .root.Values.sidecar.image }}
{{- if $value }}
{{- $_ := set $said $field $value -}}
{{- end }}
{{- end }}
{{- range prepend (compact .changes) (dict "image" $said) }}
{{- $own := .image | default dict -}}
{{- if and (or (hasKey $own "repository") (hasKey $own "tag")) (not (hasKey $own "digest")) }}
{{- $_ := unset $image "digest" -}}
{{- end }}
{{- $image = mergeOverwrite $image (deepCopy $own) -}}
{{- end }}
{{- toYaml $image }}
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
{{- include "store-plugin.account" (dict "of" .Values.standalone "path" "standalone" "name" (include "store-plugin.name" .)) }}
{{- end }}

{{- define "store-plugin.publisherAccount" -}}
{{- include "store-plugin.account" (dict "of" .Values.publisher "path" "publisher" "name" (printf "%s-publisher" (include "store-plugin.name" .))) }}
{{- end }}

{{/* The name of a part's ServiceAccount: the values `of` the part, their `path`, and the `name` it has by itself. */}}
{{- define "store-plugin.account" -}}
{{- $account := .of.serviceAccount -}}
{{- if $account.create -}}
{{ $account.name | default .name }}
{{- else -}}
{{ $account.name | required (printf "%s.serviceAccount.name is empty: name the ServiceAccount, or let it be made with %s.serviceAccount.create=true" .path .path) }}
{{- end }}
{{- end }}

{{/* Where Pods run: of the values of a part. */}}
{{- define "store-plugin.placement" -}}
{{- $part := . -}}
{{- $found := dict -}}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $part $field }}
{{- $_ := set $found $field . }}
{{- end }}
{{- end }}
{{- if $found }}
{{- toYaml $found }}
{{- end }}
{{- end }}
