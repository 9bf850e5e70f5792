//! Characters to tokens.

use super::error::{Fault, LocatedFault, shown};
use super::rules::LineColumn;
use super::syntax::{Escape, NodeMark, Radix, RawText};

/// A token and where it begins.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) place: LineColumn,
    pub(super) kind: TokenKind,
}

#[derive(Debug)]
pub(super) enum TokenKind {
    Open,
    Close,
    Mark(NodeMark),
    Symbol(String),
    Text(String),
    Raw(RawText),
    Number { value: i64, radix: Radix },
    Decimal(String),
    Bool(bool),
}

/// Reads a text's tokens one after the other.
pub(super) struct Lexer<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    place: LineColumn,
    /// Escapes whose meaning is not documented, the first few.
    pub(super) doubts: Vec<Escape>,
}

impl<'t> Lexer<'t> {
    /// Reads a text; `start` is the place of its first character.
    pub(super) fn new(text: &'t str, start: LineColumn) -> Self {
        Self { rest: text.chars().peekable(), place: start, doubts: Vec::new() }
    }

    /// The next token; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, LocatedFault> {
        self.skip_blank()?;
        let place = self.place;
        let Some(first) = self.bump() else { return Ok(None) };
        let kind = match first {
            '\u{feff}' => return Err(LocatedFault::new(place, Fault::ByteOrderMark)),
            '[' | ']' | '{' | '}' => return Err(LocatedFault::new(place, Fault::Bracket { found: first })),
            '(' => TokenKind::Open,
            ')' => TokenKind::Close,
            '\'' => TokenKind::Mark(NodeMark::Quote),
            '`' => TokenKind::Mark(NodeMark::Quasi),
            ',' if self.rest.peek() == Some(&'@') => {
                self.bump();
                TokenKind::Mark(NodeMark::Splice)
            }
            ',' => TokenKind::Mark(NodeMark::Unquote),
            '"' => TokenKind::Text(self.text(place)?),
            '#' => self.hash(place)?,
            '\0' => return Err(LocatedFault::new(place, Fault::Nul)),
            first => {
                let mut word = String::from(first);
                self.word(&mut word)?;
                match number(&word, Radix::Decimal) {
                    Number::Is(value) => TokenKind::Number { value, radix: Radix::Decimal },
                    Number::IsNot if is_decimal(&word) => TokenKind::Decimal(word),
                    Number::Overflows => {
                        return Err(LocatedFault::new(place, Fault::BadNumber { found: shown(&word) }));
                    }
                    Number::IsNot => TokenKind::Symbol(word),
                }
            }
        };
        Ok(Some(Token { place, kind }))
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.place = LineColumn { line: self.place.line + 1, column: 1, ..self.place };
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    /// Skips white space and comments.
    fn skip_blank(&mut self) -> Result<(), LocatedFault> {
        while let Some(&c) = self.rest.peek() {
            if c == ';' || (c == '#' && self.at_script_mark()) {
                while let Some(&c) = self.rest.peek()
                    && c != '\n'
                {
                    if c == '\0' {
                        return Err(LocatedFault::new(self.place, Fault::Nul));
                    }
                    self.bump();
                }
            } else if is_blank(c) {
                self.bump();
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Whether `#!` follows: TinyScheme skips what stands behind it on the line.
    fn at_script_mark(&self) -> bool {
        let mut ahead = self.rest.clone();
        ahead.next();
        ahead.next() == Some('!')
    }

    /// The rest of a word, up to whatever ends it.
    fn word(&mut self, word: &mut String) -> Result<(), LocatedFault> {
        while let Some(&c) = self.rest.peek() {
            if is_blank(c) || matches!(c, '(' | ')' | '"' | ';') {
                break;
            }
            if c == '\0' {
                return Err(LocatedFault::new(self.place, Fault::Nul));
            }
            word.push(c);
            self.bump();
        }
        Ok(())
    }

    /// The rest of a string whose opening quote stands at `start`.
    fn text(&mut self, start: LineColumn) -> Result<String, LocatedFault> {
        let mut out = String::new();
        loop {
            let place = self.place;
            match self.bump() {
                None => return Err(LocatedFault::new(start, Fault::UnclosedText)),
                Some('\0') => return Err(LocatedFault::new(place, Fault::Nul)),
                Some('"') => return Ok(out),
                Some('\\') => match self.bump() {
                    None => return Err(LocatedFault::new(start, Fault::UnclosedText)),
                    Some('\0') => return Err(LocatedFault::new(place, Fault::Nul)),
                    Some(c @ ('\\' | '"')) => out.push(c),
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some(other) => {
                        let mut written = String::from(other);
                        let code = match other {
                            'x' => self.digits(16, 2, &mut written).filter(|_| written.len() == 3),
                            '0'..='7' => self.digits(8, 2, &mut written),
                            _ => None,
                        };
                        let meant = match code.filter(|code| (1..128).contains(code)).and_then(char::from_u32) {
                            Some(meant) => vec![meant],
                            // As far as it is known, any other one only loses its backslash.
                            None => written.chars().collect(),
                        };
                        let given = code.is_some() && meant.len() == 1;
                        out.extend(meant);
                        /// Nobody reads a longer list.
                        const MOST: usize = 20;
                        if self.doubts.len() < MOST {
                            self.doubts.push(Escape { place, written, by_code: given });
                        }
                    }
                },
                Some(c) => out.push(c),
            }
        }
    }

    /// Up to `most` further digits of an escape, which begins as `written`; the number that its digits are.
    fn digits(&mut self, radix: u32, most: usize, written: &mut String) -> Option<u32> {
        for _ in 0..most {
            let Some(&c) = self.rest.peek().filter(|c| c.is_digit(radix)) else { break };
            self.bump();
            written.push(c);
        }
        u32::from_str_radix(written.trim_start_matches('x'), radix).ok()
    }

    /// What follows a `#` that stands at `start`.
    fn hash(&mut self, start: LineColumn) -> Result<TokenKind, LocatedFault> {
        if self.rest.peek() == Some(&'"') {
            self.bump();
            return self.raw(start);
        }
        if self.rest.peek() == Some(&'(') {
            return Ok(TokenKind::Mark(NodeMark::Vector));
        }
        let mut word = String::from('#');
        if self.rest.peek() == Some(&'\\') {
            // A character: whatever follows belongs to it, even a parenthesis.
            word.extend(self.bump());
            let place = self.place;
            match self.bump() {
                None => return Err(LocatedFault::new(start, Fault::UnknownHash { found: word })),
                Some('\0') => return Err(LocatedFault::new(place, Fault::Nul)),
                Some(c) => word.push(c),
            }
            self.word(&mut word)?;
            return Ok(TokenKind::Symbol(word));
        }
        self.word(&mut word)?;
        match word.as_str() {
            "#t" => return Ok(TokenKind::Bool(true)),
            "#f" => return Ok(TokenKind::Bool(false)),
            _ => {}
        }
        let mut letters = word[1..].chars();
        if let Some(radix) = letters.next().and_then(Radix::of_letter) {
            return match number(letters.as_str(), radix) {
                Number::Is(value) => Ok(TokenKind::Number { value, radix }),
                _ => Err(LocatedFault::new(start, Fault::BadNumber { found: shown(&word) })),
            };
        }
        Err(LocatedFault::new(start, Fault::UnknownHash { found: shown(&word) }))
    }

    /// The rest of a raw string. A backslash stays, and keeps a quote after it from ending the string.
    fn raw(&mut self, start: LineColumn) -> Result<TokenKind, LocatedFault> {
        let mut out = String::new();
        let mut escaped = false;
        loop {
            let place = self.place;
            match self.bump() {
                None => return Err(LocatedFault::new(start, Fault::UnclosedText)),
                Some('\0') => return Err(LocatedFault::new(place, Fault::Nul)),
                Some('"') if !escaped => {
                    return Ok(TokenKind::Raw(RawText::new(&out).expect("its end was found by the same rule")));
                }
                Some(c) => {
                    escaped = c == '\\' && !escaped;
                    out.push(c);
                }
            }
        }
    }
}

/// Whether a character separates words.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

enum Number {
    Is(i64),
    Overflows,
    IsNot,
}

/// Whether a word is a number with a point: `10.15`, `-.5`.
fn is_decimal(word: &str) -> bool {
    let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
    digits.matches('.').count() == 1
        && digits.len() > 1
        && digits.len() <= 40
        && digits.chars().all(|c| c == '.' || c.is_ascii_digit())
}

/// Reads digits with an optional sign.
fn number(word: &str, radix: Radix) -> Number {
    let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix.base())) {
        return Number::IsNot;
    }
    match i64::from_str_radix(word, radix.base()) {
        Ok(value) => Number::Is(value),
        Err(_) => Number::Overflows,
    }
}
