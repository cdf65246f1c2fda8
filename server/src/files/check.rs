//! Whether a file is a picture or a recording as phones make them, and says nothing beside.
//!
//! The phone has stripped what it hashed and signed; what it forgot, or somebody put in on purpose, would be kept for years. So what
//! a file may consist of is listed, and everything else refused: a list of what may not be in it would lack the next camera's
//! invention.

mod picture;
mod recording;

/// What a file is, by the bytes it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A picture.
    Jpeg,
    /// A picture.
    Webp,
    /// A recording: Opus in `WebM`.
    Webm,
    /// A recording: AAC or Opus in MP4.
    Mp4,
}

impl Form {
    /// How many bytes tell.
    pub const BYTES: usize = 12;

    /// What begins with these bytes, if it is anything that is taken.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::Webp),
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Some(Self::Webm),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some(Self::Mp4),
            _ => None,
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Webm => "audio/webm",
            Self::Mp4 => "audio/mp4",
        }
    }
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is neither a picture nor a recording, or a broken one.
    #[error("neither a picture nor a recording")]
    Form,
    /// Something is in it that is neither picture nor sound.
    #[error("more than a picture or a sound")]
    Metadata,
    /// The picture has too many pixels.
    #[error("too many pixels")]
    Pixels,
}

/// Whether a whole file is one that is taken. It takes a processor for a while, and up to some 400 MB.
pub fn check(bytes: &[u8]) -> Result<Form, Unfit> {
    let form = Form::of(bytes).ok_or(Unfit::Form)?;
    match form {
        Form::Jpeg => picture::jpeg(bytes)?,
        Form::Webp => picture::webp(bytes)?,
        Form::Webm => recording::webm(bytes)?,
        Form::Mp4 => recording::mp4(bytes)?,
    }
    Ok(form)
}

#[cfg(test)]
mod tests;
