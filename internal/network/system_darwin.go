package network

import (
	"context"
	"crypto/x509"
	"os/exec"
)

// Read asks the system for its proxies. scutil(8) prints the dictionary that
// applications get.
func Read(ctx context.Context) (Settings, error) {
	out, err := exec.CommandContext(ctx, "/usr/sbin/scutil", "--proxy").Output()
	if err != nil {
		return Settings{}, err
	}
	return ParseScutil(string(out)), nil
}

// Added returns the root certificates that an administrator or a profile added
// and that this Mac trusts: those of its own keychain (security(1)), each put to
// the system's verifier, which knows the trust settings.
func Added(ctx context.Context) (pem string, n int, err error) {
	out, err := exec.CommandContext(ctx, "/usr/bin/security", "find-certificate", "-a", "-p", "/Library/Keychains/System.keychain").Output()
	if err != nil {
		return "", 0, err
	}
	pem, n = Roots(out, func(c *x509.Certificate) bool {
		// Without roots of ours Go asks Security.framework.
		_, err := c.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return err == nil
	})
	return pem, n, nil
}
