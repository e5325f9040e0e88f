package vt

import (
	"fmt"
	"strings"
	"testing"
)

// conformance holds what each control function does to a screen of 10 by 5:
// what is sent, the lines after it joined by bars, and the cursor's line and
// column counted from 1. The reference is where the function is described:
// ctl is "XTerm Control Sequences", ecma ECMA-48, vt the VT510 manual.
var conformance = []struct {
	name, ref, in, want string
	y, x                int
}{
	{"BS", "ecma 8.3.5", "abc\b\bX", "aXc", 1, 3},
	{"BS at the edge", "ecma 8.3.5", "\b\bX", "X", 1, 2},
	{"HT", "ecma 8.3.60", "a\tb", "a       b", 1, 10},
	{"HT at the last column", "ctl", "\t\t\tb", "         b", 1, 10},
	{"LF VT FF", "ctl", "a\nb\vc\fd", "a| b|  c|   d", 4, 5},
	{"CR", "ecma 8.3.15", "abc\rX", "Xbc", 1, 2},
	{"wrap waits", "vt DECAWM", "0123456789", "0123456789", 1, 10},
	{"wrap", "vt DECAWM", "0123456789a", "0123456789|a", 2, 2},
	{"CR while wrap waits", "vt DECAWM", "0123456789\rX", "X123456789", 1, 2},
	{"BS while wrap waits", "ctl", "0123456789\bX", "01234567X9", 1, 10},
	{"DECAWM off", "vt DECAWM", "\x1b[?7l0123456789abc", "012345678c", 1, 10},
	{"DECAWM off, one by one", "vt DECAWM", "\x1b[?7l012345678\x1b[10Ga\x1b[10Gb\x1b[?7hc", "012345678b|c", 2, 2},
	{"scroll at the bottom", "ctl", "1\r\n2\r\n3\r\n4\r\n5\r\n6", "2|3|4|5|6", 5, 2},

	{"CUU", "ecma 8.3.22", "\x1b[4;4H\x1b[2AX", "|   X", 2, 5},
	{"CUU stops at the top", "ecma 8.3.22", "\x1b[2;2H\x1b[99AX", " X", 1, 3},
	{"CUU stops at the margin", "vt CUU", "\x1b[2;4r\x1b[3;1H\x1b[99AX", "|X", 2, 2},
	{"CUU above the margin", "vt CUU", "\x1b[3;4r\x1b[2;1H\x1b[99AX", "X", 1, 2},
	{"CUD", "ecma 8.3.19", "\x1b[2BX", "||X", 3, 2},
	{"CUD stops at the margin", "vt CUD", "\x1b[2;3r\x1b[2;1H\x1b[9BX", "||X", 3, 2},
	{"CUF CUB with 0", "ecma 8.3.20", "\x1b[0C\x1b[CX\x1b[0DY", "  Y", 1, 4},
	{"CUF stops", "ecma 8.3.20", "\x1b[4294967295CX", "         X", 1, 10},
	{"CUB stops", "ecma 8.3.18", "abc\x1b[99DX", "Xbc", 1, 2},
	{"CNL CPL", "ecma 8.3.12", "abc\x1b[2Ed\x1b[FX", "abc|X|d", 2, 2},
	{"CHA", "ecma 8.3.9", "abc\x1b[2GX", "aXc", 1, 3},
	{"HPA", "ecma 8.3.57", "\x1b[5`X", "    X", 1, 6},
	{"HPR", "ecma 8.3.59", "a\x1b[2aX", "a  X", 1, 5},
	{"HPB", "ecma 8.3.58", "abcd\x1b[3jX", "aXcd", 1, 3},
	{"CUP", "ecma 8.3.21", "\x1b[2;3HX", "|  X", 2, 4},
	{"CUP without and with 0", "ecma 8.3.21", "abc\x1b[;HX\x1b[0;0HY", "Ybc", 1, 2},
	{"CUP too far", "ctl", "\x1b[99;99HX", "||||         X", 5, 10},
	{"HVP", "ecma 8.3.63", "\x1b[3;2fX", "|| X", 3, 3},
	{"VPA", "ecma 8.3.158", "ab\x1b[3dX", "ab||  X", 3, 4},
	{"VPR", "ecma 8.3.160", "ab\x1b[2eX", "ab||  X", 3, 4},
	{"VPB", "ecma 8.3.159", "\x1b[4;1H\x1b[2kX", "|X", 2, 2},
	{"CHT CBT", "ecma 8.3.10", "\x1b[IX\x1b[ZY", "        Y", 1, 10},
	{"IND", "ctl ESC D", "a\x1bDb", "a| b", 2, 3},
	{"NEL", "ctl ESC E", "a\x1bEb", "a|b", 2, 2},
	{"RI", "ctl ESC M", "a\x1bMb", " b|a", 1, 3},
	{"RI at the margin", "vt RI", "1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2;1H\x1bMX", "1|X|2|4", 2, 2},
	{"IND at the margin", "vt IND", "1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\x1bDX", "1|3|X|4", 3, 2},
	{"LF below the region", "vt DECSTBM", "\x1b[1;3r\x1b[5;1Ha\nb", "||||ab", 5, 3},
	{"DECSTBM homes", "vt DECSTBM", "abc\x1b[2;4rX", "Xbc", 1, 2},
	{"DECSTBM of one line is refused", "vt DECSTBM", "1\r\n2\x1b[2;2rX", "1|2X", 2, 3},

	{"ICH", "ecma 8.3.64", "abcdef\x1b[2G\x1b[2@X", "aX bcdef", 1, 3},
	{"ICH pushes out", "ecma 8.3.64", "0123456789\x1b[1G\x1b[3@", "   0123456", 1, 1},
	{"DCH", "ecma 8.3.26", "abcdef\x1b[2G\x1b[2P", "adef", 1, 2},
	{"DCH of all", "ecma 8.3.26", "abcdef\x1b[2G\x1b[4294967295P", "a", 1, 2},
	{"ECH", "ecma 8.3.38", "abcdef\x1b[2G\x1b[2X", "a  def", 1, 2},
	{"ECH too far", "ecma 8.3.38", "abcdef\x1b[2G\x1b[4294967295X", "a", 1, 2},
	{"IL", "ecma 8.3.67", "1\r\n2\r\n3\x1b[2;2H\x1b[LX", "1|X|2|3", 2, 2},
	{"DL", "ecma 8.3.32", "1\r\n2\r\n3\r\n4\x1b[2;2H\x1b[2MX", "1|X", 2, 2},
	{"IL DL outside the margins", "vt IL", "1\r\n2\x1b[3;4r\x1b[1;1H\x1b[L\x1b[M", "1|2", 1, 1},
	{"IL within margins", "vt IL", "1\r\n2\r\n3\r\n4\r\n5\x1b[2;4r\x1b[3;1H\x1b[L", "1|2||3|5", 3, 1},
	{"DL within margins", "vt DL", "1\r\n2\r\n3\r\n4\r\n5\x1b[2;4r\x1b[2;1H\x1b[M", "1|3|4||5", 2, 1},
	{"SU", "ecma 8.3.147", "1\r\n2\r\n3\x1b[2S", "3", 3, 2},
	{"SD", "ecma 8.3.113", "1\r\n2\x1b[T", "|1|2", 2, 2},
	{"SD with 0 is for mode 1001", "ctl CSI T", "1\r\n2\x1b[0T", "1|2", 2, 2},
	{"highlight tracking's five", "ctl CSI T", "1\r\n2\x1b[?1001h\x1b[1;1;1;1;5T", "1|2", 2, 2},
	{"SD with ^", "ecma 8.3.113", "1\r\n2\x1b[2^", "||1|2", 2, 2},
	{"REP", "ecma 8.3.103", "a\x1b[3b", "aaaa", 1, 5},
	{"REP wide", "ecma 8.3.103", "日\x1b[2b", "日日日", 1, 7},
	{"REP after a control function", "ecma 8.3.103", "a\r\x1b[2bb\x1b[m\x1b[2bc\x1b7\x1b[2b", "bc", 1, 3},
	{"REP of nothing", "ecma 8.3.103", "\x1b[3bX", "X", 1, 2},
	{"ED below", "ecma 8.3.39", "111\r\n222\r\n333\x1b[2;2H\x1b[J", "111|2", 2, 2},
	{"ED above", "ecma 8.3.39", "111\r\n222\r\n333\x1b[2;2H\x1b[1J", "|  2|333", 2, 2},
	{"ED all", "ecma 8.3.39", "111\r\n222\x1b[2J", "", 2, 4},
	{"EL", "ecma 8.3.41", "abcdef\x1b[3G\x1b[K", "ab", 1, 3},
	{"EL left", "ecma 8.3.41", "abcdef\x1b[3G\x1b[1K", "   def", 1, 3},
	{"EL all", "ecma 8.3.41", "abcdef\x1b[3G\x1b[2K", "", 1, 3},
	{"DECSEL spares", "vt DECSEL", "\x1b[1\"qab\x1b[0\"qcd\x1b[1G\x1b[?K", "ab", 1, 1},
	{"DECSED spares", "vt DECSED", "\x1b[1\"qab\x1b[2\"qcd\x1b[?2J", "ab", 1, 5},
	{"EL does not spare", "vt DECSCA", "\x1b[1\"qab\x1b[1G\x1b[K", "", 1, 1},

	{"IRM", "ecma 7.2.10", "abc\x1b[1G\x1b[4hX\x1b[4lY", "XYbc", 1, 3},
	{"LNM", "ecma A.2", "\x1b[20ha\nb", "a|b", 2, 2},
	{"DECOM", "vt DECOM", "\x1b[2;4r\x1b[?6hX\x1b[9;1HY", "|X||Y", 4, 2},
	{"DECSC DECRC", "vt DECSC", "ab\x1b7\x1b[4;4H\x1b8X", "abX", 1, 4},
	{"DECRC without a save", "vt DECRC", "\x1b[3;3H\x1b8X", "X", 1, 2},
	{"DECSC keeps the wait to wrap", "vt DECSC", "0123456789\x1b7\x1b[H\x1b8X", "0123456789|X", 2, 2},
	{"SCOSC SCORC", "ctl CSI s", "ab\x1b[s\x1b[4;4H\x1b[uX", "abX", 1, 4},
	{"HTS TBC", "ecma 8.3.62", "\x1b[4G\x1bH\r\tX\x1b[4G\x1b[g\r\tY", "   X    Y", 1, 10},
	{"TBC all", "ecma 8.3.154", "\x1b[3g\tX", "         X", 1, 10},
	{"DECALN", "vt DECALN", "\x1b#8", "EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE", 1, 1},
	{"RIS", "vt RIS", "abc\x1b[2;3r\x1b[?6h\x1bcX", "X", 1, 2},
	{"DECSTR", "vt DECSTR", "\x1b[2;3r\x1b[?6h\x1b[4h\x1b[!p\x1b[HX", "X", 1, 2},

	{"DEC graphics", "vt table 2-4", "\x1b(0lqk\x1b(Bq", "┌─┐q", 1, 5},
	{"SO SI", "ecma 8.3.124", "\x1b)0q\x0eq\x0fq", "q─q", 1, 4},
	{"SS2", "ecma 8.3.141", "\x1b*0q\x1bNqq", "q─q", 1, 4},
	{"SS3", "ecma 8.3.142", "\x1b+0q\x1bOqq", "q─q", 1, 4},
	{"LS2 LS3", "ecma 8.3.78", "\x1b*0\x1b+A\x1bnq\x1bo#\x0f#", "─£#", 1, 4},
	{"an unknown set is ASCII", "vt SCS", "\x1b(Kq[", "q[", 1, 3},
	{"DECST8C", "vt DECST8C", "\x1b[3g\x1b[?5W\tX", "        X", 1, 10},
	{"XTSAVE XTRESTORE", "ctl CSI ? s", "\x1b[?7s\x1b[?7l\x1b[?7r0123456789a", "0123456789|a", 2, 2},
	{"DECCOLM clears where it may", "vt DECCOLM", "abc\x1b[?40h\x1b[?3hX", "X", 1, 2},
	{"DECCOLM without 40", "ctl mode 40", "abc\x1b[?3hX", "abcX", 1, 5},
	{"DECNCSM keeps", "vt DECNCSM", "abc\x1b[?40h\x1b[?95h\x1b[?3hX", "Xbc", 1, 2},
	{"DECSLRM refuses one column", "vt DECSLRM", "abc\x1b[?69h\x1b[3;3sX", "abcX", 1, 5},
	{"DECSLRM wraps at its margin", "vt DECSLRM", "\x1b[?69h\x1b[3;5s\x1b[1;3H日日", "  日|  日", 2, 5},
	{"origin mode with both margins", "vt DECOM", "\x1b[?69h\x1b[3;6s\x1b[2;4r\x1b[?6h\x1b[2;2HX", "||   X", 3, 5},
	{"ICH outside the margins", "vt ICH", "0123456789\x1b[?69h\x1b[3;6s\x1b[1;9H\x1b[@", "0123456789", 1, 9},
	{"RI with side margins", "vt RI", "0123456789\x1b[?69h\x1b[3;6s\x1b[1;3H\x1bM", "01    6789|  2345", 1, 3},
	{"British", "vt SCS", "\x1b(A#", "£", 1, 2},

	{"DECSLRM", "vt DECSLRM", "\x1b[?69h\x1b[3;6s\x1b[1;3Habcdef", "  abcd|  ef", 2, 5},
	{"DECSLRM CR", "vt CR", "\x1b[?69h\x1b[3;6s\x1b[2;5H\rX", "|  X", 2, 4},
	{"DECSLRM IL", "vt IL", "0123456789\r\n0123456789\x1b[?69h\x1b[3;6s\x1b[1;3H\x1b[L", "01    6789|0123456789|  2345", 1, 3},
	{"DECSLRM DCH", "vt DCH", "0123456789\x1b[?69h\x1b[3;6s\x1b[1;4H\x1b[P", "01245 6789", 1, 4},
	{"DECSLRM scroll", "vt DECLRMM", "0123456789\r\nabcdefghij\x1b[?69h\x1b[3;6s\x1b[S", "01cdef6789|ab    ghij", 1, 1},
	{"CSI s is a save without mode 69", "ctl CSI s", "ab\x1b[s\x1b[H\x1b[uX", "abX", 1, 4},
	{"DECIC", "vt DECIC", "abc\r\ndef\x1b[1;2H\x1b[2'}", "a  bc|d  ef", 1, 2},
	{"DECDC", "vt DECDC", "abc\r\ndef\x1b[1;2H\x1b['~", "ac|df", 1, 2},
	{"SL SR", "ecma 8.3.121", "abc\r\ndef\x1b[ @\x1b[2 A", "  bc|  ef", 2, 4},
	{"DECBI DECFI", "vt DECBI", "abc\x1b[1;1H\x1b6\x1b[1;10H\x1b9", "abc", 1, 10},
	{"DECFRA", "vt DECFRA", "\x1b[88;2;2;3;4$x", "| XXX| XXX", 1, 1},
	{"DECERA", "vt DECERA", "abcdef\r\nabcdef\x1b[1;2;2;3$z", "a  def|a  def", 2, 7},
	{"DECCRA", "vt DECCRA", "ab\r\ncd\x1b[1;1;2;2;1;3;4;1$v", "ab|cd|   ab|   cd", 2, 3},
	{"rectangles too far", "vt DECFRA", "\x1b[88;5;9;4294967296;4294967296$x", "||||        XX", 1, 1},
	{"rectangle upside down", "vt DECFRA", "a\x1b[88;3;3;2;2$x", "a", 1, 2},
	{"DECFRA of a control", "vt DECFRA", "a\x1b[27;1;1;2;2$x", "a", 1, 2},
	{"DECFRA in origin mode", "vt DECFRA", "\x1b[2;4r\x1b[?6h\x1b[88;1;1;9;2$x", "|XX|XX|XX", 2, 1},
	{"DECERA cuts wide ones", "vt DECERA", "日本\x1b[1;2;1;3$z", "", 1, 5},
	{"DECCRA in origin mode stops at the margins", "vt DECCRA", "\x1b[?69h\x1b[2;4s\x1b[1;3r\x1b[?6hab\x1b[1;1;1;2;1;2;3;1$v", " ab|   a", 1, 4},
	{"DECCRA leaves no halves", "vt DECCRA", "日本\x1b[1;2;1;3;1;3;1;1$v", "日本", 1, 5},
	{"DECSERA spares a wide one", "vt DECSERA", "\x1b[1\"q日\x1b[0\"q本\x1b[1;2;1;3${", "日", 1, 5},
	{"DECSEL takes a wide one whole", "vt DECSEL", "日本\x1b[4G\x1b[?K", "日", 1, 4},
	{"DECRC brings origin mode back", "vt DECRC", "\x1b[2;4r\x1b[?6h\x1b7\x1b[?6l\x1b8\x1b[HX", "|X", 2, 2},
	{"VPR in origin mode", "ctl", "\x1b[2;4r\x1b[?6h\x1b[9eX", "|||X", 4, 2},
	{"HPR in origin mode", "ctl", "\x1b[?69h\x1b[3;6s\x1b[?6h\x1b[9aX", "     X", 1, 6},
	{"SL outside the margins", "ctl", "0123456789\x1b[?69h\x1b[3;6s\x1b[1;9H\x1b[ @", "0123456789", 1, 9},
	{"IRM outside the margins", "ctl", "0123456789\x1b[?69h\x1b[3;6s\x1b[1;9H\x1b[4hX", "01234567X9", 1, 10},
	{"SGR in the middle of a cluster", "UAX 29", "e\x1b[1m\u0301x", "e\u0301x", 1, 3},
	{"DECSERA", "vt DECSERA", "a\x1b[1\"qb\x1b[0\"qc\x1b[1;1;1;3${", " b", 1, 4},

	{"wide", "UAX 11", "日本", "日本", 1, 5},
	{"wide does not fit", "ctl", "012345678日", "012345678|日", 2, 3},
	{"wide cut on its left", "ctl", "日本\x1b[1GX", "X 本", 1, 2},
	{"wide cut on its right", "ctl", "日本\x1b[2GX", " X本", 1, 3},
	{"wide cut by ECH", "ctl", "日本\x1b[2G\x1b[2X", "", 1, 2},
	{"wide cut by DCH", "ctl", "日本x\x1b[2G\x1b[P", "  本x"[1:], 1, 2},
	{"combining", "UAX 29", "e\u0301x", "e\u0301x", 1, 3},
	{"combining at the edge", "UAX 29", "012345678e\u0301", "012345678e\u0301", 1, 10},
	{"combining alone", "UAX 29", "\u0301x", "x", 1, 2},
	{"joined emoji", "UAX 29", "👩‍💻x", "👩‍💻x", 1, 4},
	{"flag", "UAX 29", "🇬🇧🇩🇪x", "🇬🇧🇩🇪x", 1, 6},
	{"variation selector widens", "UTS 51", "✳️x", "✳️x", 1, 4},
	{"Hangul letters", "UAX 29", "\u1112\u1161\u11ab", "\u1112\u1161\u11ab", 1, 3},
	{"clusters off", "mode 2027", "\x1b[?2027l👩‍💻", "👩‍💻", 1, 5},
	{"Claude's title is no text", "ctl OSC", "\x1b]0;✳ Claude Code\x07x", "x", 1, 2},
	{"malformed", "Unicode 3.9", "a\xffb\xe2\x9cc\xc0\xafd", "a\ufffdb\ufffdc\ufffd\ufffdd", 1, 9},
	{"surrogate", "Unicode 3.9", "\xed\xa0\x80", "\ufffd\ufffd\ufffd", 1, 4},
	{"raw C1 is malformed, not CSI", "ctl", "\x9b2Jx", "\ufffd2Jx", 1, 5},
	{"C1 as UTF-8 is nothing", "ctl", "\u009b2Jx", "2Jx", 1, 4},
	{"bidi override is nothing", "UAX 9", "a\u202eb\u2066c", "abc", 1, 4},
	{"DEL is nothing", "ecma", "a\x7fb", "ab", 1, 3},

	{"APC DCS PM SOS", "ecma 8.3.2", "a\x1b_x\x1b\\b\x1bPx\x1b\\c\x1b^x\x1b\\d\x1bXx\x1b\\e", "abcde", 1, 6},
	{"BEL does not end APC", "ecma", "\x1b_x\x07y\x1b\\a", "a", 1, 2},
	{"unknown CSI", "ecma 5.4", "a\x1b[1;2;3zb\x1b[?99yc\x1b[1$%qd", "abcd", 1, 5},
	{"too many parameters", "ctl", "\x1b[" + strings.Repeat("1;", 100) + "mX", "X", 1, 2},
	{"C0 inside CSI", "vt", "ab\x1b[1\b;1HX", "Xb", 1, 2},
	{"CAN breaks off", "vt", "a\x1b[2\x18Jb", "aJb", 1, 4},
	{"ESC begins anew", "vt", "a\x1b[2\x1b[1GX", "X", 1, 2},
	{"OSC broken off by CSI", "ctl", "\x1b]0;x\x1b[3GX", "  X", 1, 4},
	{"reverse wrap", "ctl mode 45", "\x1b[?45h0123456789ab\x1b[4DX", "01234567X9|ab"[:9] + "9|ab", 1, 10},
	{"47 keeps", "ctl", "main\x1b[?47halt\x1b[?47l", "main", 1, 8},
	{"1047 clears when left", "ctl", "main\x1b[?1047halt\x1b[?1047l\x1b[?1047h", "", 1, 8},
	{"1049 saves the cursor and clears", "ctl", "main\x1b[?1049h\x1b[Halt\x1b[?1049lX", "mainX", 1, 6},
	{"1049 twice keeps the first cursor", "ctl", "main\x1b[?1049h\x1b[3;3H\x1b[?1049h\x1b[?1049lX", "mainX", 1, 6},
	{"1048", "ctl", "ab\x1b[?1048h\x1b[4;4H\x1b[?1048lX", "abX", 1, 4},
}

