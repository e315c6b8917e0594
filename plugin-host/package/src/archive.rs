//! A package as one file, `name-version.fxp`: a tar archive, compressed with zstd.
//!
//! Written, it depends on nothing but its content: files in the order of their paths, no times, no owners, no folders of
//! their own. Read, it may come from anybody: nothing is written to disk, only plain files with good paths are taken, and
//! neither what is read nor what it unpacks to goes beyond the bounds.

use crate::content::{Bounds, Content, ContentError};
use crate::package_path::{PackagePath, PathError};
use std::io::{self, Read, Write};
use tar::{Archive, Builder, Entry, EntryType, Header};

/// Close to the best that zstd does, at a speed that nobody waits for.
const LEVEL: i32 = 12;
/// Memory that a reader must set aside for a file, as a power of two: 16 MiB. [`LEVEL`] needs less.
const LARGEST_WINDOW: u32 = 24;
/// What a file costs in the archive beside its content: a header and padding, twice when its path is long.
const OVERHEAD: u64 = 4 * BLOCK;
const BLOCK: u64 = 512;
/// First memory set aside for a file: its header may lie about its size.
const FIRST_ALLOCATION: u64 = 1 << 20;
/// More than a path in a package has, and the zero byte after it.
const LONGEST_NAME: u64 = 1024;

/// Writes the archive of `content`.
pub(crate) fn write(content: &Content) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::Encoder::new(Vec::new(), LEVEL)?;
    compressor.include_checksum(true)?;
    let mut builder = Builder::new(compressor);
    for (path, bytes) in content.iter() {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(mode_of(bytes));
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        builder.append_data(&mut header, path.as_str(), bytes)?;
    }
    let mut compressor = builder.into_inner()?;
    compressor.flush()?;
    compressor.finish()
}

/// The mode of a file, which follows from its content: programs and scripts may be executed.
pub(crate) fn mode_of(content: &[u8]) -> u32 {
    if content.starts_with(b"#!") || content.starts_with(b"\x7fELF") { 0o755 } else { 0o644 }
}

/// Reads an archive to its end.
///
/// # Errors
///
/// It is damaged, cut off, larger than `bounds`, or holds something that no package holds.
pub(crate) fn read(archive: impl Read, bounds: Bounds) -> Result<Content, ContentError> {
    let at_the_start = |source| damaged("the beginning", Some(source));
    let most = (bounds.files as u64 + 2).saturating_mul(OVERHEAD).saturating_add(bounds.unpacked_bytes);
    // Compressed bytes that unpack to nothing could be sent for ever.
    let mut decompressor = zstd::Decoder::new(archive.take(most)).map_err(at_the_start)?;
    decompressor.window_log_max(LARGEST_WINDOW).map_err(at_the_start)?;
    let mut archive = Archive::new(decompressor.take(most));
    let mut content = Content::new(bounds);
    let mut last = "the beginning".to_owned();
    let mut long_name = None;
    // The library's own handling of long names would read names of any length.
    for entry in archive.entries().map_err(at_the_start)?.raw(true) {
        let entry = entry.map_err(|source| damaged(&last, Some(source)))?;
        if entry.header().entry_type() == EntryType::GNULongName {
            long_name = Some(read_long_name(entry, &last)?);
            continue;
        }
        let path = path_of(&entry, long_name.take())?;
        last = path.to_string();
        add(&mut content, path, entry)?;
    }
    check_end(archive.into_inner(), &last)?;
    Ok(content)
}

fn damaged(after: &str, source: Option<io::Error>) -> ContentError {
    ContentError::Damaged { during: format!("after {after}"), source }
}

fn read_long_name(entry: Entry<'_, impl Read>, last: &str) -> Result<Vec<u8>, ContentError> {
    let mut name = Vec::new();
    entry.take(LONGEST_NAME).read_to_end(&mut name).map_err(|source| damaged(last, Some(source)))?;
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    Ok(name)
}

fn path_of(entry: &Entry<'_, impl Read>, long_name: Option<Vec<u8>>) -> Result<PackagePath, ContentError> {
    let name = long_name.unwrap_or_else(|| entry.path_bytes().into_owned());
    let shown = String::from_utf8_lossy(&name).into_owned();
    // Before the path: the name of a folder ends with a slash, and the folder is what is wrong.
    if let Some(kind) = other_kind(entry.header().entry_type()) {
        return Err(ContentError::NotAFile { path: shown, kind });
    }
    match String::from_utf8(name) {
        Ok(path) => PackagePath::new(path).map_err(|source| ContentError::Path { path: shown, source }),
        Err(_not_text) => Err(ContentError::Path { path: shown, source: PathError::NotText }),
    }
}

/// What an entry is, unless it is a plain file.
fn other_kind(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Regular => None,
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Link => Some("a hard link"),
        EntryType::Directory => Some("a folder of its own"),
        EntryType::Char | EntryType::Block => Some("a device"),
        EntryType::Fifo => Some("a pipe"),
        EntryType::XHeader | EntryType::XGlobalHeader => Some("described by an extended header"),
        _ => Some("an entry of an unknown kind"),
    }
}

fn add(content: &mut Content, path: PackagePath, entry: Entry<'_, impl Read>) -> Result<(), ContentError> {
    let name = path.to_string();
    let size = entry.size();
    content.add(path, |room| {
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(room).min(FIRST_ALLOCATION)).unwrap_or_default());
        entry
            .take(room.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| ContentError::Read { path: name.clone(), source })?;
        if (bytes.len() as u64) < size.min(room) {
            return Err(ContentError::Damaged { during: format!("inside {name}"), source: None });
        }
        Ok(bytes)
    })
}

/// Nothing but zeros may follow the last file, and enough of them that nothing can be missing.
fn check_end(mut rest: impl Read, last: &str) -> Result<(), ContentError> {
    let mut zeros = 0;
    let mut buffer = [0; 8192];
    loop {
        let length = rest.read(&mut buffer).map_err(|source| damaged(last, Some(source)))?;
        if length == 0 {
            break;
        }
        if buffer[..length].iter().any(|byte| *byte != 0) {
            return Err(damaged(last, Some(io::Error::other("something stands behind the end of the archive"))));
        }
        zeros += length as u64;
    }
    // The library has read the first of the two blocks that end an archive.
    if zeros < BLOCK { Err(damaged(last, Some(io::ErrorKind::UnexpectedEof.into()))) } else { Ok(()) }
}
