#!/usr/bin/env python3
"""Asks a real xterm what it makes of control functions, for TestAsXtermDoes.

Start it inside xterm on 10 by 5 cells, with reports of the screen allowed:

  xterm -u8 -geometry 10x5 -xrm '*allowWindowOps: true' -xrm '*disallowedWindowOps:' \\
    -xrm '*decTerminalID: 420' -e ./record.py answers.jsonl

Each line of the answer holds the name of a case, what was sent, the screen
joined by bars, the attributes of its cells likewise (bits 10 underline, 20
inverse, 40 blink, 80 bold, as DECRQCRA counts them; empty if there are none),
the cursor's line and column, and whether origin mode was set.
"""
import json, os, re, select, sys, termios, tty

FULL = '\x1b[H0123456789\r\nabcdefghij\r\nABCDEFGHIJ\r\nklmnopqrst\r\nKLMNOPQRST'
BOTH = '\x1b[?69h\x1b[3;8s\x1b[2;4r'
PLACES = {
    'middle': FULL + '\x1b[3;5H',
    'in both margins': FULL + BOTH + '\x1b[3;5H',
    'at the top left margin': FULL + BOTH + '\x1b[2;3H',
    'at the bottom right margin': FULL + BOTH + '\x1b[4;8H',
    'before the margins': FULL + BOTH + '\x1b[1;1H',
    'beside the margins': FULL + BOTH + '\x1b[3;10H',
    'behind the margins': FULL + BOTH + '\x1b[5;10H',
    'origin mode': FULL + BOTH + '\x1b[?6h\x1b[2;3H',
    'wrap waits': '\x1b[H0123456789',
    'wrap waits at the margin': FULL + BOTH + '\x1b[3;5HWXYZ',
    'half of a wide one': '\x1b[2;1H日本語日本\x1b[3;2H日本語日\x1b[2;4H',
    'wide ones across both margins': '\x1b[2;2H日本語日\x1b[3;2H日本語日\x1b[4;2H日本語日' + BOTH + '\x1b[3;4H',
}
COUNTED = {
    'ICH': '@', 'CUU': 'A', 'CUD': 'B', 'CUF': 'C', 'CUB': 'D', 'CNL': 'E', 'CPL': 'F', 'CHA': 'G', 'CHT': 'I',
    'IL': 'L', 'DL': 'M', 'DCH': 'P', 'SU': 'S', 'SD': 'T', 'ECH': 'X', 'CBT': 'Z', 'HPA': '`', 'HPR': 'a',
    'VPA': 'd', 'VPR': 'e', 'SL': ' @', 'SR': ' A', 'DECIC': "'}", 'DECDC': "'~",
}
PLAIN = {
    'BS': '\b', 'HT': '\t', 'LF': '\n', 'CR': '\r', 'IND': '\x1bD', 'NEL': '\x1bE', 'RI': '\x1bM', 'DECBI': '\x1b6',
    'DECFI': '\x1b9', 'ED 0': '\x1b[J', 'ED 1': '\x1b[1J', 'ED 2': '\x1b[2J', 'EL 0': '\x1b[K', 'EL 1': '\x1b[1K',
    'EL 2': '\x1b[2K', 'DECSED 0': '\x1b[?J', 'DECSEL 1': '\x1b[?1K', 'CUP': '\x1b[H', 'CUP 2;2': '\x1b[2;2H',
    'CUP too far': '\x1b[4294967296;4294967296H', 'HVP 0;0': '\x1b[0;0f', 'DECSTBM': '\x1b[r', 'DECSTBM 2;3': '\x1b[2;3r',
    'DECSTBM upside down': '\x1b[3;2r', 'DECSTBM 0;0': '\x1b[0;0r', 'DECSTBM too far': '\x1b[2;4294967296r',
    'DECSLRM 4;6': '\x1b[4;6s', 'DECSTR': '\x1b[!p', 'DECALN': '\x1b#8', 'DECSC DECRC': '\x1b7\x1b[1;1H\x1b8',
    'DECOM off': '\x1b[?6l', 'IRM': '\x1b[4hYZ\x1b[4l', 'REP': 'r\x1b[3b', 'REP 0': 'r\x1b[0b', 'text': 'uvwxyz', 'wide text': '語語語',
    'DECAWM off': '\x1b[?7luvwxyz', 'reverse wrap': '\x1b[?45h\x1b[3D',
    'DECFRA': '\x1b[42;2;2;3;5$x', 'DECFRA 0': '\x1b[42;0;0;0;0$x', 'DECERA': '\x1b[2;2;3;5$z', 'DECSERA': '\x1b[2;2;3;5${',
    'DECERA upside down': '\x1b[3;5;2;2$z', 'DECERA too far': '\x1b[3;5;4294967296;4294967296$z',
    'DECCRA': '\x1b[1;1;2;3;1;3;6;1$v', 'DECCRA onto itself': '\x1b[2;3;4;6;1;3;4;1$v', 'DECCRA too far': '\x1b[1;1;9;9;1;3;5;1$v',
}
CHANGES = {
    'DECCARA bold': '\x1b[2;3;4;6;1$r', 'DECCARA exact': '\x1b[2*x\x1b[2;3;4;6;1$r', 'DECCARA stream': '\x1b[1*x\x1b[2;3;4;6;1$r',
    'DECSACE 0': '\x1b[2*x\x1b[0*x\x1b[2;3;4;6;7$r', 'DECCARA several': '\x1b[2*x\x1b[2;3;3;6;1;4;5;7$r',
    'DECCARA off': '\x1b[1;4;5;7m\x1b[H0123456789\x1b[m\x1b[2*x\x1b[1;3;1;6;0$r', 'DECCARA without an attribute': '\x1b[1;4;5;7m\x1b[H0123456789\x1b[m\x1b[2*x\x1b[1;3;1;6$r',
    'DECCARA 22 24 25 27': '\x1b[1;4;5;7m\x1b[H0123456789\x1b[m\x1b[2*x\x1b[1;2;1;3;22$r\x1b[1;4;1;5;24$r\x1b[1;6;1;7;25$r\x1b[1;8;1;9;27$r',
    'DECRARA': '\x1b[2*x\x1b[2;3;4;6;1$t', 'DECRARA stream': '\x1b[2;3;4;6;7$t', 'DECRARA twice': '\x1b[2*x\x1b[2;3;4;6;1;4$t\x1b[2;3;4;6;1$t',
    'DECRARA 0': '\x1b[2*x\x1b[2;3;2;4;0$t', 'DECRARA all': '\x1b[2*x\x1b[2;3;2;4;1;4;5;7$t', 'DECRARA of what is set': '\x1b[4;7m\x1b[H0123456789\x1b[m\x1b[2*x\x1b[1;3;1;6;4;5$t',
    'DECCARA one line stream': '\x1b[3;4;3;6;1$r', 'DECCARA upside down': '\x1b[2*x\x1b[4;6;2;3;1$r', 'DECCARA too far': '\x1b[2*x\x1b[4;6;4294967296;4294967296;1$r',
    'DECCARA 0;0;0;0': '\x1b[2*x\x1b[0;0;0;0;1$r', 'DECCARA without corners': '\x1b[2*x\x1b[;;;;1$r', 'DECSACE unknown': '\x1b[2*x\x1b[9*x\x1b[2;3;4;6;1$r',
}


