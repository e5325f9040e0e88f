package vt

import "testing"

// TestReports asks and compares the answers with those that "XTerm Control
// Sequences", the VT510 manual and the pages of the kitty protocol and of
// modes 2026, 2027, 2031 and 2048 say.
func TestReports(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"DA1", "\x1b[c", "\x1b[?64;6;21;22;28c"},
		{"DA1 with 0", "\x1b[0c", "\x1b[?64;6;21;22;28c"},
		{"DA2", "\x1b[>c", "\x1b[>1;300;0c"},
		{"DA3", "\x1b[=c", "\x1bP!|00000000\x1b\\"},
		{"XTVERSION", "\x1b[>q", "\x1bP>|bottlebar(1.2)\x1b\\"},
		{"DSR", "\x1b[5n", "\x1b[0n"},
		{"CPR", "\x1b[3;4H\x1b[6n", "\x1b[3;4R"},
		{"CPR in origin mode", "\x1b[2;4r\x1b[?6h\x1b[2;1H\x1b[6n", "\x1b[2;1R"},
		{"DECXCPR", "\x1b[?6n", "\x1b[?1;1;1R"},
		{"DECRQM set", "\x1b[?7$p", "\x1b[?7;1$y"},
		{"DECRQM reset", "\x1b[?2026$p", "\x1b[?2026;2$y"},
		{"DECRQM 2027", "\x1b[?2027$p", "\x1b[?2027;1$y"},
		{"DECRQM not known", "\x1b[?4242$p", "\x1b[?4242;0$y"},
		{"DECRQM mouse", "\x1b[?1002h\x1b[?1002$p\x1b[?1000$p", "\x1b[?1002;1$y\x1b[?1000;2$y"},
		{"DECRQM ANSI", "\x1b[4h\x1b[4$p", "\x1b[4;1$y"},
		{"DECRQSS SGR", "\x1b[1;3;4:3;38;2;1;2;3;44m\x1bP$qm\x1b\\", "\x1bP1$r0;1;3;4:3;38;2;1;2;3;44m\x1b\\"},
		{"DECRQSS DECSTBM", "\x1b[2;4r\x1bP$qr\x1b\\", "\x1bP1$r2;4r\x1b\\"},
		{"DECRQSS DECSCUSR", "\x1b[6 q\x1bP$q q\x1b\\", "\x1bP1$r6 q\x1b\\"},
		{"DECRQSS unknown", "\x1bP$qzz\x1b\\", "\x1bP0$r\x1b\\"},
		{"XTGETTCAP", "\x1bP+q436f\x1b\\", "\x1bP1+r436F=323536\x1b\\"},
		{"XTGETTCAP unknown", "\x1bP+q5a5a\x1b\\", "\x1bP0+r\x1b\\"},
		{"text area in cells", "\x1b[18t", "\x1b[8;5;10t"},
		{"title is not told", "\x1b]2;rm -rf\x07\x1b[21t\x1b[20t", ""},
		{"checksum is not told", "abc\x1b[1;1;1;1;1;3*y", ""},
		{"ENQ is not answered", "\x05", ""},
		{"OSC 11", "\x1b]11;?\x07", "\x1b]11;rgb:1e1e/1f1f/2222\a"},
		{"OSC 10 and 11 at once", "\x1b]10;?;?\x07", "\x1b]10;rgb:ecec/ecec/eaea\a\x1b]11;rgb:1e1e/1f1f/2222\a"},
		{"OSC 4 set and read", "\x1b]4;1;#102030\x07\x1b]4;1;?\x07", "\x1b]4;1;rgb:1010/2020/3030\a"},
		{"OSC 52 read is refused", "\x1b]52;c;?\x07", ""},
		{"colour scheme", "\x1b[?996n", "\x1b[?997;1n"},
		{"kitty flags", "\x1b[>5u\x1b[?u\x1b[=2;2u\x1b[?u\x1b[<u\x1b[?u", "\x1b[?5u\x1b[?7u\x1b[?0u"},
		{"kitty flags by screen", "\x1b[>1u\x1b[?1049h\x1b[?u\x1b[?1049l\x1b[?u", "\x1b[?0u\x1b[?1u"},
		{"kitty pops beyond the bottom", "\x1b[>1u\x1b[<99u\x1b[?u", "\x1b[?0u"},
		{"DA1 of another kind", "\x1b[1c\x1b[>1c\x1b[=1c", ""},
		{"DECID", "\x1bZ", "\x1b[?64;6;21;22;28c"},
		{"CPR while wrap waits", "0123456789\x1b[6n", "\x1b[1;10R"},
		{"CPR with both margins", "\x1b[?69h\x1b[3;6s\x1b[2;4r\x1b[?6h\x1b[2;3H\x1b[6n", "\x1b[2;3R"},
		{"CPR behind a wide one", "日\x1b[6n", "\x1b[1;3R"},
		{"DSR of DEC", "\x1b[?15n\x1b[?25n\x1b[?26n\x1b[?53n\x1b[?56n\x1b[?62n\x1b[?63;7n\x1b[?75n\x1b[?85n", "\x1b[?13n\x1b[?21n\x1b[?27;1;0;0n\x1b[?50n\x1b[?57;0n\x1b[0*{\x1bP7!~0000\x1b\\\x1b[?70n\x1b[?83n"},
		{"DSR unknown", "\x1b[7n\x1b[?4294967296n", ""},
		{"DECREQTPARM", "\x1b[x\x1b[1x\x1b[2x", "\x1b[2;1;1;128;128;1;0x\x1b[3;1;1;128;128;1;0x"},
		{"DECRQM 1001 is off for good", "\x1b[?1001h\x1b[?1001$p", "\x1b[?1001;4$y"},
		{"DECRQM 1048", "\x1b[?1048$p", "\x1b[?1048;1$y"},
		{"DECRQM ANSI off for good", "\x1b[13$p\x1b[99$p", "\x1b[13;4$y\x1b[99;0$y"},
		{"DECRQM after DECRC", "\x1b7\x1b[?6h\x1b8\x1b[?6$p", "\x1b[?6;2$y"},
		{"DECRQM of 2^32", "\x1b[?4294967296$p", "\x1b[?99999;0$y"},
		{"DECRQSS DECSLRM", "\x1b[?69h\x1b[3;6s\x1bP$qs\x1b\\", "\x1bP1$r3;6s\x1b\\"},
		{"DECRQSS sizes", "\x1bP$qt\x1b\\\x1bP$q$|\x1b\\\x1bP$q*|\x1b\\", "\x1bP1$r24t\x1b\\\x1bP1$r10$|\x1b\\\x1bP1$r5*|\x1b\\"},
		{"DECRQSS DECSCL", "\x1b[62;1\"p\x1bP$q\"p\x1b\\", "\x1bP1$r62;1\"p\x1b\\"},
		{"DECRQSS DECSCA", "\x1b[1\"q\x1bP$q\"q\x1b\\", "\x1bP1$r1\"q\x1b\\"},
		{"DECRQSS DECSACE", "\x1bP$q*x\x1b\\\x1b[2*x\x1bP$q*x\x1b\\", "\x1bP1$r1*x\x1b\\\x1bP1$r2*x\x1b\\"},
		{"DECRQSS underline colour", "\x1b[4:4;58:5:9m\x1bP$qm\x1b\\", "\x1bP1$r0;4:4;58:5:9m\x1b\\"},
		{"DECRQSS of the start", "\x1bP$qm\x1b\\\x1bP$q q\x1b\\", "\x1bP1$r0m\x1b\\\x1bP1$r1 q\x1b\\"},
		{"DECSCUSR unknown", "\x1b[3 q\x1b[7 q\x1bP$q q\x1b\\", "\x1bP1$r3 q\x1b\\"},
		{"mode 12 makes it blink", "\x1b[2 q\x1b[?12h\x1bP$q q\x1b\\", "\x1bP1$r1 q\x1b\\"},
		{"text area and cell in pixels", "\x1b[14t\x1b[16t", "\x1b[4;90;80t\x1b[6;18;8t"},
		{"screen in cells", "\x1b[19t", "\x1b[9;5;10t"},
		{"the window stays", "\x1b[8;50;99t\x1b[3;1;1t\x1b[18t", "\x1b[8;5;10t"},
		{"mode 2048 tells at once", "\x1b[?2048h", "\x1b[48;5;10;90;80t"},
		{"OSC 12", "\x1b]12;#ff0000\x1b\\\x1b]12;?\x1b\\", "\x1b]12;rgb:ffff/0000/0000\x1b\\"},
		{"OSC 110 111 112", "\x1b]10;red\x07\x1b]11;#000\x07\x1b]111\x07\x1b]11;?\x07", "\x1b]11;rgb:1e1e/1f1f/2222\a"},
		{"OSC 104 of one", "\x1b]4;1;#102030;2;#010203\x07\x1b]104;1\x07\x1b]4;1;?;2;?\x07", "\x1b]4;1;rgb:cdcd/0000/0000\a\x1b]4;2;rgb:0101/0202/0303\a"},
		{"OSC 104 of all", "\x1b]4;1;#102030\x07\x1b]104\x1b\\\x1b]4;1;?\x1b\\", "\x1b]4;1;rgb:cdcd/0000/0000\x1b\\"},
		{"OSC 4 out of range", "\x1b]4;256;?;-1;?;x;?\x07", ""},
		{"an answer ends as its question", "\x1b]11;?\x1b\\\x1b]11;?\x07", "\x1b]11;rgb:1e1e/1f1f/2222\x1b\\\x1b]11;rgb:1e1e/1f1f/2222\a"},
		{"XTGETTCAP of several", "\x1bP+q544E;524742\x1b\\", "\x1bP1+r544E=787465726D2D323536636F6C6F72\x1b\\\x1bP1+r524742=38\x1b\\"},
		{"XTGETTCAP of no name", "\x1bP+qzz\x1b\\\x1bP+q\x1b\\", "\x1bP0+r\x1b\\\x1bP0+r\x1b\\"},
		{"XTMODKEYS of another resource", "\x1b[>4;1m\x1b[>2;2m\x1b[?4m\x1b[?2m", "\x1b[>4;1m"},
		{"XTQMODKEYS", "\x1b[>4;2m\x1b[?4m", "\x1b[>4;2m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			term := New(Options{Cols: 10, Rows: 5, Version: "1.2", Colors: Colors{
				Foreground: RGB{0xec, 0xec, 0xea}, Background: RGB{0x1e, 0x1f, 0x22}, Dark: true,
			}})
			term.SetPixels(8, 18)
			term.Write([]byte(c.in))
			if got := string(term.TakeReplies(nil)); got != c.want {
				t.Errorf("answer is %q, want %q", got, c.want)
			}
		})
	}
}

