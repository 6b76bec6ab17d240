//! How many rows of the terminal a text takes, as the line editor lays it out.

use rustyline::GraphemeClusterMode;
use unicode_segmentation::UnicodeSegmentation;

/// Gives how many rows below the first one `text` ends, on a terminal of so many columns.
pub fn below_first(text: &str, columns: u16, mode: GraphemeClusterMode) -> usize {
    let columns = usize::from(columns.max(1));
    let (mut row, mut column) = (0, 0);
    for cluster in text.graphemes(true) {
        let width = match cluster {
            "\n" => {
                (row, column) = (row + 1, 0);
                continue;
            }
            "\t" => TAB - column % TAB,
            cluster => usize::from(mode.width(cluster)),
        };
        column += width;
        if column > columns {
            (row, column) = (row + 1, width);
        }
    }
    if column == columns { row + 1 } else { row }
}

/// Tabs stop after so many columns.
const TAB: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_combining_characters_and_the_last_column_count_as_the_editor_counts_them() {
        let rows = |text: &str| below_first(text, 10, GraphemeClusterMode::WcWidth);
        assert_eq!(rows("123456789"), 0);
        assert_eq!(rows("1234567890"), 1);
        assert_eq!(rows("12345678901"), 1);
        assert_eq!(rows("123456789世"), 1);
        assert_eq!(rows("12345678世"), 1);
        assert_eq!(rows("12345678e\u{301}"), 0);
        assert_eq!(rows("1\t9\n"), 1);
    }
}
