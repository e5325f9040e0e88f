package network

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Settings are the computer's own about proxies. The zero value is none.
type Settings struct {
	Proxy  string   // "http://host:port" for what goes by TLS; empty: none
	Direct []string // hosts that are reached without it, as egress.Way has them
	Script bool     // a proxy is chosen by a script or found by itself (PAC, WPAD), which only browsers run
}

// Simple stands among Direct for every name without a dot.
const Simple = "<local>"

// maxDirect bounds a list that a profile of the company may have filled.
const maxDirect = 500

// ParseScutil reads what `scutil --proxy` prints: the dictionary that
// CFNetworkCopySystemProxySettings returns (keys in SCSchemaDefinitions.h), one
// "key : value" a line. Dictionaries inside it speak of single interfaces and
// are passed over, as is whatever is not known.
func ParseScutil(text string) Settings {
	values, exceptions := dictionary(text)
	var s Settings
	s.Script = values["ProxyAutoConfigEnable"] == "1" || values["ProxyAutoDiscoveryEnable"] == "1"
	host, port := values["HTTPSProxy"], values["HTTPSPort"]
	if values["HTTPSEnable"] != "1" || host == "" {
		return s
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		port = "443" // what the system takes where none is given
	}
	s.Proxy = "http://" + net.JoinHostPort(strings.Trim(host, "[]"), port)
	for _, e := range exceptions {
		if d := exception(e); d != "" {
			s.Direct = append(s.Direct, d)
		}
	}
	if values["ExcludeSimpleHostnames"] == "1" {
		s.Direct = append(s.Direct, Simple)
	}
	return s
}

// dictionary reads the outermost dictionary and its list of exceptions.
func dictionary(text string) (values map[string]string, exceptions []string) {
	values = map[string]string{}
	depth, array := 0, false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, _ := strings.Cut(line, " : ")
		switch {
		case strings.HasSuffix(line, "{"):
			depth++
			array = depth == 2 && key == "ExceptionsList"
		case line == "}":
			depth--
			array = false
		case depth == 1:
			values[key] = value
		case array && len(exceptions) < maxDirect:
			exceptions = append(exceptions, value)
		}
	}
	return values, exceptions
}

// exception is one entry of the list in the form of egress.Way: macOS writes
// prefixes short, "169.254/16".
func exception(e string) string {
	e = strings.TrimSpace(e)
	addr, bits, ok := strings.Cut(e, "/")
	if !ok {
		return e
	}
	for strings.Count(addr, ".") < 3 && !strings.Contains(addr, ":") {
		addr += ".0"
	}
	if p, err := netip.ParsePrefix(addr + "/" + bits); err == nil {
		return p.Masked().String()
	}
	return ""
}
