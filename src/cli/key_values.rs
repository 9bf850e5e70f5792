//! One thing described for people: its names and values, a line each.

use crate::base::printable::Lines;

/// How wide the names are.
const NAME_WIDTH: usize = 11;

/// Lines of a description, in the making.
#[derive(Debug, Default)]
pub(super) struct KeyValues {
    lines: Lines,
}

impl KeyValues {
    /// Adds a line.
    pub(super) fn line(&mut self, name: &str, value: &str) {
        self.lines.line(format!("{name:NAME_WIDTH$}{value}").trim_end());
    }

    /// Adds a line if there is a value.
    pub(super) fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    /// Adds a line per value; nothing if there is none.
    pub(super) fn list<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        for (n, value) in values.enumerate() {
            self.line(if n == 0 { name } else { "" }, value);
        }
    }

    /// The lines.
    pub(super) fn render(self) -> Lines {
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_aligned_under_their_name() {
        let mut lines = KeyValues::default();
        lines.line("plan", "p\u{7}");
        lines.maybe("notes", None);
        lines.list("profiles", ["a", "b"].into_iter());
        lines.list("needs", [].into_iter());
        assert_eq!(lines.render().as_str(), "plan       p\u{fffd}\nprofiles   a\n           b\n");
    }
}
