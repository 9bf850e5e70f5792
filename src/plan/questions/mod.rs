//! Questions in plain words, and the documents that ask them.
//!
//! [`question`] reads one line, [`document`] the lines of a questions file, [`expand`] makes a plan of them.

mod asker;
mod document;
mod error;
mod expand;
mod question;
mod verbs;
mod words;

pub use asker::Asker;
pub use error::QuestionError;
pub(super) use expand::agrees;
pub use expand::{ExpandedQuestions, HOST_WORLD, QuestionLines, is_questions, profile, read_questions, stand_for};
pub use question::AskQuestion;
pub use verbs::VERBS_HELP;
