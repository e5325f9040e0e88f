package egress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// inspect reads a body in pieces of n bytes; n 0 is all at once.
func inspect(body string, web bool, n int) (*messageReader, error) {
	m := newMessageReader(web)
	r := newJSONReader(m)
	for p := []byte(body); len(p) > 0; {
		k := len(p)
		if n > 0 {
			k = min(n, k)
		}
		if err := r.feed(p[:k]); err != nil {
			return m, err
		}
		p = p[k:]
	}
	return m, r.finish()
}

// good are bodies that clients send.
var good = []string{
	`{}`,
	` {"model":"m","max_tokens":32000,"stream":true,"messages":[{"role":"user","content":"hi"}]} `,
	`{"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[]}`,
	`{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]}]}`,
	`{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"x"}]}}]}]}`,
	`{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"},"citations":{"enabled":true}}]}]}`,
	`{"messages":[{"role":"user","content":[{"type":"search_result","source":"https://example.com","title":"t","content":[{"type":"text","text":"x"}]}]}]}`,
	`{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"put","input":{"source":{"type":"url","url":"https://x"},"Type":"a","type":"b","mcp_servers":[1]}}]}]}`,
	`{"tools":[{"name":"Bash","description":"d","input_schema":{"type":"object","properties":{"source":{"type":"string"},"container":{"type":"url"}}}}]}`,
	`{"tools":[{"type":"custom","name":"x"},{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728","name":"e"},{"type":"computer_20251124"},{"type":"memory_20250818"},{"type":null,"name":"y"}]}`,
	`{"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"properties":{"source":{"type":"object"}}}}}}`,
	`{"container":null,"mcp_servers":null,"thinking":{"type":"adaptive"},"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"metadata":{"user_id":"u"}}`,
	`{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"x"},{"type":"tool_reference","tool_name":"y"}]}]}]}`,
	`{"messages":[{"role":"user","content":"half a pair: \ud800 x \udc00 and a whole: \ud83d\ude00 é 漢 😀 \/\b\f\n\r\t\"\\"}],"temperature":-0.5e-3,"top_p":1E+2,"a":0}`,
}

