"""How much of bundles the second reader computes by itself, in numbers."""


class Counts:
    def __init__(self):
        self.found = {}

    def add(self, what, computed, of):
        have = self.found.setdefault(what, [0, 0])
        have[0] += computed
        have[1] += of

    def take(self, bundle):
        """A bundle, or None of one that does not verify. What is computed was held to the bundle, and is the same."""
        self.add("bundles that verify", bundle is not None, 1)
        if bundle is None:
            return
        done, plan = bundle.done, bundle.plan
        self.add("plan digests", 1, 1)
        policies = len(plan.profiles) + (plan.preflight is not None)
        self.add("policy values", policies if bundle.declaration else 0, policies)
        profiles = [one for one in plan.profiles if done.lanes["scenario"]]
        self.add("controls (two a profile)", 2 * sum(one.policy.mode != "sbpl" for one in profiles), 2 * len(profiles))
        controls = sum(one[kind]["status"] != "not_derivable" for one in done.controls or () for kind in ("must_deny", "must_allow"))
        self.add("control rows", controls, controls)
        self.add("oracle rows", len(done.answered), len(done.asked))
        self.add("baseline rows", len(done.baselines), len(done.baselines))
        self.add("scenario rows", sum(outcome is not None for _, _, outcome in done.outcomes), len(done.outcomes))
        for word in ("allow", "deny", None):
            count = sum(outcome is not None and outcome[0] == word for _, _, outcome in done.outcomes)
            self.add(f"  {word or 'undecided'}", count, count)
        if "verdicts.jsonl" in bundle.files:
            self.add("verdicts.jsonl, byte for byte", 1, 1)

    def lines(self):
        yield f"{'':32}computed      of"
        for what, (computed, of) in self.found.items():
            yield f"{what:32}{computed:8}{of:8}"
