{{/* What the hub adds to the standalone Deployment. */}}

{{/* A dictionary of `root`, and the `address` to listen at. */}}
{{- define "store-plugin.hub.args" -}}
{{- $hub := .root.Values.hub -}}
- --hub-auth={{ $hub.auth }}
{{- if eq $hub.auth "rbac-proxy" }}
- --hub-listen=127.0.0.1:{{ $hub.proxy.upstreamPort }}
{{- else }}
- {{ printf "--hub-listen=%s:%v" .address $hub.port | quote }}
- --hub-certs-dir=/hub-certs
{{- end }}
- {{ printf "--hub-audience=%s" $hub.audience | quote }}
- --hub-namespace={{ .root.Release.Namespace }}
{{- range $hub.pluginGroups }}
- --hub-plugin-groups={{ . }}
{{- end }}
{{- end }}

{{/* Which Pod this is, for Events of plugins. */}}
{{- define "store-plugin.hub.env" -}}
{{- range $variable, $field := dict "NAME" "name" "NAMESPACE" "namespace" "UID" "uid" }}
- name: STORE_PLUGIN_POD_{{ $variable }}
  valueFrom:
    fieldRef:
      fieldPath: metadata.{{ $field }}
{{- end }}
{{- end }}

{{- define "store-plugin.hub.mounts" -}}
- name: store-plugin-hub-certs
  mountPath: /hub-certs
  readOnly: true
{{- end }}

{{- define "store-plugin.hub.volumes" -}}
- name: store-plugin-hub-certs
  secret:
    secretName: {{ .Values.hub.certsSecret | quote }}
{{- end }}

{{/* As the options. Those of the proxy were measured: without HTTP/2 upstream, audiences or header fields nobody comes in. */}}
{{- define "store-plugin.hub.proxy" -}}
{{- $hub := .root.Values.hub -}}
- name: kube-rbac-proxy
  image: {{ $hub.proxy.image | required "hub.proxy.image is empty: name the image of kube-rbac-proxy, or take hub.auth=tokenreview" | quote }}
  args:
    - {{ printf "--secure-listen-address=%s:%v" .address $hub.port | quote }}
    - --tls-cert-file=/hub-certs/tls.crt
    - --tls-private-key-file=/hub-certs/tls.key
    - --upstream=http://127.0.0.1:{{ $hub.proxy.upstreamPort }}/
    - --upstream-force-h2c
    - {{ printf "--auth-token-audiences=%s" $hub.audience | quote }}
    - --auth-header-fields-enabled
    - --allow-paths=/pluginframework.v1.PluginFrameworkService/*,/grpc.health.v1.Health/Check
  {{- with $hub.proxy.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  volumeMounts:
    - name: store-plugin-api
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
    {{- include "store-plugin.hub.mounts" .root | nindent 4 }}
{{- end }}

{{/* Who may connect, as peers of a NetworkPolicy. */}}
{{- define "store-plugin.hub.peers" -}}
{{- if .Values.plugins }}
- podSelector:
    matchLabels:
      {{- include "store-plugin.selector" (dict "root" . "part" "plugin") | nindent 6 }}
{{- end }}
{{- with .Values.hub.from }}
{{ toYaml . }}
{{- end }}
{{- end }}
