"""Values for the chart: sets of them that it takes, and mistakes that it refuses."""

from typing import Any

THEIRS = "cert-manager.io"
MONITORED = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
#: Saves a second where the objects do not depend on the CRDs, which are long.
NO_CRDS = {"crds": {"install": False}}
#: Every value that is not as it is by default, in combinations that make sense.
SETS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "names": {
        "fullnameOverride": "ours",
        "nameOverride": "certs",
        "commonLabels": {"team": "web", "app.kubernetes.io/name": "not-this"},
        "podLabels": {"sidecar.istio.io/inject": "false", "app.kubernetes.io/instance": "not-this"},
        "podAnnotations": {"example.com/note": "true"},
        "image": {
            "repository": "registry.example.com:5000/team/certwright",
            "digest": f"sha256:{'0' * 64}",
            "pullPolicy": "Always",
        },
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccount": {"name": "certs", "annotations": {"example.com/role": "dns"}},
    },
    "settings": {
        "apiGroup": THEIRS,
        "clusterResourceNamespace": "kube-system",
        "dns": {"resolvers": ["192.0.2.1:53", "tls://192.0.2.2", "https://192.0.2.3/dns-query"]},
        "http01": {"solver": {"image": "registry.example.com/solver:1", "pullPolicy": "Never"}},
        "logLevel": "debug",
        "logFormat": "text",
        "workers": 16,
        "secretOwnerReference": True,
        "extraArgs": ["--metrics-address=[::]:9402"],
        "extraEnv": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "extraVolumes": [{"name": "scratch", "emptyDir": {"medium": "Memory"}}],
        "extraVolumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108 - a path in the pod
        "proxy": {"http": "http://192.0.2.9:3128", "https": "http://192.0.2.9:3128", "none": "10.0.0.0/8"},
    },
    "pods": {
        "replicaCount": 3,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "affinity": {"podAntiAffinity": {}},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["192.0.2.1"], "options": [{"name": "ndots", "value": "1"}]},
        "strategy": {"type": "Recreate"},
        "terminationGracePeriodSeconds": 60,
        "podDisruptionBudget": {"maxUnavailable": "50%"},
    },
    "namespaces": {"namespaces": ["team-a", "team-b"]},
    "namespaces and cluster-scoped": {"namespaces": ["team-a"], "rbac": {"clusterScoped": True}},
    "little": {
        "crds": {"install": False, "keep": False},
        "rbac": {"create": False, "aggregate": False, "http01": False},
        "serviceAccount": {"create": False, "name": "there"},
        "podDisruptionBudget": {"enabled": False},
        "metrics": {"service": {"enabled": False}},
        "topologySpreadConstraints": [],
    },
    "all around": {
        **MONITORED,
        "rbac": {"http01": False},
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443, "protocol": "TCP"}]}],
        },
        "metrics": {"service": {"port": 80, "annotations": {"prometheus.io/scrape": "true"}}},
    },
}
#: Values that are refused, and what the message says.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a typo": ({"replicaCout": 2}, "additional properties 'replicaCout' not allowed"),
    "a typo below": ({"image": {"pullpolicy": "Never"}}, "additional properties 'pullpolicy' not allowed"),
    "a wrong word": ({"logLevel": "verbose"}, "value must be one of 'debug', 'info', 'warning', 'error'"),
    "a text for a switch": ({"crds": {"keep": "yes"}}, "want boolean"),
    "too many": ({"workers": 65}, "/workers"),
    "no group": ({"apiGroup": "certs"}, "/apiGroup"),
    "no namespace": ({"namespaces": ["Team A"]}, "/namespaces/0"),
    "the same namespace twice": ({"namespaces": ["a", "a"]}, "/namespaces"),
    "resolvers in one text": ({"dns": {"resolvers": ["192.0.2.1:53,192.0.2.2:53"]}}, "/dns/resolvers/0"),
    "an argument that is no flag": ({"extraArgs": ["debug"]}, "/extraArgs/0"),
    "a wrong digest": ({"image": {"digest": "abc"}}, "/image/digest"),
    "a toleration's typo": ({"tolerations": [{"efect": "NoSchedule"}]}, "additional properties 'efect' not allowed"),
    "a setting by two ways": (
        {"extraEnv": [{"name": "CERTWRIGHT_LOG_LEVEL", "value": "debug"}]},
        "extraEnv: CERTWRIGHT_LOG_LEVEL is made from the values of this chart",
    ),
    "no account": ({"serviceAccount": {"create": False}}, "name a service account that is there"),
    "a monitor of nothing": (
        {"serviceMonitor": {"enabled": True}, "metrics": {"service": {"enabled": False}}},
        "serviceMonitor.enabled needs the Service",
    ),
}
