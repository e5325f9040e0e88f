package network

import (
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"

	"bottlebar.app/internal/companyproxy"
)

func TestProxiesAreReadAsTheSystemPrintsThem(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want Settings
	}{
		"none": {"<dictionary> {\n  ExceptionsList : <array> {\n    0 : *.local\n    1 : 169.254/16\n  }\n  FTPPassive : 1\n}\n", Settings{}},
		"a company's": {`<dictionary> {
  ExceptionsList : <array> {
    0 : *.local
    1 : 169.254/16
    2 : 10/8
    3 : git.corp.example
    4 : fd00::/8
    5 : nonsense/99
  }
  ExcludeSimpleHostnames : 1
  FTPPassive : 1
  HTTPEnable : 1
  HTTPPort : 8080
  HTTPProxy : proxy.corp.example
  HTTPSEnable : 1
  HTTPSPort : 8443
  HTTPSProxy : proxy.corp.example
  ProxyAutoConfigEnable : 0
  SOCKSEnable : 0
  __SCOPED__ : <dictionary> {
    en0 : <dictionary> {
      ExceptionsList : <array> {
        0 : scoped.example
      }
      HTTPSEnable : 1
      HTTPSPort : 1
      HTTPSProxy : other.example
    }
  }
}
`, Settings{Proxy: "http://proxy.corp.example:8443", Direct: []string{"*.local", "169.254.0.0/16", "10.0.0.0/8", "git.corp.example", "fd00::/8", Simple}}},
		"off":            {"<dictionary> {\n  HTTPSEnable : 0\n  HTTPSPort : 8443\n  HTTPSProxy : proxy.corp.example\n}\n", Settings{}},
		"a script":       {"<dictionary> {\n  ProxyAutoConfigEnable : 1\n  ProxyAutoConfigURLString : http://wpad.corp.example/proxy.pac\n}\n", Settings{Script: true}},
		"no port":        {"<dictionary> {\n  HTTPSEnable : 1\n  HTTPSProxy : fd00::7\n}\n", Settings{Proxy: "http://[fd00::7]:443"}},
		"cut":            {"<dictionary> {\n  ExceptionsList : <array> {\n    0 : *.lo", Settings{}},
		"no dictionary":  {"No such key\n", Settings{}},
		"braces, lonely": {"}\n}\n{\n{\n", Settings{}},
	} {
		if got := ParseScutil(c.text); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func FuzzScutil(f *testing.F) {
	f.Add("<dictionary> {\n  HTTPSEnable : 1\n  HTTPSProxy : a\n  ExceptionsList : <array> {\n    0 : 169.254/16\n  }\n}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := ParseScutil(text)
		if len(s.Direct) > maxDirect+1 || (s.Proxy != "" && !strings.HasPrefix(s.Proxy, "http://")) {
			t.Fatalf("%+v", s)
		}
	})
}

func TestOnlyTrustedRootsAreTaken(t *testing.T) {
	ca, err := companyproxy.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	other, err := companyproxy.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue("server.example")
	if err != nil {
		t.Fatal(err)
	}
	server := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}))
	b, _ := pem.Decode([]byte(other.Root))
	got, n := Roots([]byte("words\n"+ca.Root+server+ca.Root+other.Root+"-----BEGIN CERTIFICATE-----\nbroken"), func(c *x509.Certificate) bool {
		return string(c.Raw) != string(b.Bytes)
	})
	if got != ca.Root || n != 1 {
		t.Errorf("%d: %s", n, got)
	}
}
