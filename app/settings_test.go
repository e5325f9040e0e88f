package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettingsThatCannotBeMeantAreToldWithTheirLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"driver = \"docker\nfoo":                                      "line 1",
		"driver = \"podman\"":                                         "neither docker nor process",
		"hop = \"tcp\"":                                               "neither ssh-agent nor mount-socket",
		"[[host]]\nport = 80":                                         "without a name",
		"[[host]]\nname = \"a.example\"\nport = 70000":                "port 70000",
		"[[host]]\nname = \"*.example.com\"\nprivate = true":          "exact name",
		"[[host]]\nname = \"http://a.example/\"":                      "not a host name",
		"[[host]]\nname = \"*.com\"":                                  "too wide",
		"[[host]]\nname = \"127.0.0.1\"\nport = 80\nprivate=true":     "never reached",
		"[[host]]\nname = \"169.254.169.254\"\nport=80\nprivate=true": "never reached",
		"[[host]]\nname = \"10.1.2.3\"\nport = 80":                    "private address",
	} {
		path := filepath.Join(t.TempDir(), "settings.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readSettings(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want %q and the file's path", text, err, want)
		}
	}
}

func TestUnknownSettingsStayInTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "settings.toml")
	text := "later = 1\n[[host]]\nname = \"git.corp.example\"\nport = 443\nprivate = true\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := readSettings(path)
	if err != nil || len(s.rules()) != 1 || !s.rules()[0].Private {
		t.Errorf("%+v, %v", s, err)
	}
	if b, _ := os.ReadFile(path); string(b) != text {
		t.Errorf("the file is now %q", b)
	}
}

func TestOptionIsMetaFollowsTheFileAtOnce(t *testing.T) {
	t.Parallel()
	a := &App{paths: Paths{Settings: filepath.Join(t.TempDir(), "settings.toml")}}
	if a.OptionIsMeta() {
		t.Error("Option is Meta though nobody said so")
	}
	template, err := os.ReadFile(a.paths.Settings)
	if err != nil || !strings.Contains(string(template), "# option_is_meta = true\n") {
		t.Fatalf("the template does not name it: %v", err)
	}
	for _, want := range []bool{true, false} {
		text := template
		if want {
			text = []byte(strings.Replace(string(template), "# option_is_meta", "option_is_meta", 1))
		}
		if err := os.WriteFile(a.paths.Settings, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := a.OptionIsMeta(); got != want {
			t.Errorf("the file says %v, the app %v", want, got)
		}
	}
}
