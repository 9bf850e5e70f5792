//! The syntax tree of a profile's text.

use super::rules::LineColumn;

/// A list or an atom. Two nodes are equal if they say the same; where they stand does not count.
#[derive(Debug, Clone)]
pub struct Node {
    /// Line and column at which it begins.
    pub place: LineColumn,
    /// What it is.
    pub datum: Datum,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.datum == other.datum
    }
}

impl Node {
    /// The items, if it is a list.
    pub fn list(&self) -> Option<&[Node]> {
        match &self.datum {
            Datum::List(items) => Some(items),
            _ => None,
        }
    }

    /// The name, if it is a symbol.
    pub fn symbol(&self) -> Option<&str> {
        match &self.datum {
            Datum::Symbol(name) => Some(name),
            _ => None,
        }
    }

    /// The symbol that a list begins with.
    pub fn head(&self) -> Option<&str> {
        self.list()?.first()?.symbol()
    }
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// `( … )`
    List(Vec<Node>),
    /// A name.
    Symbol(String),
    /// `"…"`, as it reads once its escapes are gone.
    Text(String),
    /// `#"…"`, exactly as it stands between the quotes: a backslash is a backslash.
    Raw(RawText),
    /// A whole number.
    Number {
        /// The number, whatever base it is written in.
        value: i64,
        /// How it is written.
        radix: Radix,
    },
    /// A number with a point, as written.
    Decimal(String),
    /// `#t` or `#f`
    Bool(bool),
    /// A mark and the node that it stands before.
    Marked(NodeMark, Box<Node>),
}

/// The content of a raw string. No quote stands in it but after an odd number of backslashes, and it does not end in an
/// odd number of them, so that its own end is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawText(String);

impl RawText {
    /// The text as a raw string, if it can be one.
    pub fn new(text: &str) -> Option<Self> {
        let mut escaped = false;
        for byte in text.bytes() {
            match byte {
                0 => return None,
                b'"' if !escaped => return None,
                b'\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        (!escaped).then(|| Self(text.to_owned()))
    }

    /// The text as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Radix {
    /// `#b…`
    Binary,
    /// `#o…`
    Octal,
    /// Digits alone, or `#d…`.
    Decimal,
    /// `#x…`
    Hexadecimal,
}

impl Radix {
    /// The base of such numbers: 2, 8, 10 or 16.
    pub fn base(self) -> u32 {
        match self {
            Self::Binary => 2,
            Self::Octal => 8,
            Self::Decimal => 10,
            Self::Hexadecimal => 16,
        }
    }

    /// The radix that the letter after `#` names.
    pub(super) fn of_letter(letter: char) -> Option<Self> {
        match letter.to_ascii_lowercase() {
            'b' => Some(Self::Binary),
            'o' => Some(Self::Octal),
            'd' => Some(Self::Decimal),
            'x' => Some(Self::Hexadecimal),
            _ => None,
        }
    }
}

/// A mark before a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeMark {
    /// `'`
    Quote,
    /// `` ` ``
    Quasi,
    /// `,`
    Unquote,
    /// `,@`
    Splice,
    /// `#`, before a list: a vector.
    Vector,
}

impl NodeMark {
    /// How it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quote => "'",
            Self::Quasi => "`",
            Self::Unquote => ",",
            Self::Splice => ",@",
            Self::Vector => "#",
        }
    }
}

/// A text as it was read: its forms in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SbplText {
    /// The forms of the outermost level.
    pub forms: Vec<Node>,
    /// Escapes in strings whose meaning is not documented. Not a part of what the text says.
    pub doubtful_escapes: Doubts,
}

/// An escape in a string whose meaning is not documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escape {
    /// Where the backslash stands.
    pub place: LineColumn,
    /// What stands behind it.
    pub written: String,
    /// Whether it was read as the character of that code, as TinyScheme does; else its backslash was dropped.
    pub by_code: bool,
}

/// Doubtful escapes, at most a few. All such lists are equal.
#[derive(Debug, Clone, Default)]
pub struct Doubts(pub Vec<Escape>);

impl PartialEq for Doubts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