// bad are bodies that are refused, and a word of why.
var bad = []struct{ body, says string }{
	{`{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://evil.example/?d=1"}}]}]}`, "fetch"},
	{`{"messages":[{"role":"user","content":[{"type":"image","source":{"url":"https://evil.example","type":"url"}}]}]}`, "fetch"},
	{`{"messages":[{"role":"user","content":[{"source":{"type":"url"},"type":"image"}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]}`, "uploaded"},
	{`{"messages":[{"content":[{"type":"document","source":{"type":"file"}}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","source":{"type":"ur\u006c"}}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","s\u006furce":{"type":"url"}}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","\u0073\u006f\u0075\u0072\u0063\u0065":{"\u0074\u0079\u0070\u0065":"\u0075\u0072\u006c"}}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","Source":{"type":"url"}}]}]}`, "spelled"},
	{`{"messages":[{"content":[{"type":"document","ſource":{"type":"url"}}]}]}`, "spelled"},
	{`{"messages":[{"content":[{"type":"document","source":{"Type":"url","type":"text"}}]}]}`, "spelled"},
	{`{"messages":[{"content":[{"type":"document","source":{}}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","source":{"type":"text","data":{"source":{"type":"url"}}}}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","source":{"type":"text","data":[{"source":{"type":"url"}}]}}]}]}`, "fetched"},
	{`{"context_management":{"edits":[{"source":{"type":"url"}}]}}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","source":[{"type":"url"}]}]}]}`, "list"},
	{`{"messages":[{"content":[{"type":"document","source":{"type":["url"]}}]}]}`, "list"},
	{`{"messages":[{"content":[{"type":"document","source":{"type":7}}]}]}`, "not a word"},
	{`{"messages":[{"content":[{"type":"tool_result","content":[{"type":"image","source":{"type":"url","url":"x"}}]}]}]}`, "fetch"},
	{`{"messages":[{"content":[{"type":"tool_result","content":{"type":"image","source":{"type":"url"}}}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"tool_result","content":[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"url"}}]}}]}]}]}`, "fetched"},
	{`{"messages":[{"content":[[{"type":"image","source":{"type":"url"}}]]}]}`, "fetched"},
	{`{"system":[{"type":"image","source":{"type":"url"}}]}`, "fetched"},
	{`{"later":{"deep":[{"source":{"type":"url"}}]}}`, "fetched"},
	{`{"input":{"source":{"type":"url"}}}`, "fetched"},
	{`{"source":{"type":"url"}}`, "fetched"},
	{`{"content":[{"type":"x","file_id":"f"}]}`, "uploaded"},
	{`{"later":{"content":[{"type":"x","file_id":"f"}]}}`, "uploaded"},
	{`{"system":[{"type":"x","file_id":"f"}]}`, "uploaded"},
	{`{"messages":[{"source":{"type":"url"}}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"image","source":{"type":"base64","url":"https://evil.example"}}]}]}`, "fetch an address"},
	{`{"messages":[{"content":[{"type":"image","source":{"type":"base64","source":{"type":"url"}}}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","source":{"type":"content","content":[{"type":"x","file_id":"f"}]}}]}]}`, "uploaded"},
	{`{"messages":[{"content":[{"type":"tool_result","content":[{"type":"x","file_id":"f"}]}]}]}`, "uploaded"},
	{`{"messages":[{"content":[[[{"type":"x","file_id":"f"}]]]}]}`, "uploaded"},
	{`{"source":{"type":"text","data":{"content":[{"type":"x","file_id":"f"}]}}}`, "uploaded"},
	{`{"context_management":{"edits":[{"content":[{"type":"x","file_id":"f"}]}]}}`, "uploaded"},
	{`{"tools":[{"name":"x","source":{"type":"url"}}]}`, "fetched"},
	{`{"output_config":{"format":{"source":{"type":"url"}}}}`, "fetched"},
	{`{"messages":[{"content":[{"type":"document","later":{"input":{"source":{"type":"url"}}}}]}]}`, "fetched"},
	{`{"messages":[{"content":[{"type":"container_upload","file_id":null}]}]}`, "container"},
	{`{"messages":[{"content":[{"type":"x","file_id":"f"}]}]}`, "uploaded"},
	{`{"messages":{"0":{}}}`, "not a list"},
	{`{"mcp_servers":[]}`, "MCP"},
	{`{"mcp_servers":[{"type":"url","url":"https://evil.example"}]}`, "MCP"},
	{`{"\u006dcp_servers":[{}]}`, "MCP"},
	{`{"MCP_servers":[{}]}`, "spelled"},
	{`{"mcp_servers":0}`, "MCP"},
	{`{"container":"c"}`, "container"},
	{`{"container":true}`, "container"},
	{`{"container":{"skills":[]}}`, "container"},
	{`{"betas":["files-api-2025-04-14"]}`, "betas"},
	{`{"anthropic_beta":["files-api-2025-04-14"]}`, "anthropic_beta"},
	{`{"tools":[{"type":"web_search_20250305","name":"web_search"}]}`, "web NAME on"},
	{`{"tools":[{"name":"web_fetch","type":"web_fetch_20250910"}]}`, "web NAME on"},
	{`{"tools":[{"type":"code_execution_20250825","name":"c"}]}`, "runs on"},
	{`{"tools":[{"type":"mcp_toolset","mcp_server_name":"c"}]}`, "runs on"},
	{`{"tools":[{"type":"","name":"c"}]}`, "runs on"},
	{`{"tools":[{"type":"web_search_20250305\u0000"}]}`, "runs on"},
	{`{"tools":[{"type":"` + strings.Repeat("bash_20250124", 40) + `"}]}`, "runs on"},
	{`{"tools":[{"type":"bash_20250124_and_more"}]}`, "runs on"},
	{`{"tools":[{"type":"code_bash_20250124"}]}`, "runs on"},
	{`{"tools":{"type":"web_search_20250305"}}`, "not a list"},
	{`{"tools":["web_search"]}`, "word"},
	{`{"tools":[[{"type":"web_search_20250305"}]]}`, "list"},
	{`{"tools":[7]}`, "not an object"},
	{`{"max_tokens":"1000"}`, "max_tokens"},
	{`{"max_tokens":[1]}`, "a list"},
	{`{"max_tokens":-1}`, "max_tokens"},
	{`{"max_tokens":1e300}`, "max_tokens"},
	{`{"max_tokens":0.` + strings.Repeat("0", 300) + `1e306}`, "max_tokens"}, // 100,000
	{`{"max_tokens":1,"max_tokens":2}`, "twice"},
	{`{"tools":[],"to\u006fls":[{"type":"code_execution_20250825"}]}`, "twice"},
	{`{"messages":[{"content":[{"type":"tool_use","input":{"a":1,"a":2}}]}]}`, "twice"},
	{`{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"k":0,"l":0,"m":0,"n":0,"mcp_servers":null,"mcp\u005fservers":null}`, "twice"},
}

