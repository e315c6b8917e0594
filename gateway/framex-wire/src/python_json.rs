//! JSON as Python writes it: what FrameX hashes and compares is text.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};

/// `json.dumps(value, ensure_ascii=False)`: a space after every comma and colon.
pub(crate) fn spaced(value: &Value) -> Vec<u8> {
    write(value, PythonFormatter { comma: ", ", colon: ": " })
}

/// The same with `separators=(",", ":")`.
pub(crate) fn compact(value: &Value) -> Vec<u8> {
    write(value, PythonFormatter { comma: ",", colon: ":" })
}

fn write(value: &Value, formatter: PythonFormatter) -> Vec<u8> {
    let mut text = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut text, formatter))
        .expect("a JSON value is written to memory, which does not fail");
    text
}

struct PythonFormatter {
    comma: &'static str,
    colon: &'static str,
}

impl Formatter for PythonFormatter {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(repr(value).as_bytes())
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(self.comma.as_bytes()) }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.colon.as_bytes())
    }
}

/// Python's `repr` of a float: the shortest digits, with an exponent below 1e-4 and from 1e16 on.
fn repr(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(-4..16) => {
            let plain = value.to_string();
            if plain.contains('.') { plain } else { format!("{plain}.0") }
        }
        Ok(exponent) => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
        Err(_not_finite) => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_what_python_writes() {
        let value = json!({ "a": [1, "ü\u{7f}\u{1}\"\\/\u{8}"], "b": {}, "c": null, "d": [] });
        assert_eq!(
            String::from_utf8_lossy(&spaced(&value)),
            "{\"a\": [1, \"ü\u{7f}\\u0001\\\"\\\\/\\b\"], \"b\": {}, \"c\": null, \"d\": []}"
        );
        assert_eq!(compact(&json!({ "a": [1, true], "b": "x" })), br#"{"a":[1,true],"b":"x"}"#);
    }

    // Written by Python 3.11.
    #[test]
    fn a_number_is_what_python_writes() {
        for (number, text) in [
            (1.0, "1.0"),
            (1e16, "1e+16"),
            (1e-7, "1e-07"),
            (0.0001, "0.0001"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (-0.0, "-0.0"),
            (1.5e300, "1.5e+300"),
            (1e15, "1000000000000000.0"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(repr(number), text);
        }
    }
}
