package vt

import (
	"fmt"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	term := New(Options{Cols: 10, Rows: 4, Scrollback: 10})
	term.Write([]byte("Error one\r\nno error\r\nsplit erRor\r\n日本 ÉTÉ\r\n\x1b[8merror\x1b[m\r\nlast"))
	for _, c := range []struct{ query, want string }{
		{"error", "0:0-0:4 1:3-1:7 2:6-3:0"},
		{"Error", "0:0-0:4"},
		{"été", "4:5-4:7"},
		{"本", "4:2-4:2"},
		{"日本", "4:0-4:2"},
		{"one\n", ""},
		{"absent", ""},
		{" ", "0:5-0:5"},
	} {
		p, ok := NewPattern(c.query)
		if !ok {
			t.Fatalf("%q is no pattern", c.query)
		}
		limit := 100
		if c.query == " " {
			limit = 1
		}
		var got []string
		term.View(func(s *Screen) {
			for _, m := range s.Find(p, s.First, s.Top+s.Rows, limit) {
				got = append(got, fmt.Sprintf("%d:%d-%d:%d", m.From.Line, m.From.Col, m.To.Line, m.To.Col))
			}
		})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q is found at %v, want %s", c.query, got, c.want)
		}
	}
	if _, ok := NewPattern(""); ok {
		t.Error("nothing is a pattern")
	}
}

func BenchmarkFindInFullScrollback(b *testing.B) {
	term := New(Options{Cols: 120, Rows: 40})
	for i := range DefaultScrollback + 40 {
		fmt.Fprintf(term, "%d %s\r\n", i, strings.Repeat("some words of a log ", 5))
	}
	p, _ := NewPattern("49999")
	for b.Loop() {
		term.View(func(s *Screen) {
			if len(s.Find(p, s.First, s.Top+s.Rows, 10)) != 1 {
				b.Fatal("not found")
			}
		})
	}
}
