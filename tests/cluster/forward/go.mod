module certwright.dev/certwright/tests/cluster/forward

go 1.25.0
