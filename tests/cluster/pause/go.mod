module certwright.dev/certwright/tests/cluster/pause

go 1.25.0
