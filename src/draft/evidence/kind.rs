//! The kinds of records that are drafted from.

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceKind {
    /// The body of a request to `/v1/chat/completions`, as OpenAI documents it and others offer it.
    ChatCompletions,
    /// The body of a request to `/v1/messages`, as Anthropic documents it.
    Messages,
    /// The same, with nothing in it that tells the two apart.
    EitherRequest,
    /// A log of `inspect_ai`, version 2, as JSON.
    InspectLog,
    /// Aggregated results of `lm_eval` 0.4.
    LmEvalResults,
    /// A signature over a model or its statement, as `model_signing` 1 writes it.
    ModelSigning,
    /// `dvc.lock`, schema 2.0.
    DvcLock,
}

impl EvidenceKind {
    /// What it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "a chat-completions request",
            Self::Messages => "a messages request",
            Self::EitherRequest => "a chat-completions or messages request",
            Self::InspectLog => "an inspect_ai log",
            Self::LmEvalResults => "results of lm-evaluation-harness",
            Self::ModelSigning => "a model-signing manifest",
            Self::DvcLock => "a DVC lock",
        }
    }
}
