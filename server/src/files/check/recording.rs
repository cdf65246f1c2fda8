//! Recordings: the elements and boxes that browsers write around one track of sound.
//!
//! The containers hold everything that anybody thought of, so first every element is walked and held against what a recording
//! consists of; only then is it opened by the libraries that read such containers.

use std::io::Cursor;

use matroska_demuxer::{Frame, MatroskaFile, TrackType};
use mp4_atom::{Atom, Codec, Decode as _, FourCC, Header, Moof, Moov, StszSamples, TrunSamples};

use super::Unfit;

/// What a program calls itself or its handler, at most. Longer texts are said by people.
const NAME_BYTES_MAX: usize = 64;

/// What an element or box may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Others, after so many bytes of its own.
    Others(usize),
    /// Something of a program, at most so long.
    Short(usize),
    /// Sound, or tables about it.
    Data,
    /// Nothing: room that was left.
    Room,
}

impl Holds {
    /// Holds a body against it.
    fn check(self, body: &[u8]) -> Result<(), Unfit> {
        let is_fit = match self {
            Self::Others(_) | Self::Data => true,
            Self::Short(most) => body.len() <= most,
            Self::Room => body.iter().all(|byte| *byte == 0),
        };
        if is_fit { Ok(()) } else { Err(Unfit::Metadata) }
    }
}

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1F43_B675;

/// What an element of a `WebM` file may hold, by the element that it lies in (0: none) and its own id.
const fn element(parent: u32, id: u32) -> Option<Holds> {
    const NUMBER: Holds = Holds::Short(8);
    Some(match (parent, id) {
        (_, 0xEC) => Holds::Room,
        (0, EBML | SEGMENT)
        // Where things are, information, tracks, clusters, cues.
        | (SEGMENT, 0x114D_9B74 | 0x1549_A966 | 0x1654_AE6B | CLUSTER | 0x1C53_BB6B)
        | (0x114D_9B74, 0x4DBB)
        | (0x1654_AE6B, 0xAE)
        // How it sounds.
        | (0xAE, 0xE1)
        // A block that is not simple.
        | (CLUSTER, 0xA0)
        | (0x1C53_BB6B, 0xBB)
        | (0xBB, 0xB7) => Holds::Others(0),
        (EBML, 0x4286 | 0x42F7 | 0x42F2 | 0x42F3 | 0x4282 | 0x4287 | 0x4285)
        | (0x4DBB, 0x53AB | 0x53AC)
        // The scale of times, and how long it lasts.
        | (0x1549_A966, 0x002A_D7B1 | 0x4489)
        // The track's numbers and marks; its language is three letters.
        | (0xAE, 0xD7 | 0x73C5 | 0x83 | 0x9C | 0xB9 | 0x88 | 0x55AA | 0x0023_E383 | 0x56AA | 0x56BB | 0x0022_B59C)
        | (0xE1, 0xB5 | 0x78B5 | 0x9F | 0x6264)
        // Where the cluster lies.
        | (CLUSTER, 0xA7 | 0xAB)
        // How long the block lasts, what it refers to, and what to throw away of it.
        | (0xA0, 0x9B | 0xFB | 0x75A2)
        | (0xBB, 0xB3)
        | (0xB7, 0xF7 | 0xF1 | 0xF0 | 0xB2 | 0x5378) => NUMBER,
        // A time beyond this lies in no recording, and overflows.
        (CLUSTER, 0xE7) => Holds::Short(6),
        // The programs that wrote it, and the codec.
        (0x1549_A966, 0x4D80 | 0x5741) | (0xAE, 0x86 | 0x63A2) => Holds::Short(NAME_BYTES_MAX),
        (CLUSTER, 0xA3) | (0xA0, 0xA1) => Holds::Data,
        _ => return None,
    })
}

