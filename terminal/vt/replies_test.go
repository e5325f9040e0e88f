package vt

import (
	"regexp"
	"strings"
	"testing"
)

// standard are all the replies there are. What varies in them is numbers of
// a bounded length, colours, and names out of a list.
var standard = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`\x1b\[\?64;6;21;22;28c`,                       // DA1
	`\x1b\[>1;300;0c`,                              // DA2
	`\x1bP!\|00000000\x1b\\`,                       // DA3
	`\x1bP>\|bottlebar(?:\([0-9.]{1,20}\))?\x1b\\`, // XTVERSION
	`\x1b\[0n`,                   // DSR
	`\x1b\[\d{1,4};\d{1,4}R`,     // CPR
	`\x1b\[\?\d{1,4};\d{1,4};1R`, // DECXCPR
	`\x1b\[\?(?:13|21|27;1;0;0|50|57;0|70|83|997;[12])n`, // DSR of DEC, colour scheme
	`\x1b\[0\*\{`,                                          // macro space
	`\x1bP\d{1,5}!~0000\x1b\\`,                             // checksum of macros
	`\x1b\[48;\d{1,4};\d{1,4};\d{1,6};\d{1,6}t`,            // mode 2048
	`\x1b\[4;\d{1,6};\d{1,6}t`,                             // text area in pixels
	`\x1b\[[689];\d{1,6};\d{1,6}t`,                         // cell, text area and screen sizes
	`\x1b\[\??\d{1,5};[0-4]\$y`,                            // DECRQM
	`\x1b\[[23];1;1;128;128;1;0x`,                          // DECREPTPARM
	`\x1b\[\?(?:[12]?\d|3[01])u`,                           // kitty flags
	`\x1b\[>4;[0-2]m`,                                      // XTQMODKEYS
	`\x1bP0\$r\x1b\\`,                                      // DECRQSS refused
	`\x1bP1\$r0(?:;\d{1,3}(?::\d{1,3})*)*m\x1b\\`,          // SGR
	`\x1bP1\$r\d{1,4};\d{1,4}[rs]\x1b\\`,                   // margins
	`\x1bP1\$r\d{1,4}(?:t|\$\||\*\|)\x1b\\`,                // sizes
	`\x1bP1\$r(?:[1-6] q|6[1-5];1"p|[01]"q|[12]\*x)\x1b\\`, // DECSCUSR, DECSCL, DECSCA, DECSACE
	`\x1bP0\+r\x1b\\`,                                      // XTGETTCAP refused
	`\x1bP1\+r(?:436F|636F6C6F7273)=323536\x1b\\`,          // Co, colors
	`\x1bP1\+r544E=787465726D2D323536636F6C6F72\x1b\\`,     // TN
	`\x1bP1\+r524742=38\x1b\\`,                             // RGB
	`\x1b\](?:4;\d{1,3}|1[012]);rgb:(?:[0-9a-f]{4}/){2}[0-9a-f]{4}(?:\x1b\\|\x07)`, // colours
}, "|") + `)`)

// strange returns replies from the first that is none of the standard ones;
// nil if all are.
func strange(b []byte) []byte {
	for len(b) > 0 {
		at := standard.FindIndex(b)
		if at == nil {
			return b
		}
		b = b[at[1]:]
	}
	return nil
}

// TestTheListOfRepliesIsStrict: the check itself must catch what it is for.
func TestTheListOfRepliesIsStrict(t *testing.T) {
	for _, s := range []string{
		"x", "\x1b[cx", "\x1b]l;title\x1b\\", "\x1bP1$r0mrm -rf\x1b\\", "\x1bP0+r5a5a\x1b\\", "\x1b[?99999999;0$y", "\x1b]52;c;aGk=\x07", "\x1b]4;1;rgb:zz/zz/zz\x07", "\x1bP>|evil\x1b\\",
	} {
		if strange([]byte(s)) == nil {
			t.Errorf("%q passes", s)
		}
	}
}

// TestEveryReplyIsAStandardOne asks for each with arguments that a sender would
// like to have echoed.
func TestEveryReplyIsAStandardOne(t *testing.T) {
	term := New(Options{Cols: 40, Rows: 10, Version: "1.2"})
	term.SetPixels(9, 18)
	for _, arg := range []string{"", "0", "1", "2", "4294967296", "7;evil", "1;2;3;4;5"} {
		for f := '@'; f <= '~'; f++ {
			for _, form := range []string{"", "?", ">", "=", "<"} {
				for _, inter := range []string{"", "$", "*", " ", "\"", "'", "#", "!"} {
					term.Write([]byte("\x1b[" + form + arg + inter + string(f)))
				}
			}
		}
		for _, s := range []string{"\x1bP$q", "\x1bP+q", "\x1bP1$q", "\x1b]4;1;", "\x1b]4;1;?;2;", "\x1b]10;", "\x1b]11;?;", "\x1b]52;c;", "\x1b]7;", "\x1b]8;;", "\x1b]133;A;"} {
			term.Write([]byte(s + arg + "\x1b\\" + s + arg + "m\x07\x1b\\" + s + "?\x07"))
		}
		got := term.TakeReplies(nil)
		if rest := strange(got); rest != nil || len(got) == 0 {
			t.Errorf("%q: %q of %d bytes", arg, rest, len(got))
		}
	}
}
