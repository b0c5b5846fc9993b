// Command webhooksolver is cert-manager's webhook server with cert-manager's own rfc2136 solver, both unchanged: what
// everybody who writes a webhook solver builds theirs on, and a solver whose name server runs in the tests.
package main

import (
	"github.com/cert-manager/cert-manager/pkg/acme/webhook/cmd"
	"github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/rfc2136"
)

// group is set by the linker.
var group = "acme.cert-manager.example"

func main() {
	cmd.RunWebhookServer(group, rfc2136.New())
}
