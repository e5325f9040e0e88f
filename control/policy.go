package control

import (
	"context"
	"net/http"
	"time"
)

// PolicyView is a policy as it is shown.
type PolicyView struct {
	Revision uint64     `json:"revision"`
	Bottle   string     `json:"bottle,omitempty"` // whose it is; empty: what every bottle gets
	Rules    []RuleView `json:"rules"`
	// Presets are all there are, with what turned them on.
	Presets []PresetView `json:"presets"`
	// Problems are what is wrong with the files behind it.
	Problems []PolicyProblem `json:"problems,omitempty"`
	// Files are where to edit it by hand, the widest first.
	Files []PolicyFile `json:"files"`
}

// RuleView is one line of a policy.
type RuleView struct {
	Action  string   `json:"action"`         // "allow", "block", "mute"
	Host    string   `json:"host"`           // its ASCII form
	Port    int      `json:"port,omitempty"` // 0: every port
	Methods []string `json:"methods,omitempty"`
	Private bool     `json:"private,omitempty"`
	Via     string   `json:"via,omitempty"` // of an allowed one: "api route" or "connect"
	// Origin is "built in", "settings", "global", "artifact", "bottle", "once" or
	// "project".
	Origin  string     `json:"origin"`
	Preset  string     `json:"preset,omitempty"` // that it comes from
	Expires *time.Time `json:"expires,omitempty"`
	File    string     `json:"file,omitempty"`
	Line    int        `json:"line,omitempty"`
	// Overruled says why it is not in force; empty when it is.
	Overruled string `json:"overruled,omitempty"`
	Hits      int    `json:"hits"` // since the owner has had the bottle
}

// PresetView is a preset.
type PresetView struct {
	Name    string   `json:"name"`
	For     string   `json:"for"`
	LetsOut string   `json:"lets_out"`
	Hosts   []string `json:"hosts"`            // "host:port"; empty for the API's route
	Origin  string   `json:"origin,omitempty"` // what turned it on; empty: it is off
}

// PolicyProblem is something about a policy file that a person should know.
type PolicyProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Why     string `json:"why"`
	Fix     string `json:"fix,omitempty"`
	Warning bool   `json:"warning,omitempty"` // the file is in force; else its last good text is
}

// PolicyFile is a file that may be edited by hand, whether it is there or not.
type PolicyFile struct {
	Scope string `json:"scope"` // "global", "artifact", "bottle"
	Path  string `json:"path"`
}

// PolicyChange is one thing that a person wants of the policy.
type PolicyChange struct {
	// Action is "allow", "deny", "block", "unblock", "mute" (refuse without
	// asking), "remove", "preset-on" or "preset-off".
	Action string `json:"action"`
	// Scope is "once" (a rule of Bottle with an end), "bottle", "artifact" or "global".
	Scope    string        `json:"scope"`
	Bottle   string        `json:"bottle,omitempty"`
	Artifact string        `json:"artifact,omitempty"` // of scope artifact; empty: that of Bottle
	Host     string        `json:"host,omitempty"`     // exact, "*." and a domain, or an address
	Port     int           `json:"port,omitempty"`     // 0: 443 for allow, every port for the others
	Methods  []string      `json:"methods,omitempty"`  // of plain HTTP
	Private  bool          `json:"private,omitempty"`
	For      time.Duration `json:"for_ns,omitempty"` // of once; 0: a quarter of an hour
	Preset   string        `json:"preset,omitempty"`
}

// policyRoutes are those of the policy.
func (s *Server) policyRoutes(answer func(string, func(*http.Request) (any, error))) {
	c := s.core
	answer("GET /v1/policy", func(r *http.Request) (any, error) { return c.Policy(r.Context(), r.URL.Query().Get("bottle")) })
	answer("POST /v1/policy", func(r *http.Request) (any, error) {
		var change PolicyChange
		if err := decode(r, &change); err != nil {
			return nil, err
		}
		return c.ChangePolicy(r.Context(), change)
	})
	answer("POST /v1/policy/check", func(r *http.Request) (any, error) {
		var req checkPolicyRequest
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return c.CheckPolicy(r.Context(), req.Path)
	})
}

type checkPolicyRequest struct {
	Path string `json:"path"`
}

// ChangePolicy changes the policy, and returns what holds for the bottle that
// the change names, or for every bottle.
func (c *Client) ChangePolicy(ctx context.Context, change PolicyChange) (PolicyView, error) {
	return post[PolicyView](ctx, c, "/v1/policy", change)
}

// CheckPolicy reads a policy file (absolute path) and lists what is wrong with it.
func (c *Client) CheckPolicy(ctx context.Context, path string) ([]PolicyProblem, error) {
	return post[[]PolicyProblem](ctx, c, "/v1/policy/check", checkPolicyRequest{path})
}
