package sidecar

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// maxContextFile bounds Docker's own files, which hold a few lines.
const maxContextFile = 1 << 20

func (o FindOptions) dockerFolder() string {
	if d := o.env("DOCKER_CONFIG"); d != "" {
		return d
	}
	return filepath.Join(o.Home, ".docker")
}

// currentContext is the context that `docker context use` chose; empty
// without a file, or with one that cannot be read.
func (o FindOptions) currentContext() string {
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	if readJSON(filepath.Join(o.dockerFolder(), "config.json"), &config) != nil {
		return ""
	}
	return config.CurrentContext
}

// contextHost reads the host of a context. They lie in folders that are named
// by the digest of the context's name.
func (o FindOptions) contextHost(name string) (string, error) {
	sum := sha256.Sum256([]byte(name))
	path := filepath.Join(o.dockerFolder(), "contexts", "meta", hex.EncodeToString(sum[:]), "meta.json")
	var meta struct {
		Endpoints map[string]struct {
			Host string
		}
	}
	if err := readJSON(path, &meta); err != nil {
		return "", &ContextError{Name: clean(name), Err: err}
	}
	host := meta.Endpoints["docker"].Host
	if host == "" {
		return "", &ContextError{Name: clean(name), Err: errors.New("it names no engine")}
	}
	return host, nil
}

func readJSON(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return json.NewDecoder(io.LimitReader(f, maxContextFile)).Decode(v)
}
