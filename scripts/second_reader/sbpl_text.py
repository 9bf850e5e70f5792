"""The printed form of a Seatbelt text (SPEC 2.6): read and written again, nothing evaluated."""

import re

BLANK = " \t\n\r\v\f"
ENDS = BLANK + "()\";"
DECIMAL = re.compile(r"[+-]?[0-9]+\Z")
BASES = {"b": (2, "01"), "o": (8, "01234567"), "d": (10, "0123456789"), "x": (16, "0123456789abcdef")}
MARKS = ("'", "`", ",@", ",")


class NoText(Exception):
    """What is no Seatbelt text, and why."""


def whole(text, rules):
    """The document's text with the profile's own rules behind it."""
    if not rules:
        return text
    text += "\n" if text and not text.endswith("\n") else ""
    return text + "".join(rule + "\n" for rule in rules)


def printed(text):
    """The text's printed form; raises NoText."""
    return _Reader(text).run()


class _Reader:
    def __init__(self, text):
        if "\0" in text:
            raise NoText("it has a NUL")
        self.text, self.at = text, 0

    def run(self):
        #: What is open: lists as their items, and marks as texts that wait for the next datum.
        forms = []
        opened = [forms]
        while True:
            self._skip()
            if self.at == len(self.text):
                break
            first = self.text[self.at]
            if first == "(":
                self.at += 1
                opened.append([])
                continue
            mark = next((one for one in MARKS if self.text.startswith(one, self.at)), None)
            mark = "#" if self.text.startswith("#(", self.at) else mark
            if mark:
                self.at += len(mark)
                opened.append(mark)
                continue
            if first == ")":
                self.at += 1
                items = opened.pop()
                if isinstance(items, str) or not opened:
                    raise NoText("a parenthesis closes nothing")
                datum = "(" + " ".join(items) + ")"
            else:
                datum = self._datum(first)
            while isinstance(opened[-1], str):
                datum = opened.pop() + (" " if datum.startswith("@") else "") + datum
            opened[-1].append(datum)
        if len(opened) > 1:
            raise NoText("something is not closed")
        return "".join(form + "\n" for form in forms)

    def _skip(self):
        while self.at < len(self.text):
            if self.text[self.at] == ";" or self.text.startswith("#!", self.at):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at] in BLANK:
                self.at += 1
            else:
                return

    def _datum(self, first):
        if first == '"':
            self.at += 1
            return self._string()
        if self.text.startswith('#"', self.at):
            return self._raw()
        start = self.at
        if self.text.startswith("#\\", start):
            if start + 2 == len(self.text):
                raise NoText("a character is missing")
            self.at = start + 3
            self._word()
            return self.text[start:self.at]
        if first in "[]{}\ufeff":
            raise NoText(f"{first!r} begins nothing")
        self.at += 1
        self._word()
        return _atom(self.text[start:self.at])

    def _word(self):
        while self.at < len(self.text) and self.text[self.at] not in ENDS:
            self.at += 1

    def _next(self):
        if self.at == len(self.text):
            raise NoText("a string is not closed")
        self.at += 1
        return self.text[self.at - 1]

    def _string(self):
        out = []
        while True:
            c = self._next()
            if c == '"':
                break
            out.append(self._escape() if c == "\\" else c)
        return '"' + re.sub(r'["\\]', lambda one: "\\" + one[0], "".join(out)) + '"'

    def _escape(self):
        c = self._next()
        if c in '\\"':
            return c
        if c in "ntr":
            return {"n": "\n", "t": "\t", "r": "\r"}[c]
        rest = re.compile("[0-9a-fA-F]{0,2}" if c == "x" else "[0-7]{0,2}" if c in "01234567" else "").match(self.text, self.at)[0]
        self.at += len(rest)
        code = None
        if c == "x" and len(rest) == 2:
            code = int(rest, 16)
        elif c in "01234567":
            code = int(c + rest, 8)
        return chr(code) if code is not None and 1 <= code <= 127 else c + rest

    def _raw(self):
        start = self.at
        self.at += 2
        escaped = False
        while True:
            c = self._next()
            if c == '"' and not escaped:
                return self.text[start:self.at]
            escaped = c == "\\" and not escaped


def _atom(word):
    if not word.startswith("#"):
        return _signed(int(word), 10, "") if DECIMAL.match(word) else word
    if word in ("#t", "#f"):
        return word
    base, digits = BASES.get(word[1:2].lower(), (None, ""))
    number = word[2:]
    unsigned = number[1:] if number[:1] in ("+", "-") else number
    if base is None or not unsigned or any(c.lower() not in digits for c in unsigned):
        raise NoText(f"{word} is no atom")
    return _signed(int(number, base), base, "" if base == 10 else "#" + word[1].lower())


def _signed(number, base, head):
    if not -2**63 <= number < 2**63:
        raise NoText(f"{number} is too large")
    form = {2: "b", 8: "o", 10: "d", 16: "x"}[base]
    return head + ("-" if number < 0 else "") + format(abs(number), form)
