//! DEFLATE (RFC 1951), bare, within bounds.
//!
//! For a core that has to be fetched over a bad line before anybody can work: Brotli's encoder brings half a megabyte of tables. What it
//! writes is some tenth longer.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Effort, PackError};

const CHUNK: usize = 16 * 1024;

const fn level(effort: Effort) -> Compression {
    match effort {
        Effort::Full | Effort::Soon => Compression::best(),
        Effort::Quick => Compression::fast(),
    }
}

pub(crate) fn squeeze(bytes: &[u8], effort: Effort) -> Vec<u8> {
    let mut encoder = Compress::new(level(effort), false);
    let mut squeezed = Vec::with_capacity(bytes.len() / 2 + CHUNK);
    loop {
        let read = usize::try_from(encoder.total_in()).expect("no longer than its input");
        let rest = bytes.get(read..).unwrap_or_default();
        let status = encoder
            .compress_vec(rest, &mut squeezed, FlushCompress::Finish)
            .expect("memory to memory cannot fail");
        if status == Status::StreamEnd {
            return squeezed;
        }
        squeezed.reserve(CHUNK);
    }
}

/// Decompresses all of `bytes`, to at most `max` bytes. The decoder itself holds a window of 32 KiB.
pub(crate) fn release(bytes: &[u8], max: usize) -> Result<Vec<u8>, PackError> {
    let mut decoder = Decompress::new(false);
    let mut released = Vec::new();
    loop {
        let read = usize::try_from(decoder.total_in()).expect("no longer than its input");
        let rest = bytes.get(read..).unwrap_or_default();
        // One byte more than may be, so that what is too long shows.
        let room = max.saturating_add(1).saturating_sub(released.len());
        released.reserve_exact(room.min(CHUNK));
        let before = (decoder.total_in(), released.len());
        let status = decoder
            .decompress_vec(rest, &mut released, FlushDecompress::None)
            .map_err(|_| PackError::Malformed("a damaged stream"))?;
        if released.len() > max {
            return Err(PackError::TooLarge(max));
        }
        let at_end = decoder.total_in() == bytes.len() as u64;
        match status {
            Status::StreamEnd if at_end => return Ok(released),
            Status::StreamEnd => return Err(PackError::Malformed("bytes after the stream")),
            Status::Ok | Status::BufError => {
                if before == (decoder.total_in(), released.len()) {
                    return Err(PackError::Malformed("a stream cut short"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_limit_holds_at_its_edge_and_one_past_it() {
        for length in [0, 1, CHUNK, CHUNK + 1, 300_000] {
            let bytes = vec![b'a'; length];
            let squeezed = squeeze(&bytes, Effort::Full);
            assert_eq!(release(&squeezed, length), Ok(bytes), "{length}");
            if length > 0 {
                assert_eq!(
                    release(&squeezed, length - 1),
                    Err(PackError::TooLarge(length - 1))
                );
            }
        }
    }

    #[test]
    fn a_truncated_or_continued_stream_is_refused() {
        let text = "民情账：已回访，已办结。".repeat(20);
        let squeezed = squeeze(text.as_bytes(), Effort::Full);
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