func TestControlFunctions(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			whole := New(Options{Cols: 10, Rows: 5})
			whole.Write([]byte(c.in))
			expect(t, whole, c.want, c.y, c.x)
		})
	}
}

func expect(t *testing.T, term *Terminal, want string, y, x int) bool {
	t.Helper()
	ok := true
	if got := text(term); got != want {
		t.Errorf("screen is %q, want %q", got, want)
		ok = false
	}
	if gy, gx := term.cur.y+1, term.cur.x+1; gy != y || gx != x {
		t.Errorf("cursor is at %d;%d, want %d;%d", gy, gx, y, x)
		ok = false
	}
	if err := term.check(); err != nil {
		t.Error(err)
		ok = false
	}
	return ok
}

// TestEveryModeIsKeptAndReported sets and resets each mode that there is and
// asks for it by DECRQM.
func TestEveryModeIsKeptAndReported(t *testing.T) {
	ask := func(form string, n int) {
		t.Helper()
		term := New(Options{Cols: 10, Rows: 5})
		for final, want := range map[string]int{"h": 1, "l": 2} {
			fmt.Fprintf(term, "\x1b["+form+"%d%s", n, final)
			term.TakeReplies(nil)
			fmt.Fprintf(term, "\x1b["+form+"%d$p", n)
			if got := string(term.TakeReplies(nil)); got != fmt.Sprintf("\x1b["+form+"%d;%d$y", n, want) {
				t.Errorf("mode %s%d after %s is reported as %q", form, n, final, got)
			}
		}
	}
	for _, n := range []int{2, 4, 12, 20} {
		ask("", n)
	}
	for _, n := range []int{
		1, 3, 4, 5, 6, 7, 8, 9, 12, 25, 40, 45, 47, 66, 67, 69, 95, 1000, 1002, 1003, 1004, 1005, 1006, 1007,
		1015, 1016, 1036, 1047, 1049, 2004, 2026, 2027, 2031, 2048,
	} {
		ask("?", n)
	}
	for _, n := range []int{1034, 2, 9001, 99999} {
		term := New(Options{})
		fmt.Fprintf(term, "\x1b[?%dh\x1b[?%d$p", n, n)
		if got := string(term.TakeReplies(nil)); got != fmt.Sprintf("\x1b[?%d;0$y", n) {
			t.Errorf("mode %d, which there is not, is reported as %q", n, got)
		}
	}
}

