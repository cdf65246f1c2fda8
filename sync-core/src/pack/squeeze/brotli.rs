//! Brotli (RFC 7932) within bounds.

use brotli::enc::BrotliEncoderParams;
use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};

use super::{Effort, PackError};

/// Windows are 2^16 to 2^22 bytes: the smallest that spans the input.
const WINDOW_BITS: core::ops::RangeInclusive<u32> = 16..=22;
/// What a window holds less than its power of two.
const WINDOW_GAP: usize = 16;
const CHUNK: usize = 16 * 1024;

const fn quality(effort: Effort) -> i32 {
    match effort {
        Effort::Full => 11,
        Effort::Soon => 10,
        Effort::Quick => 4,
    }
}

/// How many bits a window needs to span `length` bytes.
fn window_bits(length: usize) -> u32 {
    WINDOW_BITS
        .clone()
        .find(|bits| (1_usize << bits) - WINDOW_GAP >= length)
        .unwrap_or(*WINDOW_BITS.end())
}

/// The window that a stream asks its reader to hold (RFC 7932 §9.1), if it is one of the standard's.
fn claimed_window_bits(first: u8) -> Option<u32> {
    if first & 1 == 0 {
        return Some(16);
    }
    match (first >> 1 & 7, first >> 4 & 7) {
        (0, 0) => Some(17),
        (0, 1) => None, // the "large window" extension
        (0, bits) => Some(8 + u32::from(bits)),
        (bits, _) => Some(17 + u32::from(bits)),
    }
}

pub(crate) fn squeeze(bytes: &[u8], effort: Effort) -> Vec<u8> {
    let params = BrotliEncoderParams {
        quality: quality(effort),
        lgwin: window_bits(bytes.len()).cast_signed(),
        size_hint: bytes.len(),
        large_window: false,
        ..BrotliEncoderParams::default()
    };
    let mut squeezed = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut squeezed, &params)
        .expect("memory to memory cannot fail");
    squeezed
}

/// Decompresses all of `bytes`, to at most `max` bytes. The decoder itself holds at most a window of the size that `max` bytes
/// need, and some 4 MiB of code tables in the worst (hostile) case.
pub(crate) fn release(bytes: &[u8], max: usize) -> Result<Vec<u8>, PackError> {
    let first = bytes.first().ok_or(PackError::Malformed("no stream"))?;
    if claimed_window_bits(*first).is_none_or(|bits| bits > window_bits(max)) {
        return Err(PackError::Malformed("a window that no such stream needs"));
    }
    let mut state = BrotliState::new_strict(
        StandardAlloc::default(),
        StandardAlloc::default(),
        StandardAlloc::default(),
    );
    let (mut left, mut at, mut total) = (bytes.len(), 0, 0);
    let mut inflated = Vec::new();
    let mut chunk = [0; CHUNK];
    loop {
        let (mut room, mut written) = (CHUNK, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            bytes,
            &mut room,
            &mut written,
            &mut chunk,
            &mut total,
            &mut state,
        );
        if inflated.len() + written > max {
            return Err(PackError::TooLarge(max));
        }
        inflated.extend(chunk.iter().take(written));
        match result {
            BrotliResult::ResultSuccess if left == 0 => return Ok(inflated),
            BrotliResult::ResultSuccess => {
                return Err(PackError::Malformed("bytes after the stream"));
            }
            BrotliResult::NeedsMoreOutput if written > 0 => {}
            BrotliResult::NeedsMoreOutput | BrotliResult::NeedsMoreInput => {
                return Err(PackError::Malformed("a stream cut short"));
            }
            BrotliResult::ResultFailure => return Err(PackError::Malformed("a damaged stream")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deflated_with(window: i32, large_window: bool, bytes: &[u8]) -> Vec<u8> {
        let params = BrotliEncoderParams {
            lgwin: window,
            large_window,
            ..BrotliEncoderParams::default()
        };
        let mut squeezed = Vec::new();
        brotli::BrotliCompress(&mut &*bytes, &mut squeezed, &params).unwrap();
        squeezed
    }

    #[test]
    fn the_limit_holds_at_its_edge_and_one_past_it() {
        for length in [0, 1, 65_520, 65_521, 300_000] {
            let bytes = vec![b'a'; length];
            let squeezed = squeeze(&bytes, Effort::Full);
            assert_eq!(release(&squeezed, length), Ok(bytes));
            if length > 0 {
                let refused = release(&squeezed, length - 1).unwrap_err();
                assert!(
                    matches!(refused, PackError::TooLarge(_) | PackError::Malformed(_)),
                    "{length}: {refused}"
                );
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let bomb = squeeze(&vec![0; 4_000_000], Effort::Full);
        assert!(bomb.len() < 100);
        assert!(release(&bomb, 1 << 20).is_err());
        let narrow = deflated_with(16, false, &vec![0; 4_000_000]);
        assert_eq!(release(&narrow, 1 << 20), Err(PackError::TooLarge(1 << 20)));
    }

    #[test]
    fn a_wide_window_is_refused_unread() {
        let squeezed = deflated_with(24, false, b"some text");
        assert_eq!(claimed_window_bits(squeezed[0]), Some(24));
        assert!(release(&squeezed, 1 << 20).is_err());
        let large = deflated_with(28, true, b"some text");
        assert_eq!(claimed_window_bits(large[0]), None);
        assert!(release(&large, usize::MAX).is_err());
    }

    #[test]
    fn claimed_windows_are_read_as_the_encoder_writes_them() {
        for bits in 10..=24 {
            let squeezed = deflated_with(bits, false, &vec![7; 1 << 17]);
            assert_eq!(
                claimed_window_bits(squeezed[0]),
                Some(bits.cast_unsigned()),
                "{bits}"
            );
        }
    }

    #[test]
    fn a_truncated_or_continued_stream_is_refused() {
        let squeezed = squeeze(
            "民情账：已回访，已办结。".repeat(20).as_bytes(),
            Effort::Full,
        );
        for length in 0..squeezed.len() {
            assert!(release(&squeezed[..length], 1 << 16).is_err(), "{length}");
        }
        let continued = [&squeezed[..], &[0]].concat();
        assert_eq!(
            release(&continued, 1 << 16),
            Err(PackError::Malformed("bytes after the stream"))
        );
    }

    proptest! {
        #[test]
        fn what_is_squeezed_comes_back(bytes: Vec<u8>) {
            for effort in [Effort::Full, Effort::Quick] {
                let squeezed = squeeze(&bytes, effort);
                prop_assert_eq!(release(&squeezed, bytes.len()), Ok(bytes.clone()));
            }
        }

        #[test]
        fn nothing_breaks_it(bytes: Vec<u8>) {
            let _ = release(&bytes, 1 << 16);
        }
    }
}
