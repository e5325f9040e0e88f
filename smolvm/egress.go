package smolvm

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// EgressEvent is a connection or a look-up that a machine's network refused.
type EgressEvent struct {
	At        time.Time // zero when smolvm's form of it is not known
	Operation string    // "connect" or "resolve"
	Dest      string    // address or name, as the guest gave it: hostile text
}

// EgressEvents lists what the network of a machine refused; from 1.8.1 on. A
// machine without a network has none.
func (c *Client) EgressEvents(ctx context.Context, name string) ([]EgressEvent, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if !c.in.Version.AtLeast(1, 8, 1) {
		return nil, &UnsupportedError{c.in.Version, "listing refused connections", "1.8.1"}
	}
	args := []string{"machine", "egress-events", "--name", name, "--json"}
	out, err := c.control(ctx, statusBase, args)
	if err != nil {
		return nil, err
	}
	events, err := parseEgress(out.Stdout)
	if err != nil {
		return nil, c.garbled(args, out, err)
	}
	return events, nil
}

func parseEgress(data []byte) ([]EgressEvent, error) {
	var wire []struct {
		Timestamp json.RawMessage `json:"timestamp"`
		Operation string          `json:"operation"`
		Dest      string          `json:"dest"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return nil, fmt.Errorf("list of refused connections: %w", err)
	}
	out := make([]EgressEvent, 0, len(wire))
	for _, w := range wire {
		out = append(out, EgressEvent{instant(w.Timestamp), w.Operation, w.Dest})
	}
	return out, nil
}

// instant reads RFC 3339 text or seconds since 1970.
func instant(raw json.RawMessage) time.Time {
	var t time.Time
	if json.Unmarshal(raw, &t) == nil && !t.IsZero() {
		return t.UTC()
	}
	var secs float64
	if json.Unmarshal(raw, &secs) == nil && secs > 0 && secs < 1e11 {
		return time.Unix(int64(secs), 0).UTC()
	}
	return time.Time{}
}
