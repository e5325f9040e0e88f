package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// engine is a container engine, asked over its socket. The show only looks at it.
type engine struct {
	client *http.Client
}

// findEngine returns the engine that answers, or nil.
func findEngine(ctx context.Context) *engine {
	socket, given := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if !given {
		socket = "/var/run/docker.sock"
	}
	e := &engine{&http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}}
	if err := e.get(ctx, "/_ping", nil); err != nil {
		return nil
	}
	return e
}

// get reads the answer to a question as JSON into v, unless v is nil.
func (e *engine) get(ctx context.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine"+path, nil)
	if err != nil {
		return err
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the engine answers %s to %s", resp.Status, path)
	}
	if v == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// object is a container or a network.
type object struct {
	ID     string `json:"Id"`
	Labels map[string]string
}

// labelled lists the containers and networks that carry a label: a name, or a
// name and a value as "name=value".
func (e *engine) labelled(ctx context.Context, label string) ([]object, error) {
	filter := url.QueryEscape(`{"label":["` + label + `"]}`)
	var containers, networks []object
	if err := e.get(ctx, "/containers/json?all=1&filters="+filter, &containers); err != nil {
		return nil, err
	}
	if err := e.get(ctx, "/networks?filters="+filter, &networks); err != nil {
		return nil, err
	}
	return append(containers, networks...), nil
}
