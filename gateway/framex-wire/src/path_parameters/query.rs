//! The query of a request, pair by pair.

/// A pair of a query: as it was sent, and decoded.
#[derive(Debug)]
pub(super) struct Pair<'q> {
    raw: &'q str,
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
}

pub(super) fn split(query: &str) -> Vec<Pair<'_>> {
    let pairs = query.split('&').filter(|_| !query.is_empty());
    pairs
        .map(|raw| {
            let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
            Pair { raw, name: decode(name), value: decode(value) }
        })
        .collect()
}

/// The query without the pairs of these names; what stays does so byte for byte.
pub(super) fn without(pairs: &[Pair<'_>], names: &[&str]) -> String {
    let stays = |pair: &&Pair<'_>| !names.iter().any(|name| name.as_bytes() == pair.name);
    pairs.iter().filter(stays).map(|pair| pair.raw).collect::<Vec<_>>().join("&")
}

/// Decodes a name or a value of a form: `+` is a space, and a `%` that encodes nothing stands for itself.
fn decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = match byte {
            b'%' => percent_decoded(rest).map_or((b'%', after), |byte| (byte, &rest[3..])),
            b'+' => (b' ', after),
            byte => (*byte, after),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

/// The byte that a text begins with when it begins with `%` and two digits.
pub(super) fn percent_decoded(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}
