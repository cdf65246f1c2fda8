//! Text on a terminal of 80 columns, where a Chinese character takes two.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How many columns a line takes at most.
pub const COLUMNS: usize = 80;

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text in exactly so many columns: filled with spaces, or cut with `…`.
///
/// ```
/// use device::screen::fit;
///
/// assert_eq!(fit("张三", 6), "张三  ");
/// assert_eq!(fit("半子沟村驻村工作队", 9), "半子沟村…");
/// assert_eq!(fit("半子沟村驻村工作队", 8), "半子沟… ");
/// ```
pub fn fit(text: &str, columns: usize) -> String {
    let text = text.replace(['\n', '\t'], " ");
    let mut fitted = String::new();
    if width(&text) <= columns {
        fitted.push_str(&text);
    } else {
        for c in text.chars() {
            if width(&fitted) + c.width().unwrap_or(0) + 1 > columns {
                break;
            }
            fitted.push(c);
        }
        fitted.push('…');
    }
    let missing = columns.saturating_sub(width(&fitted));
    fitted + &" ".repeat(missing)
}

/// A text in lines of so many columns, broken where Unicode lets a line break (UAX #14): at spaces, and between Chinese characters
/// but not before their punctuation. Further lines stand as far in as the first.
///
/// ```
/// use device::screen::wrap;
///
/// assert_eq!(wrap("水压小，三天两头停水。", 10), ["水压小，三", "天两头停", "水。"]);
/// assert_eq!(wrap("water is weak here", 10), ["water is", "weak here"]);
/// ```
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let (indent, _) = text.split_at(text.len() - text.trim_start_matches(' ').len());
    let options = textwrap::Options::new(columns)
        .subsequent_indent(indent)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options);
    lines.into_iter().map(Cow::into_owned).collect()
}

/// Rows as columns: each as wide as its widest cell, the last one taking what is left of the line.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Whether it has no rows.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows as text, none wider than a line: wide columns give way to the others.
    pub fn lines(&self) -> Vec<String> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..count).map(widest).collect();
        let room = COLUMNS.saturating_sub(2 * count.saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let Some(most) = widths.iter_mut().max() else {
                break;
            };
            *most -= 1;
        }
        let line = |row: &Vec<String>| {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| fit(cell, *width));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_never_exceeds_a_line() {
        let mut table = Table::default();
        table.row([
            "1a2b3c4d".to_owned(),
            "农户".repeat(30),
            "water ".repeat(20),
        ]);
        table.row(["2".to_owned(), "张三".to_owned(), "x".to_owned()]);
        let lines = table.lines();
        assert!(lines.iter().all(|line| width(line) <= COLUMNS), "{lines:?}");
        assert!(lines[0].starts_with("1a2b3c4d  农户"));
        assert!(lines[1].starts_with("2         张三"));
    }

    #[test]
    fn every_wrapped_line_fits() {
        let text = "已通水 but the pressure is low，三天两头停水。\n第二段";
        for columns in 4..30 {
            let lines = wrap(text, columns);
            assert!(
                lines
                    .iter()
                    .all(|line| width(line) <= columns || !line.contains(' ')),
                "{columns}: {lines:?}"
            );
        }
    }
}
