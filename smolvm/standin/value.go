//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// check returns why a value is refused by the argument parser.
func (p *parser) check(f flag, v string) string {
	switch f.long {
	case "cpus":
		if n, err := strconv.ParseUint(v, 10, 64); err != nil {
			return "invalid digit found in string"
		} else if n > 255 {
			return v + " is not in 0..=255"
		}
	case "mem", "storage", "overlay", "uid", "gid", "limit", "keep":
		if _, err := strconv.ParseUint(v, 10, 32); err != nil {
			return "invalid digit found in string"
		}
	case "allow-cidr":
		if _, err := netip.ParsePrefix(v); err != nil {
			if _, err := netip.ParseAddr(v); err != nil {
				return fmt.Sprintf("invalid CIDR '%s': expected format like 10.0.0.0/8 or 1.1.1.1", v)
			}
		}
	case "port":
		return checkPort(v)
	case "timeout":
		_, why := duration(v)
		return why
	}
	return ""
}

func checkPort(v string) string {
	host, guest, ok := strings.Cut(v, ":")
	if !ok {
		return "invalid port mapping: expected HOST:GUEST"
	}
	for side, s := range map[string]string{"host": host, "guest": guest} {
		if n, err := strconv.ParseUint(s, 10, 16); err != nil || n == 0 {
			return fmt.Sprintf("invalid %s port: %s", side, s)
		}
	}
	return ""
}

// duration reads "500ms", "30s", "5m", "1h 30m"; units have long forms too.
func duration(v string) (time.Duration, string) {
	units := map[string]time.Duration{
		"ms": time.Millisecond, "msec": time.Millisecond, "s": time.Second, "sec": time.Second, "secs": time.Second,
		"m": time.Minute, "min": time.Minute, "mins": time.Minute, "h": time.Hour, "hr": time.Hour, "d": 24 * time.Hour,
	}
	var total time.Duration
	s := strings.TrimSpace(v)
	if s == "" {
		return 0, "value was empty"
	}
	for s != "" {
		i := strings.IndexFunc(s, func(c rune) bool { return c < '0' || c > '9' })
		if i == 0 {
			return 0, "expected number at 0"
		}
		if i < 0 {
			return 0, fmt.Sprintf("time unit needed, for example %ssec or %sms", s, s)
		}
		n, err := strconv.ParseInt(s[:i], 10, 32)
		if err != nil {
			return 0, "number is too large"
		}
		rest := strings.TrimLeft(s[i:], " ")
		j := strings.IndexFunc(rest, func(c rune) bool { return c < 'a' || c > 'z' })
		if j < 0 {
			j = len(rest)
		}
		u, ok := units[rest[:j]]
		if !ok {
			return 0, fmt.Sprintf("unknown time unit %q", rest[:j])
		}
		total += time.Duration(n) * u
		s = strings.TrimSpace(rest[j:])
	}
	if total == 0 {
		return 0, "timeout must be greater than 0 (e.g., 5sec, 30s)"
	}
	return total, ""
}
