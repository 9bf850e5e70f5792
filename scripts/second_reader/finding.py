"""What is wrong with a bundle: a path in it, a code of SPEC 3.1, words for people."""


class Refused(Exception):
    """A step found what ends the verification; the findings say what."""

    def __init__(self, *findings):
        super().__init__(str(findings))
        self.findings = [finding(*one) for one in findings]


class NotDerivable(Refused):
    """The run cannot be evaluated again."""

    def __init__(self, words):
        super().__init__((".", "not_derivable", words))


def finding(path, code, words):
    return {"path": path, "code": code, "message": words}


def in_order(findings):
    """All of them, sorted, each once."""
    unique = {(one["path"], one["code"], one["message"]): one for one in findings}
    return [unique[key] for key in sorted(unique)]
