package sidecar

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
)

const (
	// DefaultSubnet is the pool that the sidecars' networks are cut from. An
	// engine's own pools hold about thirty networks; explicit ones have no
	// such limit.
	DefaultSubnet = "10.231.0.0/16"
	// spareSubnet is used where something on this computer routes all of the
	// first pool, as some VPNs do.
	spareSubnet = "172.29.0.0/16"
	netBits     = 28
	maxTries    = 16
)

// SubnetError means that no piece of the pool is free.
type SubnetError struct{ Pool string }

func (e *SubnetError) Error() string {
	return fmt.Sprintf("no free network for the sidecar in %s: %s", e.Pool, e.Cure())
}

// Cure names the setting.
func (e *SubnetError) Cure() string {
	return "set sidecar.subnet to a range that this computer does not use"
}

// candidates returns up to maxTries networks of pool for id, in the order in
// which they are tried, without those that overlap a route of this computer.
// If that leaves none, the spare pool is used the same way.
func candidates(id string, pool netip.Prefix, routed []netip.Prefix) []netip.Prefix {
	spare := netip.MustParsePrefix(spareSubnet)
	for _, p := range []netip.Prefix{pool.Masked(), spare} {
		if out := cut28(id, p, routed); len(out) > 0 {
			return out
		}
	}
	return nil
}

func cut28(id string, pool netip.Prefix, routed []netip.Prefix) []netip.Prefix {
	count := uint32(1) << (netBits - pool.Bits())
	h := fnv.New32a()
	h.Write([]byte(id))
	start := h.Sum32() % count
	base := pool.Addr().As4()
	var out []netip.Prefix
	for i := range min(uint32(maxTries*4), count) {
		var b [4]byte
		index := (start + i) % count
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(base[:])+index<<(32-netBits))
		p := netip.PrefixFrom(netip.AddrFrom4(b), netBits)
		if !overlaps(p, routed) {
			out = append(out, p)
		}
		if len(out) == maxTries {
			break
		}
	}
	return out
}

func overlaps(p netip.Prefix, list []netip.Prefix) bool {
	for _, q := range list {
		if p.Overlaps(q) {
			return true
		}
	}
	return false
}

// parsePool reads the setting.
func parsePool(s string) (netip.Prefix, error) {
	if s == "" {
		s = DefaultSubnet
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() || p.Bits() > netBits || p.Bits() < 8 {
		return netip.Prefix{}, fmt.Errorf("the range for the sidecars' networks, %q, is not one: write it as %s", s, DefaultSubnet)
	}
	return p.Masked(), nil
}

// ownPrefixes are the networks of this computer's interfaces.
func ownPrefixes() []netip.Prefix {
	var out []netip.Prefix
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// createNetwork makes the bridge of one sidecar.
func createNetwork(ctx context.Context, cli *client.Client, name, id string, pool netip.Prefix, labels map[string]string) (string, error) {
	routed := append(routes(), ownPrefixes()...)
	for _, p := range candidates(id, pool, routed) {
		resp, err := cli.NetworkCreate(ctx, name, network.CreateOptions{
			Driver: "bridge",
			IPAM: &network.IPAM{Config: []network.IPAMConfig{
				{Subnet: p.String(), Gateway: p.Addr().Next().String()},
			}},
			// Nobody else stands in this network; if somebody came, they would not
			// reach each other.
			Options: map[string]string{"com.docker.network.bridge.enable_icc": "false"},
			Labels:  labels,
		})
		if err == nil {
			return resp.ID, nil
		}
		if !taken(err) {
			return "", fmt.Errorf("making the sidecar's network: %w", err)
		}
	}
	return "", &SubnetError{Pool: pool.String()}
}

// taken reports whether an engine refused a subnet because somebody has it;
// engines say so in words only.
func taken(err error) bool {
	text := strings.ToLower(err.Error())
	return !errors.Is(err, context.Canceled) && (strings.Contains(text, "overlap") || strings.Contains(text, "already used") ||
		strings.Contains(text, "conflicts with network"))
}
