// Package ext is where other editions of Traefik add to its dynamic configuration. The module of that name is only
// found inside Traefik's repository, not in its published module; what it holds there is these two empty types.
package ext

// HTTP adds nothing.
type HTTP struct{}

// Router adds nothing.
type Router struct{}
