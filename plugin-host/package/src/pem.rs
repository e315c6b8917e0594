//! Keys as text, in the PEM format (RFC 7468) that `openssl` writes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a PEM block says it is, and its bytes.
pub(crate) struct Pem {
    pub(crate) label: String,
    pub(crate) content: Vec<u8>,
}

/// Reads a text with exactly one PEM block; what stands around the block is passed over, as RFC 7468 asks.
///
/// # Errors
///
/// What is wrong with the text; never any of it.
pub(crate) fn read(text: &str) -> Result<Pem, &'static str> {
    let mut label = None;
    let mut body = String::new();
    let mut is_complete = false;
    for line in text.lines().map(str::trim) {
        if let Some(found) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            if label.is_some() {
                return Err("holds more than one key; use one file for each");
            }
            label = Some(found.to_owned());
        } else if line.starts_with("-----END ") {
            is_complete = true;
        } else if label.is_some() && !is_complete {
            body.push_str(line);
        }
    }
    let label = label.ok_or("is not PEM: there is no `-----BEGIN …-----`")?;
    if !is_complete {
        return Err("is cut off: there is no `-----END …-----`");
    }
    let content = STANDARD.decode(body).map_err(|_decode_error| "is not PEM: what it holds is not base64")?;
    Ok(Pem { label, content })
}

/// Writes a PEM block.
pub(crate) fn write(label: &str, content: &[u8]) -> String {
    let body = STANDARD.encode(content);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