pub(super) fn webm(bytes: &[u8]) -> Result<(), Unfit> {
    elements(bytes, 0, false)?;
    let broken = |_| Unfit::Form;
    let mut file = MatroskaFile::open(Cursor::new(bytes)).map_err(broken)?;
    let [track] = file.tracks() else {
        return Err(Unfit::Form);
    };
    let number = track.track_number().get();
    if track.track_type() != TrackType::Audio || track.codec_id() != "A_OPUS" {
        return Err(Unfit::Form);
    }
    let (mut frame, mut frames) = (Frame::default(), 0_u64);
    while file.next_frame(&mut frame).map_err(broken)? {
        if frame.track != number {
            return Err(Unfit::Form);
        }
        frames += 1;
    }
    if frames == 0 {
        Err(Unfit::Form)
    } else {
        Ok(())
    }
}

/// Walks elements to their end: that of the bytes, or, if nobody knew the length when they began, the next thing that cannot be in
/// there. What is left is given back.
fn elements(mut bytes: &[u8], parent: u32, is_open: bool) -> Result<&[u8], Unfit> {
    while !bytes.is_empty() {
        let (id, after) = element_id(bytes)?;
        let Some(holds) = element(parent, id) else {
            let is_beside = is_open && element(SEGMENT, id).is_some();
            return if is_beside {
                Ok(bytes)
            } else {
                Err(Unfit::Metadata)
            };
        };
        let (length, body) = element_length(after)?;
        let Some(length) = length else {
            if !matches!(id, SEGMENT | CLUSTER) {
                return Err(Unfit::Form);
            }
            bytes = elements(body, id, id == CLUSTER)?;
            continue;
        };
        let (body, after) = body.split_at_checked(length).ok_or(Unfit::Form)?;
        holds.check(body)?;
        if let Holds::Others(_) = holds {
            elements(body, id, false)?;
        }
        bytes = after;
    }
    Ok(bytes)
}

/// An element's id, as it is written.
fn element_id(bytes: &[u8]) -> Result<(u32, &[u8]), Unfit> {
    let more = bytes
        .first()
        .map_or(8, |first| first.leading_zeros() as usize);
    if more > 3 {
        return Err(Unfit::Form);
    }
    let (id, after) = bytes.split_at_checked(more + 1).ok_or(Unfit::Form)?;
    Ok((
        id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte)),
        after,
    ))
}

/// An element's length; none if nobody knew it when it was written.
fn element_length(bytes: &[u8]) -> Result<(Option<usize>, &[u8]), Unfit> {
    let more = bytes
        .first()
        .map_or(8, |first| first.leading_zeros() as usize);
    if more > 7 {
        return Err(Unfit::Form);
    }
    let (length, after) = bytes.split_at_checked(more + 1).ok_or(Unfit::Form)?;
    let number = length
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    let mask = (1_u64 << (7 * (more + 1))) - 1;
    let number = number & mask;
    let known = (number != mask).then(|| usize::try_from(number).map_err(|_| Unfit::Form));
    Ok((known.transpose()?, after))
}

/// What a box of an MP4 file may hold.
const fn holds(name: [u8; 4]) -> Option<Holds> {
    Some(match &name {
        b"moov" | b"trak" | b"edts" | b"mdia" | b"minf" | b"dinf" | b"stbl" | b"mvex" | b"moof"
        | b"traf" | b"mfra" => Holds::Others(0),
        // How many there are.
        b"stsd" => Holds::Others(8),
        // How it sounds: channels, bits and rate.
        b"mp4a" | b"Opus" => Holds::Others(28),
        // Handlers have a name after their numbers, and data that lies in the file itself none.
        b"hdlr" => Holds::Short(24 + NAME_BYTES_MAX),
        b"dref" => Holds::Short(21),
        b"ftyp" | b"styp" | b"esds" | b"dOps" | b"chnl" | b"chan" | b"btrt" | b"srat" | b"iods" => {
            Holds::Short(2 * NAME_BYTES_MAX)
        }
        b"mvhd" | b"tkhd" | b"mdhd" | b"smhd" | b"mehd" | b"trex" | b"mfhd" | b"tfhd" | b"tfdt"
        | b"mfro" => Holds::Short(2 * NAME_BYTES_MAX),
        b"elst" | b"stts" | b"stsc" | b"stsz" | b"stco" | b"co64" | b"stss" | b"sgpd" | b"sbgp"
        | b"trun" | b"sidx" | b"tfra" | b"mdat" => Holds::Data,
        b"free" | b"skip" => Holds::Room,
        _ => return None,
    })
}

