package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"bottlebar.app/internal/fault"
	"bottlebar.app/snapshot"
)

// ActivityQuery selects lines of a bottle's record. Zero values let all pass.
type ActivityQuery struct {
	After   uint64    // lines whose number is higher
	Since   time.Time // not older
	Verdict string    // "allowed" (its end, too) or "denied"
	Kind    string    // as of snapshot.Decision
	Host    string    // a name; "*" stands for any run of characters
	Follow  bool      // go on with what comes
}

// AskAnswer answers one row of snapshot.Asks. ID and Hash are those that were
// drawn; without them, or when the row has become another, nothing happens.
type AskAnswer struct {
	ID   string `json:"id"`
	Hash string `json:"hash"`
	// Answer is "once", "bottle", "always", "never" (do not ask again) or "no"
	// (not now).
	Answer string `json:"answer"`
	// For is how long "once" holds; 0: a quarter of an hour.
	For time.Duration `json:"for_ns,omitempty"`
}

type holdRequest struct {
	On bool `json:"on"`
}

func (q ActivityQuery) values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	if q.After > 0 {
		set("after", strconv.FormatUint(q.After, 10))
	}
	if !q.Since.IsZero() {
		set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	set("verdict", q.Verdict)
	set("kind", q.Kind)
	set("host", q.Host)
	if q.Follow {
		set("follow", "1")
	}
	return v
}

func readQuery(v url.Values) (ActivityQuery, error) {
	q := ActivityQuery{Verdict: v.Get("verdict"), Kind: v.Get("kind"), Host: v.Get("host"), Follow: v.Get("follow") == "1"}
	var err error
	if s := v.Get("after"); s != "" {
		q.After, err = strconv.ParseUint(s, 10, 64)
	}
	if s := v.Get("since"); s != "" && err == nil {
		q.Since, err = time.Parse(time.RFC3339Nano, s)
	}
	if err == nil && q.Verdict != "" && q.Verdict != "allowed" && q.Verdict != "denied" {
		err = fault.New("reading Activity", "there is no verdict "+q.Verdict, "use allowed or denied")
	}
	return q, err
}

func (s *Server) activityRoutes(mux *http.ServeMux, answer func(string, func(*http.Request) (any, error))) {
	c := s.core
	answer("GET /v1/bottles/{name}/activity", func(r *http.Request) (any, error) { return c.Activity(r.Context(), r.PathValue("name")) })
	mux.HandleFunc("GET /v1/bottles/{name}/activity/lines", s.activityLines)
	answer("POST /v1/bottles/{name}/answer", func(r *http.Request) (any, error) {
		var req AskAnswer
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return struct{}{}, c.AnswerAsk(r.Context(), r.PathValue("name"), req)
	})
	answer("POST /v1/bottles/{name}/hold", func(r *http.Request) (any, error) {
		var req holdRequest
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		return struct{}{}, c.SetHold(r.Context(), r.PathValue("name"), req.On)
	})
}

// activityLines sends a record as server-sent events: "lines" with some lines
// each, and "end" or "error".
func (s *Server) activityLines(w http.ResponseWriter, r *http.Request) {
	q, err := readQuery(r.URL.Query())
	if err != nil {
		reply(w, func(*http.Request) (any, error) { return nil, err }, r)
		return
	}
	if q.Follow {
		s.count(-1) // one who follows does not keep the owner busy
		defer s.count(1)
	}
	e := newEvents(w)
	err = s.core.ReadActivity(r.Context(), r.PathValue("name"), q, func(lines []snapshot.Decision) error {
		e.send("lines", lines)
		return r.Context().Err()
	})
	if err != nil {
		e.finish("error", toWire(err))
		return
	}
	e.finish("end", struct{}{})
}

// Activity is what a bottle wanted to reach lately.
func (c *Client) Activity(ctx context.Context, name string) ([]snapshot.Decision, error) {
	return get[[]snapshot.Decision](ctx, c, bottlePath(name, "activity"))
}

// ReadActivity calls each for what is on record of a bottle, oldest first, also
// of one that is gone; with Follow until ctx ends or the bottle does.
func (c *Client) ReadActivity(ctx context.Context, name string, q ActivityQuery, each func([]snapshot.Decision) error) error {
	resp, err := c.do(ctx, http.MethodGet, bottlePath(name, "activity/lines")+"?"+q.values().Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	ended := false
	err = readEvents(resp.Body, func(event string, data []byte) (bool, error) {
		switch event {
		case "lines":
			var lines []snapshot.Decision
			if err := json.Unmarshal(data, &lines); err != nil {
				return true, err
			}
			return false, each(lines)
		case "error":
			ended = true
			return true, fromWire(data)
		case "end":
			ended = true
			return true, nil
		}
		return false, nil
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && !ended:
		return fault.New("reading Activity", "Bottlebar ended", "start it again")
	}
	return err
}

// AnswerAsk answers one row of what a bottle asks for.
func (c *Client) AnswerAsk(ctx context.Context, name string, a AskAnswer) error {
	_, err := post[struct{}](ctx, c, bottlePath(name, "answer"), a)
	return err
}

// SetHold lets a bottle's first connections to unlisted places wait for an
// answer, or no longer.
func (c *Client) SetHold(ctx context.Context, name string, on bool) error {
	_, err := post[struct{}](ctx, c, bottlePath(name, "hold"), holdRequest{on})
	return err
}