def cases():
    for place, before in PLACES.items():
        for name, final in COUNTED.items():
            for count in ('', '0', '2', '4294967296'):
                yield f'{name} {count or "alone"}, {place}', before + f'\x1b[{count}{final}'
        for name, what in PLAIN.items():
            yield f'{name}, {place}', before + what
        for name in ('CUB', 'ICH', 'ECH', 'EL 0', 'CHT', 'CUD', 'SU', 'VPR', 'HPR', 'DCH'):
            what = '\x1b[' + COUNTED[name] if name in COUNTED else PLAIN[name]
            yield f'{name} and text, {place}', before + what + 'XY'
    for place in ('middle', 'in both margins', 'origin mode', 'wide ones across both margins'):
        for name, what in CHANGES.items():
            yield f'{name}, {place}', PLACES[place] + what


def main():
    tty_fd = os.open('/dev/tty', os.O_RDWR)
    tty.setraw(tty_fd)

    def ask(query, pattern, count=1):
        os.write(tty_fd, query)
        got = b''
        while len(re.findall(pattern, got)) < count:
            if not select.select([tty_fd], [], [], 5)[0]:
                raise SystemExit(f'no answer to {query!r}: {got!r}')
            got += os.read(tty_fd, 4096)
        return re.findall(pattern, got)

    def cells(extension):
        query = b'\x1b[%d#y' % extension
        for y in range(1, 6):
            for x in range(1, 11):
                query += b'\x1b[1;1;%d;%d;%d;%d*y' % (y, x, y, x)
        return [int(v, 16) for v in ask(query, rb'\x1bP1!~([0-9A-F]{4})\x1b\\', 50)]

    with open(sys.argv[1], 'w') as out:
        for name, what in cases():
            ask(b'\x18\x1bc\x1b[?69l\x1b[r\x1b[3J\x1b[2J\x1b[H\x1b[5n', rb'\x1b\[0n')
            os.write(tty_fd, what.encode())
            origin = ask(b'\x1b[?6$p', rb'\x1b\[\?6;(\d)\$y')[0] == b'1'
            y, x = map(int, ask(b'\x1b[6n', rb'\x1b\[(\d+);(\d+)R')[0])
            os.write(tty_fd, b'\x1b[?6l')
            plain, styled = cells(23), cells(21)
            text, marks = [], []
            for i in range(0, 50, 10):
                text.append(''.join(chr(c) if c >= 32 else ' ' for c in plain[i:i + 10] if c != 0xffff).rstrip())
                marks.append(' '.join('%x' % ((b - a) & 0xf0) for a, b in zip(plain[i:i + 10], styled[i:i + 10])))
            marks = '|'.join(marks)
            if not re.search('[1-9a-f]', marks):
                marks = ''
            json.dump([name, what, '|'.join(text).rstrip('|'), marks, y, x, origin], out, ensure_ascii=True)
            out.write('\n')


if __name__ == '__main__':
    main()
