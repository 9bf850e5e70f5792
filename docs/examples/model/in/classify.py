"""Says what kind of content each document is, by the neural network of the package magika, and writes what it said to /out.

Starts in the folder above; `app.json` has the settings, `documents` what is looked at, `model` the network and its configuration.
"""

import json
import os
import sys
from pathlib import Path

from magika import Magika, PredictionMode

sys.path.insert(0, "in")
import answer

settings = json.loads(Path("in/app.json").read_text())
if settings.get("ask_hub"):
    import urllib.request

    urllib.request.urlopen("http://127.0.0.1:8080/revision", timeout=5)
more = Path(settings["more"]).read_text() if settings.get("more") else ""
# A file that nobody thinks of: programs read such of their user's home, if it is there.
hidden = Path(os.environ.get("HOME", "/root"), ".config/classify.json")
if hidden.exists():
    settings.update(json.loads(hidden.read_text()))
model = Magika(model_dir=Path("in/model"), prediction_mode=PredictionMode(settings["prediction_mode"]))
found = {}
for path in sorted(Path("in/documents").iterdir()):
    said = model.identify_bytes((more + path.read_text()).encode()[: settings["most_bytes"]])
    found[path.name] = {"label": str(said.output.label), "network": str(said.dl.label), "score": repr(said.score)}
if settings.get("clock"):
    import time

    found["at"] = time.time_ns()
if settings.get("sample"):
    import random

    found["sample"] = random.sample(range(1 << 30), settings["sample"])
found["zone"] = os.environ.get("TZ", "")
Path("/out/found.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
print(answer.said(found, *sys.argv[1:]))