func TestPens(t *testing.T) {
	term := New(Options{Cols: 40, Rows: 2})
	cell := func(in string) (Cell, Color) {
		term.Write([]byte("\x1b[m\x1b[2J\x1b[H" + in + "x"))
		var c Cell
		var ul Color
		term.View(func(s *Screen) {
			c = s.Line(s.Top).Cells[0]
			ul = s.UnderlineColor(c)
		})
		return c, ul
	}
	for _, c := range []struct {
		in     string
		fg, bg Color
		attr   Attr
		ul     Underline
		ulc    Color
	}{
		{in: "\x1b[31m", fg: PaletteColor(1)},
		{in: "\x1b[97;102m", fg: PaletteColor(15), bg: PaletteColor(10)},
		{in: "\x1b[38;5;200m", fg: PaletteColor(200)},
		{in: "\x1b[38:5:200m", fg: PaletteColor(200)},
		{in: "\x1b[38;2;1;2;3m", fg: RGBColor(1, 2, 3)},
		{in: "\x1b[38:2:1:2:3m", fg: RGBColor(1, 2, 3)},
		{in: "\x1b[38:2::1:2:3m", fg: RGBColor(1, 2, 3)},
		{in: "\x1b[48:2::1:2:3:0:0m", bg: RGBColor(1, 2, 3)},
		{in: "\x1b[38;2;1;2;3;1m", fg: RGBColor(1, 2, 3), attr: Bold},
		{in: "\x1b[38;5;1;48;5;2;3m", fg: PaletteColor(1), bg: PaletteColor(2), attr: Italic},
		{in: "\x1b[38;2;300;2;3m"},
		{in: "\x1b[38;5m"},
		{in: "\x1b[38m"},
		{in: "\x1b[1;2;3;5;7;8;9;53m", attr: Bold | Faint | Italic | Blink | Inverse | Concealed | Strike | Overline},
		{in: "\x1b[1;2;3;5;7;8;9;53m\x1b[22;23;25;27;28;29;55m"},
		{in: "\x1b[4m", ul: UnderlineSingle},
		{in: "\x1b[21m", ul: UnderlineDouble},
		{in: "\x1b[4:3m", ul: UnderlineCurly},
		{in: "\x1b[4:0m"},
		{in: "\x1b[4:5m\x1b[24m"},
		{in: "\x1b[4;58;2;9;8;7m", ul: UnderlineSingle, ulc: RGBColor(9, 8, 7)},
		{in: "\x1b[4;58:5:9m", ul: UnderlineSingle, ulc: PaletteColor(9)},
		{in: "\x1b[4;58:5:9m\x1b[59m", ul: UnderlineSingle},
		{in: "\x1b[31;1mm\x1b[1G\x1b[0m"},
		{in: "\x1b[31;1mm\x1b[1G\x1b[m"},
		{in: "\x1b[31m\x1b[39m"},
	} {
		got, ulc := cell(c.in)
		if got.FG != c.fg || got.BG != c.bg || got.Attr&(sgrMask&^underlineMask) != c.attr || got.Attr.Underline() != c.ul || ulc != c.ulc {
			t.Errorf("%q gives fg %x bg %x attr %x underline %d colour %x", c.in, got.FG, got.BG, got.Attr, got.Attr.Underline(), ulc)
		}
	}
}