// unreadable is no JSON that two parsers are sure to read alike.
var unreadable = []string{
	``, ` `, `[]`, `"x"`, `1`, `null`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `{"a":1}{"b":2}`, `{"a":1} x`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":+1}`,
	`{"a":1e}`, `{"a":-}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":tru}`, `{"a":truee}`, `{'a':1}`, `{a:1}`, `{"a":"` + "\x01" + `"}`, `{"a":"` + "\n" + `"}`, `{"a":"\x"}`,
	`{"a":"\u12g4"}`, "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"\xe0\x80\x80\":1}", "{\"a\":\"\xf4\x90\x80\x80\"}", "{\"a\":\"\xe2\x82\"}",
	`{"\ud800":1}`, `{"\udc00":1}`, `{"\ud800\u0041":1}`, `{"\ud800\n":1}`, `{"a":[}`, `{"a":1]`, `{"a" 1}`, `{"a":1 "b":2}`, "{\"a\":1}\x00", `/**/{}`, "{\"a\":\u00a01}",
	strings.Repeat(`{"a":`, 300) + `1` + strings.Repeat(`}`, 300), `{"` + strings.Repeat("k", maxKey+1) + `":1}`,
}

func TestMessagesThatReachNowhereElsePass(t *testing.T) {
	for _, b := range good {
		for _, n := range []int{0, 1, 2, 3, 7} {
			if _, err := inspect(b, false, n); err != nil {
				t.Errorf("%s in pieces of %d: %v", b, n, err)
			}
		}
	}
	m, err := inspect(good[1], false, 1)
	if err != nil || m.tokens != 32000 || !m.stream {
		t.Errorf("read max_tokens %d, stream %v, %v", m.tokens, m.stream, err)
	}
	web := `{"tools":[{"type":"web_search_20250305","name":"s"},{"type":"web_fetch_20250910","name":"f"}]}`
	if _, err := inspect(web, true, 1); err != nil {
		t.Errorf("with the switch on: %v", err)
	}
	if _, err := inspect(`{"tools":[{"type":"code_execution_20250825"}]}`, true, 0); err == nil {
		t.Error("the switch lets code run")
	}
}

func TestMessagesThatSendSomethingElsewhereAreRefused(t *testing.T) {
	for _, b := range bad {
		for _, n := range []int{0, 1, 2, 3} {
			_, err := inspect(b.body, false, n)
			if err == nil || !strings.Contains(err.Error(), b.says) {
				t.Errorf("%s in pieces of %d: %v; want %q", b.body, n, err, b.says)
			}
		}
	}
}

func TestBodiesThatReadInTwoWaysAreRefused(t *testing.T) {
	for _, b := range unreadable {
		for _, n := range []int{0, 1, 2} {
			if _, err := inspect(b, false, n); err == nil {
				t.Errorf("%.60q in pieces of %d passes", b, n)
			}
		}
	}
	var many strings.Builder
	for i := range maxKeys + 2 {
		fmt.Fprintf(&many, `,"k%d":0`, i)
	}
	if _, err := inspect("{"+many.String()[1:]+"}", false, 0); !errors.Is(err, errTooNested) {
		t.Errorf("an object of %d keys: %v", maxKeys, err)
	}
}

// first reads JSON as a parser that keeps the first of two equal keys.
func first(d *json.Decoder) (any, error) {
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('{'):
		o := map[string]any{}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := first(d)
			if err != nil {
				return nil, err
			}
			if _, there := o[k.(string)]; !there {
				o[k.(string)] = v
			}
		}
		_, err := d.Token()
		return o, err
	case json.Delim('['):
		var l []any
		for d.More() {
			v, err := first(d)
			if err != nil {
				return nil, err
			}
			l = append(l, v)
		}
		_, err := d.Token()
		return l, err
	}
	return tok, nil
}

// reaches reports what in a decoded body would make a server reach out; at is
// where v stands.
func reaches(v any, at string) string {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if s := reaches(e, at); s != "" {
				return s
			}
		}
	case map[string]any:
		if at == "top" {
			for _, k := range []string{"mcp_servers", "container"} {
				if v[k] != nil {
					return k
				}
			}
		}
		if t, ok := v["type"].(string); at == "tools" && ok && !clientTool.MatchString(t) {
			return t
		}
		for k, e := range v {
			if s, ok := e.(map[string]any); ok && k == "source" && (s["type"] == "url" || s["type"] == "file") {
				return "a source"
			}
			next := "other"
			switch {
			case at == "top" && (k == "messages" || k == "tools"):
				next = k
			case at == "top" && k == "metadata", at == "content" && k == "input", at == "tools" && (k == "input_schema" || k == "input_examples"):
				continue
			case (at == "top" || at == "format") && strings.HasPrefix(k, "output_"), at == "format" && k == "format":
				next = "format"
			case at == "format" && k == "schema":
				continue
			case k == "content", at == "top" && k == "system":
				next = "content"
			}
			if s := reaches(e, next); s != "" {
				return s
			}
		}
	}
	return ""
}

