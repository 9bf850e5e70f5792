"""What is printed."""


def said(found, *names):
    kinds = [f"{name} is {one['label']}" for name, one in found.items() if isinstance(one, dict) and (not names or name in names)]
    return "; ".join(kinds) + "."
