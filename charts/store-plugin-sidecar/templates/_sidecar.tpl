{{/*
The sidecar, written once. Charts of operators use three templates, with their own context:

  spec:
    initContainers:
      {{- include "store-plugin.sidecar" . | nindent 6 }}
    containers: …
    volumes:
      {{- include "store-plugin.sidecar.volumes" . | nindent 6 }}

and "store-plugin.sidecar.hostAliases" where `hostnames` are set. The values are those of this chart,
below store-plugin-sidecar. Templates that end in "Of" take a dictionary of `values` (all of them), `version`
and `kubeVersion`, for charts with several sidecars.
*/}}

{{- define "store-plugin.sidecar" -}}
{{- include "store-plugin.sidecar.containersOf" (include "store-plugin.sidecar.own" . | fromYaml) }}
{{- end }}

{{- define "store-plugin.sidecar.volumes" -}}
{{- include "store-plugin.sidecar.volumesOf" (include "store-plugin.sidecar.own" . | fromYaml) }}
{{- end }}

{{- define "store-plugin.sidecar.hostAliases" -}}
{{- include "store-plugin.sidecar.hostAliasesOf" (include "store-plugin.sidecar.own" . | fromYaml) }}
{{- end }}

{{- define "store-plugin.sidecar.own" -}}
{{- $chart := get .Subcharts "store-plugin-sidecar" | required "add store-plugin-sidecar to the dependencies in Chart.yaml, without an alias" -}}
{{- dict "values" (get .Values "store-plugin-sidecar") "version" $chart.Chart.AppVersion "kubeVersion" .Capabilities.KubeVersion.Version | toYaml }}
{{- end }}

{{- define "store-plugin.sidecar.image" -}}
{{- $image := .values.image -}}
{{- $repository := $image.repository | required "image.repository is empty: name the registry and repository of the store-plugin image" -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $image.tag | default .version }}
{{- end }}
{{- end }}

{{/* Listeners of one container on one port: only one of them would come up. Of the values. */}}
{{- define "store-plugin.sidecar.checkPorts" -}}
{{- $taken := dict -}}
{{- range $field := list "adminPort" "healthPort" "metricsPort" -}}
{{- $port := get $ $field | int | toString -}}
{{- if ne $port "0" -}}
{{- with get $taken $port -}}
{{- fail (printf "%s and %s are both %s: give each a port of its own" . $field $port) -}}
{{- end -}}
{{- $_ := set $taken $port $field -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A list of one container. */}}
{{- define "store-plugin.sidecar.containersOf" -}}
{{- $ := . -}}
{{- with .values -}}
{{- if and .native (semverCompare "<1.29.0-0" $.kubeVersion) -}}
{{- fail (printf "native: Kubernetes %s has no sidecars that start first, it takes 1.29; set native=false in the values of the sidecar, and include it below containers" $.kubeVersion) -}}
{{- end -}}
{{- include "store-plugin.sidecar.checkPorts" . -}}
- name: store-plugin
  image: {{ include "store-plugin.sidecar.image" $ | quote }}
  imagePullPolicy: {{ .image.pullPolicy | default "IfNotPresent" }}
  {{- if .native }}
  restartPolicy: Always
  {{- end }}
  args:
    {{- include "store-plugin.sidecar.argsOf" . | nindent 4 }}
  env:
    - name: STORE_PLUGIN_ENDPOINT
      value: {{ first .listen | quote }}
    - name: STORE_PLUGIN_POD_IP
      valueFrom:
        fieldRef:
          fieldPath: status.podIP
    - name: STORE_PLUGIN_HOST_IP
      valueFrom:
        fieldRef:
          fieldPath: status.hostIP
    {{- if .controlSocket }}
    - name: STORE_PLUGIN_CONTROL_SOCKET
      value: /tmp/control.sock
    {{- end }}
    {{- with .extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if .metricsPort }}
  ports:
    - name: store-plugin
      containerPort: {{ .metricsPort }}
  {{- end }}
  startupProbe:
    {{- include "store-plugin.sidecar.probe" (dict "path" "/readyz" "port" .healthPort "times" .probes.startup) | nindent 4 }}
  livenessProbe:
    {{- include "store-plugin.sidecar.probe" (dict "path" "/healthz" "port" .healthPort "times" .probes.liveness) | nindent 4 }}
  readinessProbe:
    {{- include "store-plugin.sidecar.probe" (dict "path" "/readyz" "port" .healthPort "times" .probes.readiness) | nindent 4 }}
  {{- with .resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - name: store-plugin-tmp
      mountPath: /tmp
    - name: store-plugin-api
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
    {{- if .certs.secretName }}
    - name: store-plugin-certs
      mountPath: /certs
      readOnly: true
    {{- end }}
    {{- if .clientToken.secretName }}
    - name: store-plugin-client-token
      mountPath: /var/run/store-plugin-client
      readOnly: true
    {{- end }}
    {{- if .tokens }}
    - name: store-plugin-tokens
      mountPath: /var/run/secrets/store-plugin
      readOnly: true
    {{- end }}
    {{- with .extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Of the values. */}}
{{- define "store-plugin.sidecar.argsOf" -}}
- serve
{{- range .listen }}
- {{ printf "--listen=%s" . | quote }}
{{- end }}
- --crds=off
- --admin-listen=127.0.0.1:{{ .adminPort }}
- {{ printf "--health-listen=%s:%v" .address .healthPort | quote }}
{{- if .metricsPort }}
- {{ printf "--metrics-listen=%s:%v" .address .metricsPort | quote }}
{{- end }}
- --shutdown-grace={{ .shutdownGrace }}
- --log-level={{ .logLevel }}
{{- if .accessLog }}
- --access-log
{{- end }}
{{- if .clientToken.secretName }}
- --client-token-file=/var/run/store-plugin-client/token
{{- end }}
{{- range .extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- define "store-plugin.sidecar.probe" -}}
httpGet:
  path: {{ .path }}
  port: {{ .port }}
{{- with .times }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
The Pod's own token is not taken: many operators switch it off (automountServiceAccountToken), and what
is the same everywhere can be tested once.
*/}}
{{- define "store-plugin.sidecar.volumesOf" -}}
{{- with .values -}}
- name: store-plugin-tmp
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
- name: store-plugin-api
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- with .certs.secretName }}
- name: store-plugin-certs
  secret:
    secretName: {{ . | quote }}
{{- end }}
{{- if .clientToken.secretName }}
- name: store-plugin-client-token
  secret:
    secretName: {{ .clientToken.secretName | quote }}
    items:
      - key: {{ .clientToken.key | quote }}
        path: token
{{- end }}
{{- with .tokens }}
- name: store-plugin-tokens
  projected:
    sources:
      {{- range . }}
      - serviceAccountToken:
          audience: {{ .audience | quote }}
          path: {{ .path | quote }}
          expirationSeconds: {{ .expirationSeconds | default 3600 }}
      {{- end }}
{{- end }}
{{- with .extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "store-plugin.sidecar.hostAliasesOf" -}}
{{- with .values.hostnames -}}
- ip: 127.0.0.1
  hostnames:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