// TestAttributesOfRectangles is DECCARA, DECRARA and DECSACE (VT420 manual,
// VT510 manual). The marks are those of DECRQCRA: 10 underline, 20 inverse, 40
// blink, 80 bold.
func TestAttributesOfRectangles(t *testing.T) {
	const full = "0123\r\nabcd\r\nABCD\x1b[H"
	for _, c := range []struct{ name, in, want string }{
		{"DECCARA takes a stream", "\x1b[1;2;2;3;1$r", "0 80 80 80|80 80 80 0|0 0 0 0"},
		{"DECCARA takes a rectangle", "\x1b[2*x\x1b[1;2;2;3;7$r", "0 20 20 0|0 20 20 0|0 0 0 0"},
		{"DECSACE 1 and 0", "\x1b[2*x\x1b[1*x\x1b[1;2;2;3;1$r", "0 80 80 80|80 80 80 0|0 0 0 0"},
		{"DECSACE ends with RIS", "\x1b[2*x\x1bc" + full + "\x1b[1;2;2;3;1$r", "0 80 80 80|80 80 80 0|0 0 0 0"},
		{"several attributes", "\x1b[2*x\x1b[1;1;1;2;1;4;5;7$r", "f0 f0 0 0|0 0 0 0|0 0 0 0"},
		{"off again", "\x1b[2*x\x1b[;;;;1;4;5;7$r\x1b[1;1;1;1;22$r\x1b[1;2;1;2;24$r\x1b[1;3;1;3;25$r\x1b[1;4;1;4;27$r\x1b[2;1;2;4;0$r", "70 e0 b0 d0|0 0 0 0|f0 f0 f0 f0"},
		{"the last one counts", "\x1b[2*x\x1b[1;1;1;1;1;22$r\x1b[1;2;1;2;0;4$r", "0 10 0 0|0 0 0 0|0 0 0 0"},
		{"DECRARA", "\x1b[2*x\x1b[1;1;1;2;1$t\x1b[1;2;1;3;1$t", "80 0 80 0|0 0 0 0|0 0 0 0"},
		{"DECRARA of all", "\x1b[2*x\x1b[1;1;1;1;1$r\x1b[1;1;1;2;0$t", "70 f0 0 0|0 0 0 0|0 0 0 0"},
		{"DECRARA of any underline", "\x1b[4:3mz\x1b[m\x1b[2*x\x1b[1;1;1;2;4$t", "0 10 0 0|0 0 0 0|0 0 0 0"},
		{"no attribute", "\x1b[1;1;3;4$r\x1b[1;1;3;4$t", ""},
		{"unknown attribute", "\x1b[1;1;3;4;2;99;4294967296$r", ""},
		{"in origin mode", "\x1b[2;3r\x1b[?6h\x1b[2*x\x1b[1;1;9;1;1$r", "0 0 0 0|80 0 0 0|80 0 0 0"},
		{"a stream within both margins", "\x1b[?69h\x1b[2;3s\x1b[2;3r\x1b[?6h\x1b[1;2;2;1;1$r\x1b[1;2;2;2;1$r", "0 0 0 0|0 0 80 0|0 80 80 0"},
		{"half a wide one", "日\x1b[2*x\x1b[1;2;1;2;1$r", "80 80 0 0|0 0 0 0|0 0 0 0"},
		{"too far", "\x1b[2*x\x1b[3;4;4294967296;4294967296;1$r", "0 0 0 0|0 0 0 0|0 0 0 80"},
		{"the right end left of the left one", "\x1b[1;3;2;2;1$r", ""},
		{"upside down", "\x1b[2*x\x1b[3;3;2;2;1$r", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			term := New(Options{Cols: 4, Rows: 3})
			term.Write([]byte(full + c.in))
			if got := marksOf(term); got != c.want {
				t.Errorf("%q gives %s, want %s", c.in, got, c.want)
			}
			if err := term.check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAProgramThatFollowsTheThemeIsToldItAtOnceWhereItMayHaveStartedElsewhere(t *testing.T) {
	for _, dark := range []bool{true, false} {
		elsewhere := New(Options{})
		elsewhere.Write([]byte("\x1b[?2031h"))
		if got := elsewhere.TakeReplies(nil); len(got) != 0 {
			t.Errorf("unasked %q", got)
		}
		here := New(Options{TellTheme: true, Colors: Colors{Dark: dark, Foreground: RGB{1, 2, 3}}})
		here.Write(elsewhere.AppendReplay(nil, 10))
		want := map[bool]string{true: "\x1b[?997;1n", false: "\x1b[?997;2n"}[dark]
		if got := string(here.TakeReplies(nil)); got != want {
			t.Errorf("dark %v is told as %q, want %q", dark, got, want)
		}
	}
}
