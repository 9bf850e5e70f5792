//! What a declaration of the second format states, item by item, and what each item can be.
//!
//! The table is what documents are held to; the schema says the same (a test compares them), and SPEC 8.5 explains it.

use super::number::WholeRange;

/// What an item can be, besides `none` and `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemType {
    /// A short text that is sealed as it is written.
    Name,
    /// The same, and no alias that moves.
    Version,
    /// Whatever its author has to say of it: a value, a structure, or a reference. A text counts by the digest of its bytes.
    Free,
    /// Files, a folder, or their digest; never a description.
    Weights,
    /// A list, or a file that holds one; a text alone would be another spelling of a list of one.
    List,
    /// A whole number in a range.
    Whole(WholeRange),
    /// A decimal number as a text, between two whole numbers.
    Decimal(i64, i64),
    /// An amount from 0 up to the largest: a whole number, or a text if it has a fraction.
    Amount(i64),
    /// The identity of another declaration.
    Identity,
    /// A list of them.
    Identities,
    /// Variables by name, each a text or a reference.
    Variables,
    /// The words of a command line.
    Command,
    /// The profile of a registry.
    Sandbox,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberShape {
    /// One item.
    Item(ItemType),
    /// Several, by name. To say of all of them at once that there are none, or that they are unknown, is to say it of each.
    Group(&'static [Member]),
}

/// A name, and what stands under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: &'static str,
    /// Whether it may be left out.
    pub(super) optional: bool,
    pub(super) shape: MemberShape,
}

const fn item(name: &'static str, item: ItemType) -> Member {
    Member { name, optional: false, shape: MemberShape::Item(item) }
}

const fn optional(name: &'static str, item: ItemType) -> Member {
    Member { name, optional: true, shape: MemberShape::Item(item) }
}

const fn group(name: &'static str, members: &'static [Member]) -> Member {
    Member { name, optional: false, shape: MemberShape::Group(members) }
}

use ItemType::{
    Amount, Command, Decimal, Free, Identities, Identity, List, Name, Sandbox, Variables, Version, Weights, Whole,
};

/// The highest temperature that is taken for one.
const HOTTEST: i64 = 100;
/// The longest wait, in seconds: a hundred years.
const LONGEST_SECONDS: i64 = 3_155_760_000;

/// The four parts.
pub(super) const PARTS: [Member; 4] = [
    group(
        "artifact",
        &[
            item("code", Free),
            group("build", &[item("lock", Free), item("image", Free), optional("other", Free)]),
            group(
                "model",
                &[
                    item("name", Name),
                    item("version", Version),
                    item("weights", Weights),
                    optional("adapters", Free),
                    item("tokenizer", Free),
                    item("chat_template", Free),
                    item("precision", Name),
                    optional("other", Free),
                ],
            ),
            item("system_instructions", Free),
            item("prompt", Free),
            group(
                "parameters",
                &[
                    item("temperature", Decimal(0, HOTTEST)),
                    item("top_p", Decimal(0, 1)),
                    item("seed", Whole(WholeRange::ANY)),
                    item("max_output_tokens", Whole(WholeRange::POSITIVE)),
                    item("defaults", Free),
                    optional("other", Free),
                ],
            ),
            group("tools", &[item("definitions", Free), item("implementations", Free), optional("other", Free)]),
            group(
                "retrieval",
                &[
                    item("index", Free),
                    item("embedding_model", Free),
                    item("settings", Free),
                    item("retrieved", List),
                    optional("other", Free),
                ],
            ),
            item("conversation", Free),
            item("memory_policy", Free),
            optional("command", Command),
            optional("read", Free),
            optional("other", Free),
        ],
    ),
    group(
        "runtime",
        &[
            group("engine", &[item("name", Name), item("version", Version), item("settings", Free)]),
            group(
                "hardware",
                &[item("processor", Name), item("accelerator", Name), item("driver", Name), optional("other", Free)],
            ),
            item("libraries", Free),
            item("environment", Variables),
            item("clock", Free),
            item("provider", Free),
            group(
                "scheduler",
                &[
                    item("slots", Whole(WholeRange::POSITIVE)),
                    item("companions", Whole(WholeRange::NATURAL)),
                    item("retries", Whole(WholeRange::NATURAL)),
                    item("timeout_seconds", Amount(LONGEST_SECONDS)),
                    item("fallback", Free),
                    optional("other", Free),
                ],
            ),
            item("infrastructure", Free),
            group("rollout", &[item("share_percent", Amount(100)), item("flags", Free), optional("other", Free)]),
            optional("other", Free),
        ],
    ),
    group(
        "policy",
        &[
            item("approval_rules", List),
            item("escalation", Free),
            item("veto_thresholds", Free),
            item("safety_filters", Free),
            optional("sandbox", Sandbox),
            optional("other", Free),
        ],
    ),
    group(
        "history",
        &[
            optional("deployment", Identity),
            item("memory", Free),
            item("cached_context", Free),
            item("approvals", List),
            item("interventions", List),
            item("earlier_runs", Identities),
            optional("other", Free),
        ],
    ),
];
