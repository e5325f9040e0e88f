package noway

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAClientCanReadTheSentenceTwice(t *testing.T) {
	const sentence = "There is no way out."
	var b bytes.Buffer
	if err := Say(&b, sentence); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(&b), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != sentence+"\n" || resp.StatusCode != 503 || !strings.HasSuffix(resp.Status, sentence) || !resp.Close {
		t.Errorf("%v %v %q %v", resp.Status, resp.Close, body, err)
	}
}
