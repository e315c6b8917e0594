//! What a worker writes to its standard output and standard error, as lines of the log.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// A longer line is cut; what is beyond is its own line.
const LONGEST_LINE: u64 = 4096;

/// Logs every line until the stream ends.
pub(crate) async fn log_lines(worker: String, stream: &'static str, output: impl AsyncRead + Unpin) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut output).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = readable(&line);
                if !text.is_empty() {
                    tracing::info!(target: "plugin", plugin = worker, stream, "{text}");
                }
            }
        }
    }
}

/// The line as text that cannot play tricks on the terminal of whoever reads the log.
fn readable(line: &[u8]) -> String {
    String::from_utf8_lossy(line)
        .trim_end()
        .chars()
        .map(|character| match character {
            '\t' => ' ',
            control if control.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect()
}