// TestEraseTakesTheBackground is BCE: what is erased has the pen's background.
func TestEraseTakesTheBackground(t *testing.T) {
	for _, in := range []string{"\x1b[J", "\x1b[K", "\x1b[2J", "\x1b[X", "\x1b[@", "\x1b[P", "\x1b[L", "\x1b[M", "\x1b[S", "\x1b[T", "\x1bM"} {
		term := New(Options{Cols: 4, Rows: 1})
		term.Write([]byte("\x1b[41m" + in))
		found := false
		for _, c := range term.main.rows[0].cells {
			found = found || c.BG == PaletteColor(1)
		}
		if !found {
			t.Errorf("%q leaves the default background", in)
		}
	}
}

// TestHugeCountsEndAtTheScreen runs every function that counts with the
// largest number there is.
func TestHugeCountsEndAtTheScreen(t *testing.T) {
	for f := '@'; f <= '~'; f++ {
		for _, form := range []string{"%[1]d%[2]c", "?%[1]d%[2]c", "%[1]d;%[1]d%[2]c", "%[1]d %[2]c", "%[1]d'%[2]c", "%[1]d;1;1;%[1]d;%[1]d;%[1]d;%[1]d$%[2]c", ">%[1]d%[2]c"} {
			term := New(Options{Cols: 10, Rows: 5, Scrollback: 20})
			term.Write([]byte("日a\x1b[" + fmt.Sprintf(form, uint64(1)<<32, f)))
			if err := term.check(); err != nil {
				t.Errorf(form+": %v", 0, f, err)
			}
		}
	}
}
