//! Pictures: the segments that a phone's canvas writes, and a decoding of the whole within limits.

use std::io::Cursor;

use image::{ImageDecoder as _, ImageFormat, ImageReader, Limits};
use sync_core::limits;

use super::Unfit;

/// What decoding may take at one time: every pixel with four bytes, and half as much again to work with.
const DECODED_BYTES_MAX: u64 = 6 * limits::PICTURE_PIXELS_MAX;
/// How often a progressive picture may go over all its pixels. Encoders write ten scans; a few dozen bytes make another one, which
/// would cost as much as the picture.
const SCANS_MAX: u32 = 24;
/// The JFIF header without a thumbnail.
const JFIF_BYTES: usize = 14;
/// Adobe's, which says how colours are meant.
const ADOBE_BYTES: usize = 12;

pub(super) fn jpeg(bytes: &[u8]) -> Result<(), Unfit> {
    jpeg_segments(bytes)?;
    decode(bytes, ImageFormat::Jpeg)
}

pub(super) fn webp(bytes: &[u8]) -> Result<(), Unfit> {
    webp_chunks(bytes)?;
    decode(bytes, ImageFormat::WebP)
}

fn jpeg_segments(bytes: &[u8]) -> Result<(), Unfit> {
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8]).ok_or(Unfit::Form)?;
    let mut scans = 0;
    loop {
        let [0xFF, marker, after @ ..] = rest else {
            return Err(Unfit::Form);
        };
        if *marker == 0xD9 {
            return match after {
                [] => Ok(()),
                _ => Err(Unfit::Metadata),
            };
        }
        let (length, _) = after.split_first_chunk().ok_or(Unfit::Form)?;
        let (segment, after) = after
            .split_at_checked(u16::from_be_bytes(*length).into())
            .ok_or(Unfit::Form)?;
        let said = segment.get(2..).ok_or(Unfit::Form)?;
        rest = after;
        match marker {
            0xE0 if said.starts_with(b"JFIF\0") && said.len() == JFIF_BYTES => {}
            // The colours of the screen, for pictures that are shown elsewhere.
            0xE2 if said.starts_with(b"ICC_PROFILE\0") => {}
            0xEE if said.starts_with(b"Adobe") && said.len() == ADOBE_BYTES => {}
            // Tables, the frame (baseline, extended, progressive), and how often it restarts.
            0xDB | 0xC4 | 0xC0..=0xC2 | 0xDD => {}
            0xDA => {
                scans += 1;
                if scans > SCANS_MAX {
                    return Err(Unfit::Form);
                }
                rest = after_scan(after)?;
            }
            // Whatever else applications write, and comments.
            0xE0..=0xEF | 0xFE => return Err(Unfit::Metadata),
            _ => return Err(Unfit::Form),
        }
    }
}

/// What follows the coded pixels of a scan: from the next marker that is no restart.
fn after_scan(bytes: &[u8]) -> Result<&[u8], Unfit> {
    let is_marker =
        |pair: &[u8]| matches!(pair, [0xFF, marker] if !matches!(marker, 0x00 | 0xD0..=0xD7));
    let at = bytes.windows(2).position(is_marker).ok_or(Unfit::Form)?;
    bytes.get(at..).ok_or(Unfit::Form)
}

fn webp_chunks(bytes: &[u8]) -> Result<(), Unfit> {
    const ANIMATION_XMP_EXIF: u8 = 0b0000_1110;
    let (header, mut rest) = bytes.split_at_checked(12).ok_or(Unfit::Form)?;
    let &[_, _, _, _, a, b, c, d, ..] = header else {
        return Err(Unfit::Form);
    };
    // What the header counts begins after the number itself.
    let counted = (u32::from_le_bytes([a, b, c, d]) as usize).checked_sub(4);
    match counted {
        Some(counted) if counted == rest.len() => {}
        Some(counted) if counted < rest.len() => return Err(Unfit::Metadata),
        Some(_) | None => return Err(Unfit::Form),
    }
    let mut seen: Vec<&[u8]> = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let (name, length) = head.split_at(4);
        let length = length.try_into().map_or(0, u32::from_le_bytes) as usize;
        let (body, after) = after.split_at_checked(length).ok_or(Unfit::Form)?;
        match (name, body) {
            (b"VP8X", [flags, ..]) if body.len() == 10 && seen.is_empty() => {
                if flags & ANIMATION_XMP_EXIF != 0 {
                    return Err(Unfit::Metadata);
                }
            }
            (b"VP8 " | b"VP8L" | b"ALPH" | b"ICCP", _) => {}
            (b"VP8X", _) => return Err(Unfit::Form),
            _ => return Err(Unfit::Metadata),
        }
        if seen.contains(&name) {
            return Err(Unfit::Metadata);
        }
        seen.push(name);
        rest = match (length % 2, after) {
            (0, after) | (1, [0, after @ ..]) => after,
            _ => return Err(Unfit::Form),
        };
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Unfit::Metadata)
    }
}

/// Decodes all of it, for the pixels may be anything else.
fn decode(bytes: &[u8], format: ImageFormat) -> Result<(), Unfit> {
    let mut within = Limits::default();
    within.max_alloc = Some(DECODED_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(within);
    let decoder = reader.into_decoder().map_err(|_| Unfit::Form)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits::PICTURE_PIXELS_MAX {
        return Err(Unfit::Pixels);
    }
    let length = usize::try_from(decoder.total_bytes()).map_err(|_| Unfit::Pixels)?;
    let mut pixels = vec![0; length];
    decoder.read_image(&mut pixels).map_err(|_| Unfit::Form)
}
