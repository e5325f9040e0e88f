package egress

import (
	"fmt"
	"strings"
	"testing"
)

// most is what is reserved for body.
func most(t testing.TB, body string) int64 {
	t.Helper()
	m, err := inspect(body, true, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m.most(int64(len(body)))
}

func TestAReservationIsTheMostThatARequestCanTake(t *testing.T) {
	data := strings.Repeat("A", 300_000)
	source := `"source":{"type":"base64","media_type":"x","data":"` + data + `"}`
	content := func(block string) string {
		return `{"max_tokens":1000,"messages":[{"role":"user","content":[` + block + `]}]}`
	}
	wide := int64(window + 1000)
	for name, c := range map[string]struct {
		body string
		want func(size int64) int64
	}{
		"text, a byte a token":       {content(`{"type":"text","text":"` + data + `"}`), func(n int64) int64 { return n + perRequest + 1000 }},
		"one more than what is read": {content(`{"type":"text","text":"` + strings.Repeat(data, 4) + `"}`), func(int64) int64 { return wide }},
		"no max_tokens":              {`{}`, func(n int64) int64 { return n + perRequest + defaultOutput }},
		"an image":                   {content(`{"type":"image",` + source + `}`), func(n int64) int64 { return n - 300_000 + perImage + perRequest + 1000 }},
		"its type behind it":         {content(`{` + source + `,"type":"image"}`), func(n int64) int64 { return n - 300_000 + perImage + perRequest + 1000 }},
		"a tiny image":               {content(`{"type":"image","source":{"data":"AAAA","type":"base64"}}`), func(n int64) int64 { return n - 4 + perImage + perRequest + 1000 }},
		"an image in a tool's result": {
			content(`{"type":"tool_result","content":[{"type":"image",` + source + `}]}`),
			func(n int64) int64 { return n - 300_000 + perImage + perRequest + 1000 },
		},
		"a document":                  {content(`{"type":"document","source":{"type":"base64","data":"AAAA"}}`), func(int64) int64 { return wide }},
		"a document as text":          {content(`{"type":"document","source":{"type":"text","data":"AAAA"}}`), func(n int64) int64 { return n + perRequest + 1000 }},
		"no known block":              {content(`{"type":"later","source":{"type":"base64","data":"AAAA"}}`), func(int64) int64 { return wide }},
		"no block at all":             {`{"max_tokens":1000,"later":{"source":{"type":"base64","data":"AAAA"}}}`, func(int64) int64 { return wide }},
		"a source at the top":         {`{"max_tokens":1000,"source":{"type":"base64","data":"AAAA"}}`, func(int64) int64 { return wide }},
		"text that calls itself one":  {content(`{"type":"image","source":{"type":"text","data":"` + data + `"}}`), func(n int64) int64 { return n + perRequest + 1000 }},
		"tools that the API knows":    {`{"max_tokens":1,"tools":[{"type":"bash_20250124"},{"type":"custom"},{"name":"x"}]}`, func(n int64) int64 { return n + perTool + perRequest + 1 }},
		"a search":                    {`{"max_tokens":1000,"tools":[{"type":"web_search_20250305"}]}`, func(int64) int64 { return wide }},
		"a conversation that shrinks": {`{"max_tokens":10,"context_management":{"edits":[{"type":"compact_20260112"}]}}`, func(n int64) int64 { return 2 * (n + perRequest + 10) }},
		"one that is only cleared":    {`{"max_tokens":10,"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}}`, func(n int64) int64 { return n + perRequest + 10 }},
	} {
		if got, want := most(t, c.body), c.want(int64(len(c.body))); got != want {
			t.Errorf("%s: %d is reserved, want %d", name, got, want)
		}
	}
	// It is the same in whatever pieces a body comes.
	body := content(`{"type":"image",` + source + `},{"type":"text","text":"\u00e9\n\ud83d\ude00é"}`)
	for _, n := range []int{1, 2, 3, 7, 64} {
		m, err := inspect(body, false, n)
		if got := m.most(int64(len(body))); err != nil || got != most(t, body) {
			t.Errorf("in pieces of %d: %d, %v", n, got, err)
		}
	}
}

func TestTurnsOfTheServersCount(t *testing.T) {
	usage := `{"input_tokens":23,"output_tokens":10,"cache_creation":{"ephemeral_5m_input_tokens":5},"server_tool_use":{"web_search_requests":3,"output_tokens":99},` +
		`"iterations":[{"type":"compaction","input_tokens":180,"output_tokens":35,"later":{"input_tokens":1000},"cache_read_input_tokens":2},[7],null,{"type":"message","input_tokens":23,"output_tokens":10}],"service_tier":"standard"}`
	want := Usage{Input: 203, CacheRead: 2, Output: 45}
	reply := `{"usage":` + usage + `,"later":{"usage":{"output_tokens":1000}}}`
	plain := strings.Replace(usage, "[7],null,", "", 1)
	stream := "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":" + plain + "}\n\n"
	for kind, body := range map[string]string{"application/json": reply, "text/event-stream": stream} {
		for n := 1; n <= len(body); n += 1 + n/4 {
			if u, whole := tapped(kind, body, n); u != want || !whole {
				t.Errorf("%s in pieces of %d: %+v, %v; want %+v", kind, n, u, whole, want)
			}
		}
	}
	// In a form that is not known they are none, and hide nothing beside them.
	for _, other := range []string{`null`, `{}`, `3`, `"x"`, `[3]`, `[]`} {
		body := `{"usage":{"iterations":` + other + `,"input_tokens":3,"output_tokens":4}}`
		events := "event: message_delta\ndata: {\"type\":\"message_delta\"," + body[1:] + "\n\n"
		for kind, body := range map[string]string{"application/json": body, "text/event-stream": events} {
			if u, whole := tapped(kind, body, 50); !whole || u != (Usage{Input: 3, Output: 4}) {
				t.Errorf("%s with %s: %+v, %v", kind, other, u, whole)
			}
		}
	}
	// Many of them do not run over.
	var many []string
	for range 3000 {
		many = append(many, fmt.Sprintf(`{"output_tokens":%d}`, int64(maxUsage)))
	}
	body := `{"usage":{"output_tokens":1,"iterations":[` + strings.Join(many, ",") + `]}}`
	if u, whole := tapped("application/json", body, 4096); !whole || u.Output != maxUsage {
		t.Errorf("very many: %+v, %v", u, whole)
	}
}
