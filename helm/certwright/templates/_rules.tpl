{{/* Our own kinds that live in a namespace, the Events about them, and whether that namespace is being deleted. */}}
{{- define "certwright.rules.certificates" -}}
- apiGroups: [{{ .Values.apiGroup }}]
  resources: [certificates, issuers]
  verbs: [get, list, watch]
- apiGroups: [{{ .Values.apiGroup }}]
  resources: [certificates/status, issuers/status]
  verbs: [patch]
# Only used where the cluster enforces owner references' permissions, as OpenShift does.
- apiGroups: [{{ .Values.apiGroup }}]
  resources: [certificates/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{ include "certwright.rules.events" . }}
{{- end -}}

{{- define "certwright.rules.events" -}}
- apiGroups: [""]
  resources: [events]
  verbs: [get, create, patch]
{{- end -}}

{{/* ClusterIssuers. */}}
{{- define "certwright.rules.clusterIssuers" -}}
- apiGroups: [{{ .Values.apiGroup }}]
  resources: [clusterissuers]
  verbs: [get, list, watch]
- apiGroups: [{{ .Values.apiGroup }}]
  resources: [clusterissuers/status]
  verbs: [patch]
{{- end -}}

{{/*
Secrets. The operator lists and watches labelled ones only and reads others by name, but a rule can tell neither labels
nor names that are not known beforehand.
*/}}
{{- define "certwright.rules.secrets" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
{{- end -}}

{{/* Secrets of ClusterIssuers: accounts' keys, which are made where there are none, and credentials. */}}
{{- define "certwright.rules.clusterIssuerSecrets" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create]
{{- end -}}

{{/* The Lease by which replicas agree; a rule cannot name what is yet to be created. */}}
{{- define "certwright.rules.lease" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [certwright]
  verbs: [get, update]
{{- end -}}

{{/* What the HTTP-01 solver makes, for as long as an order takes, and what it looks at. */}}
{{- define "certwright.rules.http01" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, create, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [create, delete]
# Update is for an Ingress that an issuer names.
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, create, update, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [create, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways]
  verbs: [get]
{{- end -}}

{{/* Ingress classes, which are of no namespace: their controllers want different types of paths. */}}
{{- define "certwright.rules.ingressClasses" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [get]
{{- end -}}

{{/* A ClusterRole and its binding. Takes a dict of root, part and rules. */}}
{{- define "certwright.clusterRole" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ include "certwright.fullname" .root }}-{{ .part }}
  labels:
    {{- include "certwright.labels" .root | nindent 4 }}
rules:
  {{- join "\n" .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ include "certwright.fullname" .root }}-{{ .part }}
  labels:
    {{- include "certwright.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ include "certwright.fullname" .root }}-{{ .part }}
subjects:
  {{- include "certwright.subject" .root | nindent 2 }}
{{- end -}}

{{/* A Role and its binding. Takes a dict of root, namespace, part and rules. */}}
{{- define "certwright.role" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ include "certwright.fullname" .root }}-{{ .part }}
  namespace: {{ .namespace | quote }}
  labels:
    {{- include "certwright.labels" .root | nindent 4 }}
rules:
  {{- join "\n" .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "certwright.fullname" .root }}-{{ .part }}
  namespace: {{ .namespace | quote }}
  labels:
    {{- include "certwright.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "certwright.fullname" .root }}-{{ .part }}
subjects:
  {{- include "certwright.subject" .root | nindent 2 }}
{{- end -}}

{{- define "certwright.subject" -}}
- kind: ServiceAccount
  name: {{ include "certwright.serviceAccount" . }}
  namespace: {{ .Release.Namespace | quote }}
{{- end -}}
