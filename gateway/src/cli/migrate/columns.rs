//! Two texts side by side.

/// Two texts side by side in `width` columns, with a mark at each line that is not in the other text at the same distance from what
/// both have in common.
pub(super) fn side_by_side(left: &str, right: &str, width: usize) -> String {
    let column = width.saturating_sub(3).max(20) / 2;
    let mut text = String::new();
    for (left, right) in align(&lines(left), &lines(right)) {
        let mark = if left == right { ' ' } else { '|' };
        let (left, right) = (wrapped(left.unwrap_or(""), column), wrapped(right.unwrap_or(""), column));
        for index in 0..left.len().max(right.len()) {
            let at = |lines: &[String]| lines.get(index).cloned().unwrap_or_default();
            let line = format!("{:column$} {mark} {}", at(&left), at(&right));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Lines of two texts in pairs: by their longest common subsequence, where that is not too much to ask.
fn align<'a>(left: &[&'a str], right: &[&'a str]) -> Vec<(Option<&'a str>, Option<&'a str>)> {
    const MOST_CELLS: usize = 4_000_000;
    if left.len() * right.len() > MOST_CELLS {
        let most = left.len().max(right.len());
        return (0..most).map(|index| (left.get(index).copied(), right.get(index).copied())).collect();
    }
    let width = right.len() + 1;
    let mut longest = vec![0_u32; (left.len() + 1) * width];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            longest[i * width + j] = if left[i] == right[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    // Lines that only one has are put beside lines that only the other has.
    let (mut only_left, mut only_right) = (Vec::new(), Vec::new());
    loop {
        let is_common = i < left.len() && j < right.len() && left[i] == right[j];
        let is_over = i == left.len() && j == right.len();
        if is_common || is_over {
            for index in 0..only_left.len().max(only_right.len()) {
                pairs.push((only_left.get(index).copied(), only_right.get(index).copied()));
            }
            (only_left, only_right) = (Vec::new(), Vec::new());
            if is_over {
                return pairs;
            }
            pairs.push((Some(left[i]), Some(right[j])));
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || (i < left.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
            only_left.push(left[i]);
            i += 1;
        } else {
            only_right.push(right[j]);
            j += 1;
        }
    }
}

/// A line in pieces that fit into a column.
fn wrapped(line: &str, column: usize) -> Vec<String> {
    // What a terminal would obey, nobody sends through a report.
    let shown: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if shown.is_empty() {
        return vec![String::new()];
    }
    shown.chunks(column).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_the_same_stand_side_by_side() {
        let text = side_by_side("{\n  a: 1\n  b: 2\n  c: 3\n}", "{\n  a: 1\n  c: 4\n  d: 5\n  e: 6\n}", 43);
        let expected = "\
{                      {
  a: 1                   a: 1
  b: 2               |   c: 4
  c: 3               |   d: 5
                     |   e: 6
}                      }
";
        assert_eq!(text, expected);
        assert_eq!(
            side_by_side("abcdefghijklmnopqrstuvwxyz", "", 43),
            "abcdefghijklmnopqrst |\nuvwxyz               |\n"
        );
        assert_eq!(side_by_side("\u{1b}[31mred", "x", 43), " [31mred             | x\n");
    }
}
