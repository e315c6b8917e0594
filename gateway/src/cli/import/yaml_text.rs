//! YAML with comments, line by line.

use serde_json::Value;

/// How wide comments become.
const WIDTH: usize = 118;

/// A YAML file that is being written.
#[derive(Debug, Default)]
pub(super) struct YamlText(String);

impl YamlText {
    /// Adds a line; `depth` is how far in it stands, in steps of two spaces.
    pub(super) fn line(&mut self, depth: usize, text: &str) {
        self.0.push_str(&"  ".repeat(depth));
        self.0.push_str(&one_line(text));
        self.0.push('\n');
    }

    /// Adds a sentence as comment, in as many lines as it needs.
    pub(super) fn comment(&mut self, depth: usize, text: &str) {
        let width = WIDTH.saturating_sub(2 * depth + 2);
        let mut line = String::new();
        for word in one_line(text).split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                self.line(depth, &format!("# {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(depth, format!("# {line}").trim_end());
    }

    /// Adds a line that is for copying as comment: it stays one line, with its blanks.
    pub(super) fn sample(&mut self, depth: usize, text: &str) {
        self.line(depth, format!("# {text}").trim_end());
    }

    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Whatever a foreign text holds, it does not end the line that it stands in.
fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    text.chars().map(|c| if is_break(c) { ' ' } else { c }).collect()
}

/// A text as YAML value that means this text and nothing else: no number, no variable.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if is_plain { text.to_owned() } else { Value::from(text.replace("${", "$${")).to_string() }
}

/// Texts as a YAML list in one line.
pub(super) fn list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let scalars: Vec<String> = texts.into_iter().map(|text| scalar(text.as_ref())).collect();
    format!("[{}]", scalars.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_means_its_text_whatever_stands_in_it() {
        for text in
            ["/api/v1/*", "plain", "true", "1.5", "${HOME}", "a: b # c", "ü\"\\\n", "", "- x", "/items/{id}", "~"]
        {
            let read: serde_yaml::Value = serde_yaml::from_str(&format!("[{}]", scalar(text))).unwrap();
            assert_eq!(read[0].as_str().map(|read| read.replace("$${", "${")).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_comment_never_becomes_more_than_a_comment() {
        let mut yaml = YamlText::default();
        yaml.comment(1, &format!("one\nroutes: [] \u{2028}x\u{85}y {}", "word ".repeat(60)));
        yaml.sample(0, "two\r\nthree: 3");
        let text = yaml.finish();
        assert!(text.lines().all(|line| line.trim_start().starts_with('#') && line.chars().count() <= 120), "{text}");
    }
}
