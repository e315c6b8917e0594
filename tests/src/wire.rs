//! HTTP/1 messages as they are on the wire, read by clients and backends of the tests alike.

use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// A message head.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Request line or status line.
    pub first_line: String,
    /// Every field in its order.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// The first value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a field.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> &str {
        self.word(0)
    }

    /// The target of a request.
    #[must_use]
    pub fn target(&self) -> &str {
        self.word(1)
    }

    /// The status of an answer.
    ///
    /// # Panics
    /// When the status line holds none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_else(|_| panic!("no status in `{}`", self.first_line))
    }

    fn word(&self, index: usize) -> &str {
        self.first_line.split(' ').nth(index).unwrap_or_default()
    }
}

/// Reads a head; `None` when the other side closed before it began.
pub(crate) async fn read_head(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Head>> {
    let mut head = Head::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).await? == 0 {
            return if head.first_line.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        if head.first_line.is_empty() {
            head.first_line = text;
        } else if text.is_empty() {
            return Ok(Some(head));
        } else if let Some((name, value)) = text.split_once(':') {
            head.fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }
}

/// How much of a body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remaining {
    Bytes(u64),
    Chunks,
    UntilClosed,
    Nothing,
}

impl Remaining {
    /// The body of a request with this head.
    pub(crate) fn of_request(head: &Head) -> Self {
        Self::of(head, Self::Nothing)
    }

    /// The body of an answer with this head to a request that is no HEAD.
    pub(crate) fn of_answer(head: &Head) -> Self {
        match head.status() {
            100..=199 | 204 | 304 => Self::Nothing,
            _ => Self::of(head, Self::UntilClosed),
        }
    }

    fn of(head: &Head, otherwise: Self) -> Self {
        if head.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Self::Chunks;
        }
        match head.field("content-length").and_then(|length| length.parse().ok()) {
            Some(length) => Self::Bytes(length),
            None => otherwise,
        }
    }

    /// The next piece of the body, `None` at its end. A chunk is one piece.
    pub(crate) async fn next(&mut self, reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Nothing | Self::Bytes(0) => Ok(None),
            Self::Bytes(left) => {
                let piece = read_some(reader, usize::try_from(*left).unwrap_or(usize::MAX)).await?;
                if piece.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                *left -= piece.len() as u64;
                Ok(Some(piece))
            }
            Self::UntilClosed => {
                let piece = read_some(reader, usize::MAX).await?;
                Ok(Some(piece).filter(|piece| !piece.is_empty()))
            }
            Self::Chunks => {
                let chunk = read_chunk(reader).await?;
                if chunk.is_none() {
                    *self = Self::Nothing;
                }
                Ok(chunk)
            }
        }
    }

    /// The whole rest of the body.
    pub(crate) async fn read_all(mut self, reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = self.next(reader).await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

async fn read_some(reader: &mut (impl AsyncBufRead + Unpin), most: usize) -> io::Result<Vec<u8>> {
    let available = reader.fill_buf().await?;
    let piece = available[..available.len().min(most)].to_vec();
    reader.consume(piece.len());
    Ok(piece)
}

async fn read_chunk(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let size = line.trim_end().split(';').next().unwrap_or_default();
    let size = usize::from_str_radix(size, 16)
        .map_err(|error| io::Error::new(io::ErrorKind::UnexpectedEof, format!("`{line}` is no chunk size: {error}")))?;
    if size == 0 {
        // Trailers, and the empty line that ends them.
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line).await?;
        }
        return Ok(None);
    }
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk).await?;
    chunk.truncate(size);
    Ok(Some(chunk))
}