// What passes holds nothing that is refused, read by other parsers: by one
// that takes the last of two equal keys and by one that takes the first.
func FuzzMessages(f *testing.F) {
	for _, b := range good {
		f.Add([]byte(b), 3)
	}
	for _, b := range bad {
		f.Add([]byte(b.body), 1)
	}
	for _, b := range unreadable[:40] {
		f.Add([]byte(b), 2)
	}
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		_, whole := inspect(string(body), false, 0)
		_, pieces := inspect(string(body), false, 1+max(0, n)%64)
		if (whole == nil) != (pieces == nil) {
			t.Fatalf("whole: %v, in pieces: %v", whole, pieces)
		}
		if whole != nil {
			return
		}
		var last map[string]any
		if err := json.Unmarshal(body, &last); err != nil {
			t.Fatalf("passes, but encoding/json says %v", err)
		}
		if what := reaches(last, "top"); what != "" {
			t.Fatalf("passes with %s", what)
		}
		v, err := first(json.NewDecoder(bytes.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		if what := reaches(v, "top"); what != "" {
			t.Fatalf("passes with %s for who takes the first of two keys", what)
		}
		var folded struct {
			MCP       json.RawMessage `json:"mcp_servers"`
			Container json.RawMessage `json:"container"`
		}
		if err := json.Unmarshal(body, &folded); err != nil {
			t.Fatal(err)
		}
		for _, raw := range []json.RawMessage{folded.MCP, folded.Container} {
			if raw != nil && string(raw) != "null" {
				t.Fatalf("passes with %s for who ignores case", raw)
			}
		}
	})
}

func TestRefusedMessagesAnswerAsTheAPIAndNeverReachIt(t *testing.T) {
	r, u := apiRig(t, Options{}, &Credential{APIKey, theKey, placeholder})
	post := func(path, extra, body string) (*http.Response, string) {
		return r.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%sContent-Length: %d\r\n\r\n%s", path, placeholder, extra, len(body), body))
	}
	for _, path := range []string{"/v1/messages", "/v1/messages/count_tokens"} {
		resp, text := post(path, "", `{"mcp_servers":[{"url":"https://evil.example"}]}`)
		var e apiError
		if err := json.Unmarshal([]byte(text), &e); err != nil || e.Type != "error" || e.Error.Type != "permission_error" || !strings.Contains(e.Error.Message, "MCP") {
			t.Errorf("%s answers %q: %v", path, text, err)
		}
		if resp.StatusCode != 403 || resp.Header.Get("X-Bottle-Denied") != string(APIBody) || resp.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
	for _, extra := range []string{
		"Anthropic-Beta: a-2025,files-api-2025-04-14\r\n", "Anthropic-Beta: a\r\nAnthropic-Beta: b, \t MCP-Client-2025-11-20\r\n",
		"Anthropic-Beta: code-execution-2025-08-25\r\n", "Anthropic-Beta: skills-2025-10-02\r\n", "Content-Encoding: gzip\r\n", "Content-Encoding: identity, br\r\n",
	} {
		if resp, text := post("/v1/messages", extra, `{}`); resp.StatusCode != 403 || !strings.Contains(text, "blocked") {
			t.Errorf("%q: %d %q", extra, resp.StatusCode, text)
		}
	}
	if u.count() != 0 {
		t.Errorf("%d requests reached the API", u.count())
	}
	resp, _ := post("/v1/messages", "Anthropic-Beta: oauth-2025-04-20,web-search-2025\r\nContent-Encoding: identity\r\nContent-Type: text/plain; charset=utf-16\r\n", ` {"messages" : [ ] , "x":1.50 }`)
	req, sent := u.last(t)
	if resp.StatusCode != 200 || sent != ` {"messages" : [ ] , "x":1.50 }` || req.Header.Get("Content-Type") != "application/json" || req.Header.Get("Content-Encoding") != "" {
		t.Errorf("%d, upstream got %q with %v", resp.StatusCode, sent, req.Header)
	}
	p := u.policy()
	p.API.Web = true
	r.open(p)
	if resp, text := post("/v1/messages", "", `{"tools":[{"type":"web_search_20250305","name":"s"}]}`); resp.StatusCode != 200 {
		t.Errorf("with the switch on: %d %s", resp.StatusCode, text)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
