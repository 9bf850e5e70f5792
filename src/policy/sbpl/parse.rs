//! Tokens to a syntax tree.

use super::error::{Fault, LocatedFault, SbplError};
use super::lex::{Lexer, TokenKind};
use super::rules::LineColumn;
use super::syntax::{Datum, Doubts, Node, NodeMark, SbplText};
use crate::base::limits::{MAX_POLICY_BYTES, MAX_SBPL_DEPTH, MAX_SBPL_NODES};

/// Reads a profile's text. Neither its size nor its nesting can exhaust memory or stack: both have limits.
///
/// # Errors
/// The first fault of the text.
pub fn parse(text: &str) -> Result<SbplText, SbplError> {
    parse_from(text, LineColumn::at(1, 1))
}

/// The same for a text whose first character stands at `start`.
pub(super) fn parse_from(text: &str, start: LineColumn) -> Result<SbplText, SbplError> {
    parse_stopping(text, start).map_err(|stop| stop.in_text(text))
}

/// A list or a mark that is not complete yet.
struct OpenForm {
    place: LineColumn,
    /// `None`: a list. Otherwise the mark that the next node completes.
    mark: Option<NodeMark>,
    items: Vec<Node>,
}

fn parse_stopping(text: &str, start: LineColumn) -> Result<SbplText, LocatedFault> {
    if text.len() as u64 > MAX_POLICY_BYTES {
        return Err(LocatedFault::new(start, Fault::TooLarge { bytes: text.len(), most: MAX_POLICY_BYTES }));
    }
    let mut lexer = Lexer::new(text, start);
    let mut open: Vec<OpenForm> = Vec::new();
    let mut forms = Vec::new();
    let mut nodes = 0;
    while let Some(token) = lexer.next()? {
        let place = token.place;
        nodes += 1;
        if nodes > MAX_SBPL_NODES {
            return Err(LocatedFault::new(place, Fault::TooMany { most: MAX_SBPL_NODES }));
        }
        let datum = match token.kind {
            TokenKind::Open | TokenKind::Mark(_) => {
                if open.len() == MAX_SBPL_DEPTH {
                    return Err(LocatedFault::new(place, Fault::TooDeep { most: MAX_SBPL_DEPTH }));
                }
                let mark = if let TokenKind::Mark(mark) = token.kind { Some(mark) } else { None };
                open.push(OpenForm { place, mark, items: Vec::new() });
                continue;
            }
            TokenKind::Close => match open.pop() {
                None => return Err(LocatedFault::new(place, Fault::StrayClose)),
                Some(OpenForm { mark: Some(mark), place, .. }) => {
                    return Err(LocatedFault::new(place, Fault::StrayMark { mark: mark.as_str() }));
                }
                Some(list) => {
                    add(Node { place: list.place, datum: Datum::List(list.items) }, &mut open, &mut forms);
                    continue;
                }
            },
            TokenKind::Symbol(name) => Datum::Symbol(name),
            TokenKind::Text(text) => Datum::Text(text),
            TokenKind::Raw(text) => Datum::Raw(text),
            TokenKind::Number { value, radix } => Datum::Number { value, radix },
            TokenKind::Decimal(text) => Datum::Decimal(text),
            TokenKind::Bool(truth) => Datum::Bool(truth),
        };
        add(Node { place, datum }, &mut open, &mut forms);
    }
    match open.pop() {
        None => Ok(SbplText { forms, doubtful_escapes: Doubts(lexer.doubts) }),
        Some(OpenForm { mark: Some(mark), place, .. }) => {
            Err(LocatedFault::new(place, Fault::StrayMark { mark: mark.as_str() }))
        }
        Some(list) => Err(LocatedFault::new(list.place, Fault::Unclosed)),
    }
}

/// Puts a complete node where it belongs; marks that waited for it are complete then, too.
fn add(mut node: Node, open: &mut Vec<OpenForm>, forms: &mut Vec<Node>) {
    while let Some(mark) = open.last().and_then(|last| last.mark) {
        let place = open.pop().expect("there is a last one").place;
        node = Node { place, datum: Datum::Marked(mark, Box::new(node)) };
    }
    match open.last_mut() {
        Some(list) => list.items.push(node),
        None => forms.push(node),
    }
}
