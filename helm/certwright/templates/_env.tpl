{{/*
The settings, as environment variables: a flag in extraArgs wins over them, and `certwright` called within the pod
knows them, too.
*/}}
{{- define "certwright.env" -}}
- name: CERTWRIGHT_API_GROUP
  value: {{ .Values.apiGroup | quote }}
- name: CERTWRIGHT_CLUSTER_RESOURCE_NAMESPACE
  value: {{ include "certwright.clusterNamespace" . | quote }}
{{- with .Values.namespaces }}
- name: CERTWRIGHT_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.dns.resolvers }}
- name: CERTWRIGHT_DNS_RESOLVERS
  value: {{ join "," . | quote }}
{{- end }}
- name: CERTWRIGHT_HTTP01_SOLVER_IMAGE
  value: {{ default (include "certwright.image" .) .Values.http01.solver.image | quote }}
- name: CERTWRIGHT_HTTP01_SOLVER_IMAGE_PULL_POLICY
  value: {{ default .Values.image.pullPolicy .Values.http01.solver.pullPolicy | quote }}
- name: CERTWRIGHT_SECRET_OWNER_REFERENCE
  value: {{ .Values.secretOwnerReference | quote }}
- name: CERTWRIGHT_WORKERS
  value: {{ .Values.workers | quote }}
- name: CERTWRIGHT_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
- name: CERTWRIGHT_LOG_FORMAT
  value: {{ .Values.logFormat | quote }}
{{- with .Values.proxy }}
{{- if or .http .https }}
{{- with .http }}
- name: HTTP_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .https }}
- name: HTTPS_PROXY
  value: {{ . | quote }}
{{- end }}
- name: NO_PROXY
  # Kubernetes puts the API server's address in place of the first.
  value: {{ list "$(KUBERNETES_SERVICE_HOST)" ".svc" ".cluster.local" "localhost" "127.0.0.1" .none | compact | join "," | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The same with extraEnv, which must not say again what a value says: Kubernetes takes each name once. */}}
{{- define "certwright.allEnv" -}}
{{- $own := include "certwright.env" . | fromYamlArray -}}
{{- $names := list -}}
{{- range $own }}{{ $names = append $names .name }}{{ end -}}
{{- range .Values.extraEnv -}}
{{- if has .name $names -}}
{{- fail (printf "extraEnv: %s is made from the values of this chart, or is there twice; set the value instead" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- concat $own (default list .Values.extraEnv) | toYaml -}}
{{- end -}}
