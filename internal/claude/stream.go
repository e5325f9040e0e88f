package claude

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// object is a JSON object of the wire.
type object = map[string]any

const (
	messageID = "msg_01fake"
	toolID    = "toolu_01fake"
)

func (r Reply) stopReason() string {
	if r.Tool != "" {
		return "tool_use"
	}
	return "end_turn"
}

func usage(out int) object {
	return object{"input_tokens": 25, "output_tokens": out, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
}

// whole is a reply in one piece.
func whole(model string, r Reply) object {
	blocks := []object{}
	if r.Text != "" {
		blocks = append(blocks, object{"type": "text", "text": r.Text})
	}
	if r.Tool != "" {
		blocks = append(blocks, object{"type": "tool_use", "id": toolID, "name": r.Tool, "input": r.Input})
	}
	return object{
		"id": messageID, "type": "message", "role": "assistant", "model": model, "content": blocks,
		"stop_reason": r.stopReason(), "stop_sequence": nil, "usage": usage(10),
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// stream is a reply as server-sent events, each flushed: word by word, as a
// model speaks.
func stream(w http.ResponseWriter, model string, r Reply) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flush := http.NewResponseController(w)
	send := func(kind string, fields object) {
		fields["type"] = kind
		b, err := json.Marshal(fields)
		if err != nil {
			b = []byte(`{"type":"error"}`)
		}
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, b)
		_ = flush.Flush()
	}
	begin := whole(model, Reply{})
	begin["stop_reason"], begin["usage"] = nil, usage(1)
	send("message_start", object{"message": begin})
	index := 0
	if r.Text != "" {
		send("content_block_start", object{"index": index, "content_block": object{"type": "text", "text": ""}})
		for word := range strings.SplitAfterSeq(r.Text, " ") {
			send("content_block_delta", object{"index": index, "delta": object{"type": "text_delta", "text": word}})
		}
		send("content_block_stop", object{"index": index})
		index++
	}
	if r.Tool != "" {
		input, _ := json.Marshal(r.Input)
		send("content_block_start", object{"index": index, "content_block": object{"type": "tool_use", "id": toolID, "name": r.Tool, "input": object{}}})
		half := len(input) / 2
		for _, part := range []string{string(input[:half]), string(input[half:])} {
			send("content_block_delta", object{"index": index, "delta": object{"type": "input_json_delta", "partial_json": part}})
		}
		send("content_block_stop", object{"index": index})
	}
	send("message_delta", object{"delta": object{"stop_reason": r.stopReason(), "stop_sequence": nil}, "usage": usage(10)})
	send("message_stop", object{})
}
