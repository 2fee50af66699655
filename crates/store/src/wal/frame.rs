//! How a commit lies in a log file.
//!
//! ```text
//!  0        4        8                16               24                       multiple of 8
//!  ┌────────┬────────┬────────────────┬────────────────┬─ ─ ─ ─ ─ ─ ─ ─ ─┬─ ─ ─┐
//!  │ length │ crc32c │ lsn            │ synced         │ payload         │ 0…  │
//!  └────────┴────────┴────────────────┴────────────────┴─ ─ ─ ─ ─ ─ ─ ─ ─┴─ ─ ─┘
//! ```
//!
//! `length` counts the payload; the checksum covers everything but itself and the padding. `synced` is
//! the newest commit that was known to be on disk when this one was written. It tells damage from a torn
//! write: commits that were written in one go may reach the disk in any order, so a whole frame after a
//! broken one means nothing, unless it says that the broken one had been synced.

use highwater_model::Lsn;

/// Bytes before the payload.
const HEADER_BYTES: usize = 24;

/// A frame whose checksum is right.
#[derive(Debug, PartialEq)]
pub struct Frame<'a> {
    /// The commit.
    pub lsn: Lsn,
    /// The newest commit known to be on disk when this one was written.
    pub synced: Lsn,
    /// Its record.
    pub payload: &'a [u8],
    /// Bytes it takes, with padding.
    pub bytes: usize,
}

/// Appends a frame whose payload `fill` writes. The end of `out` is a multiple of 8 before and after.
pub fn append(out: &mut Vec<u8>, lsn: Lsn, synced: Lsn, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&lsn.0.to_le_bytes());
    out.extend_from_slice(&synced.0.to_le_bytes());
    fill(out);
    let length = u32::try_from(out.len() - start - HEADER_BYTES).expect("larger commits go to segments");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    let checksum = checksum(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    out.resize(out.len().next_multiple_of(8), 0);
}

/// The frame at the start of `bytes`, if there is a whole one.
pub fn parse(bytes: &[u8]) -> Option<Frame<'_>> {
    let header = bytes.get(..HEADER_BYTES)?;
    let length = u32::from_le_bytes(header[..4].try_into().expect("four bytes")) as usize;
    let frame = bytes.get(..HEADER_BYTES + length)?;
    let u64_at = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    let (lsn, synced) = (Lsn(u64_at(8)), Lsn(u64_at(16)));
    // Commits count from one, so zeros are no frame.
    if lsn.0 == 0 || checksum(frame) != u32::from_le_bytes(header[4..8].try_into().expect("four bytes")) {
        return None;
    }
    let bytes = frame.len().next_multiple_of(8);
    Some(Frame { lsn, synced, payload: &frame[HEADER_BYTES..], bytes })
}

/// Whether somewhere in `bytes` there is a whole frame that says `lsn` had been synced.
pub fn proves_synced(bytes: &[u8], lsn: Lsn) -> bool {
    // Compare the two numbers before computing a checksum: old frames of a recycled file are everywhere.
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + HEADER_BYTES) {
        let u64_at = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        let plausible = u64_at(8) > lsn.0 && u64_at(16) >= lsn.0 && u64_at(16) < u64_at(8);
        if plausible && parse(&bytes[at..]).is_some() {
            return true;
        }
        at += 8;
    }
    false
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_frames() -> (Vec<u8>, usize) {
        let mut out = Vec::new();
        append(&mut out, Lsn(7), Lsn(6), |out| out.extend_from_slice(b"hello"));
        let second = out.len();
        append(&mut out, Lsn(8), Lsn(7), |out| out.extend_from_slice(b"world!"));
        (out, second)
    }

    #[test]
    fn a_frame_reads_back() {
        let (bytes, second) = two_frames();
        let first = parse(&bytes).unwrap();
        assert_eq!((first.lsn, first.synced, first.payload, first.bytes), (Lsn(7), Lsn(6), &b"hello"[..], second));
        assert_eq!(parse(&bytes[second..]).unwrap().payload, b"world!");
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let (bytes, second) = two_frames();
        for bit in 0..(24 + 5) * 8 {
            let mut changed = bytes[..second].to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&changed), None, "bit {bit}");
        }
        assert_eq!(parse(&bytes[..second - 4]), None);
        assert_eq!(parse(&[0; 64]), None);
    }

    #[test]
    fn a_later_frame_proves_that_an_earlier_one_was_synced() {
        let (mut bytes, _) = two_frames();
        bytes[30] ^= 1;
        assert!(proves_synced(&bytes, Lsn(7)));
        assert!(!proves_synced(&bytes, Lsn(8)));
    }
}
