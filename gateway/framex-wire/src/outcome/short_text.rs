//! The beginning of a text, as far as it matters.

/// Longer than every word that is looked for.
const ROOM: usize = 24;

/// A text of at most a few bytes. One that is longer, or was spoiled, equals nothing.
#[derive(Debug, Default)]
pub(crate) struct ShortText {
    bytes: [u8; ROOM],
    length: usize,
    is_spoiled: bool,
}

impl ShortText {
    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.is_spoiled = false;
    }

    pub(crate) fn push(&mut self, more: &[u8]) {
        match self.bytes.get_mut(self.length..self.length + more.len()) {
            Some(room) => {
                room.copy_from_slice(more);
                self.length += more.len();
            }
            None => self.is_spoiled = true,
        }
    }

    pub(crate) fn spoil(&mut self) {
        self.is_spoiled = true;
    }

    /// The text, unless it was too long or spoiled.
    pub(crate) fn get(&self) -> Option<&[u8]> {
        if self.is_spoiled { None } else { self.bytes.get(..self.length) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0 && !self.is_spoiled
    }
}
