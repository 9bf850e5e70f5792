"""Runs the tests, a few at a time, and says what they showed."""

import concurrent.futures
import os
import time
import traceback
from dataclasses import dataclass, field

from .mac import Failed, Mac

TESTS = []
#: Of what takes long, one part runs every time; which one changes from day to day. The variable names another.
TURN = int(os.environ.get("DARWIN_DOUBLE_TURN", time.time() // 86400))
#: What of it runs this time, for the table.
IN_PART = []


@dataclass
class Test:
    part: str
    name: str
    function: object
    alone: bool = False
    if_named: bool = False
    seconds: float = 0.0
    failure: str = ""
    said: list = field(default_factory=list)

    def run(self):
        began = time.monotonic()
        mac = None
        try:
            mac = Mac(**getattr(self.function, "mac", {}))
            said = self.function(mac)
            self.said = said if isinstance(said, list) else [said] if said else []
        except Failed as failed:
            self.failure = str(failed)
        except Exception:
            self.failure = traceback.format_exc()
        finally:
            if mac is not None:
                if self.failure and os.environ.get("DARWIN_DOUBLE_KEEP"):
                    self.failure += f"\nkept: {mac.folder}"
                    mac.end_everything()
                else:
                    mac.remove()
        self.seconds = time.monotonic() - began
        return self


def test(part, name, alone=False, if_named=False, **mac):
    """Declares a test: a function of a Mac of its own.

    `alone`: nothing else runs beside it, since its time is a question. `if_named`: it takes long, and runs if it is named.
    """

    def declare(function):
        function.mac = mac
        TESTS.append(Test(part, name, function, alone, if_named))
        return function

    return declare


def ended(pool, chosen):
    """The tests as they end."""
    for one in chosen:
        if one.alone:
            yield one.run()
    for done in concurrent.futures.as_completed([pool.submit(one.run) for one in chosen if not one.alone]):
        yield done.result()


def run(chosen, workers):
    """Runs them, prints a line for each, and gives those that failed."""
    failed = []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for one in ended(pool, chosen):
            print(f"{'FAIL' if one.failure else 'ok':4} {one.seconds:6.1f} s  {one.part}: {one.name}", flush=True)
            for line in one.said:
                print(f"                 {line}", flush=True)
            if one.failure:
                failed.append(one)
                print("     " + one.failure.replace("\n", "\n     "), flush=True)
    return failed
