//! Aligned columns: text to the left, numbers to the right.

use std::fmt;

/// A table with a heading.
#[derive(Debug)]
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// With these headings.
    pub fn new(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(str::to_string)] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let is_number = |column: usize| {
            self.rows.len() > 1 && self.rows[1..].iter().all(|row| row[column].bytes().all(|b| b.is_ascii_digit()))
        };
        let columns: Vec<_> = (0..N).map(|column| (width(column), is_number(column))).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, (width, number)) in row.iter().zip(&columns) {
                if *number {
                    line.push_str(&format!("{cell:>width$}  "));
                } else {
                    line.push_str(&format!("{cell:<width$}  "));
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right() {
        let mut table = Table::new(["name", "n"]);
        table.row(["a".into(), "5".into()]);
        table.row(["longer".into(), "1234".into()]);
        assert_eq!(table.to_string(), "name       n\na          5\nlonger  1234\n");
    }
}
