// Package dns is a stub: Traefik imports every DNS provider that lego has, and with them the SDKs of all the clouds.
// What is served here gets its certificates elsewhere.
package dns

import (
	"errors"

	"github.com/go-acme/lego/v5/challenge"
)

// NewDNSChallengeProviderByName knows no provider.
func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, errors.New("built without DNS providers, " + name + " among them")
}
