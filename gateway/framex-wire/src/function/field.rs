//! The form of the fields of a call and of the data of its answer.

use super::checked_json::{self, JsonProblem};
use crate::python_json;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use serde_json::Value;
use std::io::Read;

/// framex-kit writes it into its source: it keeps no secret.
const KEY: &[u8] = b"01234567890abcdefghijklmnopqrstuvwxyz";
/// A field that was encoded again and again is nobody's call.
const MOST_LAYERS: usize = 8;
/// Like Python, which does not look at the bits behind the last byte.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// How much a field may hold. A few bytes unpack to a thousand times as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of JSON after unpacking. Default: 16 MiB.
    pub unpacked_bytes: usize,
    /// Values: numbers, texts, lists, objects. One takes up to a hundred bytes of memory. Default: 524,288.
    pub values: usize,
    /// Lists and objects inside each other, at most 100. Default: 64.
    pub depth: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { unpacked_bytes: 16 << 20, values: 1 << 19, depth: 64 }
    }
}

/// Why a field cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// More bytes than [`Bounds::unpacked_bytes`].
    #[error("it unpacks to more than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// More values than [`Bounds::values`].
    #[error("it holds more than {limit} values")]
    TooManyValues {
        /// The bound.
        limit: usize,
    },
    /// Deeper than [`Bounds::depth`].
    #[error("it is nested deeper than {limit} levels")]
    TooDeep {
        /// The bound.
        limit: usize,
    },
    /// One object has the same key twice.
    #[error("the key `{0}` stands there twice")]
    DuplicateKey(String),
    /// It was encoded again and again.
    #[error("it is encoded more than {MOST_LAYERS} times")]
    TooManyLayers,
}

/// Reads a field as FrameX does: encoded, as plain JSON, or else as the text that it is.
///
/// What comes out is read again while it is a text, so `"5"` in JSON is the number 5. Objects with `__type__` stay
/// objects.
///
/// # Errors
///
/// The field goes beyond `bounds` or an object in it has a key twice.
pub fn decode_field(field: &str, bounds: Bounds) -> Result<Value, FieldError> {
    let mut room = bounds.unpacked_bytes;
    let mut text = field.to_owned();
    for _ in 0..MOST_LAYERS {
        let unpacked = unpack(&text, room).map_err(|_full| FieldError::TooLarge { limit: bounds.unpacked_bytes })?;
        if let Some(unpacked) = unpacked {
            room -= unpacked.len();
            text = unpacked;
            continue;
        }
        match checked_json::parse(&text, bounds.depth, bounds.values) {
            Ok(Value::String(inner)) => text = inner,
            Ok(value) => return Ok(value),
            Err(JsonProblem::NotJson) => return Ok(Value::String(text)),
            Err(JsonProblem::Refused(error)) => return Err(error),
        }
    }
    Err(FieldError::TooManyLayers)
}

/// Writes a field, or the data of an answer.
#[must_use]
pub fn encode(value: &Value) -> String {
    let json = python_json::spaced(value);
    let mut packed = Vec::new();
    ZlibEncoder::new(json.as_slice(), Compression::default())
        .read_to_end(&mut packed)
        .expect("bytes in memory are read, which does not fail");
    mix(&mut packed);
    BASE64.encode(packed)
}

/// There is more than there is room for.
struct Full;

/// The text in an encoded one. `None` when it is not encoded.
fn unpack(text: &str, room: usize) -> Result<Option<String>, Full> {
    let Ok(mut packed) = BASE64.decode(text) else { return Ok(None) };
    mix(&mut packed);
    let mut unpacked = Vec::new();
    let most = u64::try_from(room).unwrap_or(u64::MAX).saturating_add(1);
    let result = ZlibDecoder::new(packed.as_slice()).take(most).read_to_end(&mut unpacked);
    if unpacked.len() > room {
        return Err(Full);
    }
    Ok(result.ok().and_then(|_length| String::from_utf8(unpacked).ok()))
}

fn mix(bytes: &mut [u8]) {
    bytes.iter_mut().zip(KEY.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
}
