package frame

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestFramesArriveAsTheyWereSentHoweverTheyAreCut(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	long := bytes.Repeat([]byte("x"), 2*MaxPayload+5)
	if err := errors.Join(w.Write(Stdout, []byte("out")), w.Write(CloseStdin, nil), w.Write(Stdout, long), w.WriteJSON(Exit, Status{Code: 7})); err != nil {
		t.Fatal(err)
	}
	r := NewReader(iotest.OneByteReader(&b))
	var got []byte
	var kinds []Kind
	for {
		kind, p, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, kind)
		if kind == Stdout {
			got = append(got, p...)
		}
	}
	if want := append([]byte("out"), long...); !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d came", len(got), len(want))
	}
	if string(kinds) != "ocooox" {
		t.Errorf("kinds %q", kinds)
	}
}

func TestAFrameThatClaimsTooMuchOrIsCutIsAnError(t *testing.T) {
	if _, _, err := NewReader(bytes.NewReader([]byte{'o', 0xff, 0, 0, 0})).Next(); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	whole := []byte{'o', 0, 0, 0, 2, 'a', 'b'}
	for n := 1; n < len(whole); n++ {
		if _, _, err := NewReader(bytes.NewReader(whole[:n])).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	if err := NewWriter(io.Discard).WriteJSON(Exit, string(make([]byte, MaxPayload))); err == nil {
		t.Error("a JSON frame of any length is sent")
	}
}

func FuzzReaderIsBounded(f *testing.F) {
	f.Add([]byte{'o', 0, 0, 0, 1, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b))
		for {
			_, p, err := r.Next()
			if err != nil {
				return
			}
			if len(p) > MaxPayload {
				t.Fatalf("%d bytes in one frame", len(p))
			}
		}
	})
}
