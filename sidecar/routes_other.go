//go:build !linux

package sidecar

import "net/netip"

// routes is empty here: the interfaces' own networks are what is looked at.
func routes() []netip.Prefix { return nil }