pub(super) fn mp4(bytes: &[u8]) -> Result<(), Unfit> {
    let mut recording = Mp4::default();
    recording.boxes(bytes, true)?;
    // What the tables promise must be there: a recording that was cut short looks whole without this.
    if recording.tracks == 1 && (1..=recording.there).contains(&recording.promised) {
        Ok(())
    } else {
        Err(Unfit::Form)
    }
}

fn decoded<T: Atom>(whole: &[u8]) -> Result<T, Unfit> {
    T::decode(&mut Cursor::new(whole)).map_err(|_| Unfit::Form)
}

/// What was found in an MP4 file.
#[derive(Debug, Default)]
struct Mp4 {
    tracks: usize,
    /// Bytes of sound that the tables tell of.
    promised: u64,
    /// Bytes of sound that there are.
    there: u64,
}

impl Mp4 {
    fn boxes(&mut self, bytes: &[u8], is_top: bool) -> Result<(), Unfit> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let whole = rest;
            let header = Header::decode(&mut rest).map_err(|_| Unfit::Form)?;
            let length = header.size.ok_or(Unfit::Form)?;
            let (body, after) = rest.split_at_checked(length).ok_or(Unfit::Form)?;
            let name = header.kind.into();
            let holds = holds(name).ok_or(Unfit::Metadata)?;
            holds.check(body)?;
            if let Holds::Others(own) = holds {
                self.boxes(body.get(own..).ok_or(Unfit::Form)?, false)?;
            }
            rest = after;
            let (whole, _) = whole.split_at(whole.len() - after.len());
            match &name {
                _ if !is_top => {}
                b"moov" => self.whole(&decoded(whole)?)?,
                b"moof" => self.part(&decoded(whole)?),
                b"mdat" => self.there += body.len() as u64,
                _ => {}
            }
        }
        Ok(())
    }

    /// What is told of the whole recording, and of all its sound if it was written at its end.
    fn whole(&mut self, moov: &Moov) -> Result<(), Unfit> {
        for track in &moov.trak {
            let stbl = &track.mdia.minf.stbl;
            let is_sound = track.mdia.hdlr.handler == FourCC::new(b"soun")
                && matches!(
                    stbl.stsd.codecs.as_slice(),
                    [Codec::Mp4a(_) | Codec::Opus(_)]
                );
            if !is_sound {
                return Err(Unfit::Form);
            }
            self.tracks += 1;
            self.promise(match &stbl.stsz.samples {
                StszSamples::Identical { count, size } => u64::from(*count) * u64::from(*size),
                StszSamples::Different { sizes } => sizes.iter().copied().map(u64::from).sum(),
            });
        }
        Ok(())
    }

    /// What is told of a part that was written on the way.
    fn part(&mut self, moof: &Moof) {
        for track in &moof.traf {
            let usual = track.tfhd.default_sample_size.unwrap_or(1);
            for run in &track.trun {
                self.promise(match &run.samples {
                    TrunSamples::Inherited { count, .. } => u64::from(*count) * u64::from(usual),
                    TrunSamples::Explicit(samples) => (samples.iter())
                        .map(|sample| u64::from(sample.size.unwrap_or(usual)))
                        .sum(),
                });
            }
        }
    }

    fn promise(&mut self, bytes: u64) {
        self.promised = self.promised.saturating_add(bytes);
    }
}
