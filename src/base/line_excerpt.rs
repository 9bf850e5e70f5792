//! A line of an input text with a mark under a place in it, for messages.

use super::printable::is_hidden;

/// A line, shortened around a place if long, and the place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineExcerpt {
    /// Number of the line, from 1.
    line: u32,
    /// What is shown of it, without characters that are not shown.
    pub shown: String,
    /// How many characters of [`Self::shown`] stand before the place.
    pub before: usize,
    /// How many characters the place has; at least one.
    marked: usize,
}

impl LineExcerpt {
    /// The line of `text` that `line` and `column` name, both from 1 and in characters, with a mark of `length` characters that
    /// ends where the line does. `None`: the text has no such line.
    pub fn of(text: &str, line: u32, column: u32, length: usize) -> Option<Self> {
        /// Most characters of a line that are shown, and how many of them stand before the place at most.
        const MOST: usize = 120;
        const BEFORE: usize = 80;
        let whole = text.split('\n').nth((line as usize).checked_sub(1)?)?.trim_end_matches('\r');
        let at = (column as usize).saturating_sub(1);
        let skipped = at.saturating_sub(BEFORE);
        // One for one, so that the mark stays below its place.
        let visible = |c: char| if is_hidden(c) { ' ' } else { c };
        let shown: String = whole.chars().skip(skipped).take(MOST).map(visible).collect();
        let before = at - skipped;
        let marked = length.min(shown.chars().count().saturating_sub(before)).max(1);
        Some(Self { line, shown, before, marked })
    }

    /// The same as line `line` of a longer text.
    #[must_use]
    pub fn on_line(self, line: u32) -> Self {
        Self { line, ..self }
    }

    /// Number of the line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The line with its number, and the mark below.
    pub fn lines(&self) -> [String; 2] {
        let number = self.line.to_string();
        let mark = format!("{}{}", " ".repeat(self.before), "^".repeat(self.marked));
        [format!("  {number} | {}", self.shown), format!("  {} | {mark}", " ".repeat(number.len()))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_below_its_place() {
        let text = "{\n\t\"é\": tru,\r\n}\n";
        let excerpt = LineExcerpt::of(text, 2, 7, 3).unwrap();
        assert_eq!(excerpt.lines(), ["  2 |  \"é\": tru,", "    |       ^^^"]);
        assert_eq!(LineExcerpt::of(text, 2, 7, 99).unwrap().lines()[1], "    |       ^^^^");
        assert_eq!(LineExcerpt::of(text, 3, 2, 0).unwrap().lines(), ["  3 | }", "    |  ^"]);
        assert_eq!((LineExcerpt::of(text, 0, 1, 1), LineExcerpt::of(text, 5, 1, 1)), (None, None));
    }

    #[test]
    fn a_long_line_is_shortened_around_its_place_and_steers_no_terminal() {
        let long = format!("{}\u{1b}[2K!{}", "x".repeat(500), "y".repeat(500));
        let [line, mark] = LineExcerpt::of(&long, 1, 505, 1).unwrap().lines();
        assert!(line.chars().count() < 140 && !line.contains('\u{1b}'), "{line}");
        assert_eq!(line.chars().nth(mark.chars().count() - 1), Some('!'));
    }
}
