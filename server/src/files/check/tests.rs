use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, GenericImageView as _};
use mp4_atom::{
    Audio, Codec, Dinf, Dref, Encode as _, Esds, FixedPoint, FourCC, Ftyp, Hdlr, Mdhd, Mdia, Minf,
    Moov, Mp4a, Mvhd, Smhd, Stbl, Stsd, Stsz, StszSamples, Tkhd, Trak, Url,
};
use sync_core::limits::PICTURE_PIXELS_MAX;
use sync_core::testing::TestRng;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/files/", $name)).as_slice()
    };
}

/// What a browser's canvas and recorder wrote.
const TAKEN: &[(&[u8], Form)] = &[
    (fixture!("picture.jpg"), Form::Jpeg),
    (fixture!("picture-progressive.jpg"), Form::Jpeg),
    (fixture!("picture.webp"), Form::Webp),
    (fixture!("picture-lossless.webp"), Form::Webp),
    (fixture!("recording.webm"), Form::Webm),
    (fixture!("recording-live.webm"), Form::Webm),
    (fixture!("recording.mp4"), Form::Mp4),
    (fixture!("recording-live.mp4"), Form::Mp4),
];

/// One of them with something put in at a place.
fn with(bytes: &[u8], at: usize, put: &[u8]) -> Vec<u8> {
    let (before, after) = bytes.split_at(at);
    [before, put, after].concat()
}

/// A segment of a JPEG file.
fn segment(marker: u8, said: &[u8]) -> Vec<u8> {
    let length = u16::try_from(said.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker][..], &length, said].concat()
}

/// A WebP file with one more chunk, counted.
fn webp_with(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    let mut bytes = [fixture!("picture.webp"), &name, &length, body].concat();
    let counted = u32::try_from(bytes.len() - 8).unwrap();
    bytes[4..8].copy_from_slice(&counted.to_le_bytes());
    bytes
}

/// A box of an MP4 file.
fn mp4_box(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
    [&length[..], &name, body].concat()
}

#[test]
fn what_browsers_make_is_taken() {
    for (bytes, form) in TAKEN {
        assert_eq!(check(bytes), Ok(*form));
        assert_eq!(Form::of(&bytes[..Form::BYTES]), Some(*form));
    }
}

#[test]
fn a_picture_that_says_where_or_by_whom_it_was_taken_is_refused() {
    let jpeg = fixture!("picture.jpg");
    let said: &[(u8, &[u8])] = &[
        (0xE1, b"Exif\0\0MM\0\x2A"),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"),
        (0xED, b"Photoshop 3.0\08BIM"),
        (0xE2, b"MPF\0"),
        (0xE0, b"JFXX\0\x10"),
        (0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\x01\x01abc"),
        (0xEE, b"Adobe and more than its twelve bytes"),
        (0xEF, b"vendor"),
        (0xFE, "老马家门口".as_bytes()),
    ];
    for (marker, said) in said {
        let put = segment(*marker, said);
        for at in [2, jpeg.len() - 2] {
            let refused = check(&with(jpeg, at, &put));
            assert!(
                matches!(refused, Err(Unfit::Metadata)),
                "{marker:x} at {at}: {refused:?}"
            );
        }
    }
    for name in [*b"EXIF", *b"XMP ", *b"META", *b"VP8 "] {
        assert_eq!(check(&webp_with(name, b"ab")), Err(Unfit::Metadata));
    }
}

#[test]
fn what_follows_a_picture_is_refused() {
    for (bytes, form) in TAKEN {
        let refused = check(&[bytes, b"PK\x03\x04".as_slice()].concat());
        assert!(refused.is_err(), "{form:?}");
    }
    let jpeg = fixture!("picture.jpg");
    assert_eq!(check(&[jpeg, jpeg].concat()), Err(Unfit::Metadata));
}

#[test]
fn a_recording_with_tags_names_or_attachments_is_refused() {
    let mp4 = fixture!("recording.mp4");
    for name in [*b"udta", *b"meta", *b"uuid", *b"XMP_"] {
        let put = mp4_box(name, "老马".as_bytes());
        assert_eq!(check(&with(mp4, mp4.len(), &put)), Err(Unfit::Metadata));
        assert_eq!(check(&with(mp4, 36, &put)), Err(Unfit::Metadata));
    }
    let put = mp4_box(*b"free", "老马".as_bytes());
    assert_eq!(check(&with(mp4, mp4.len(), &put)), Err(Unfit::Metadata));
    assert!(check(&with(mp4, mp4.len(), &mp4_box(*b"free", &[0; 9]))).is_ok());

    // In what is recorded on the way the segment is as long as the file.
    let webm = fixture!("recording-live.webm");
    let elements: &[&[u8]] = &[
        // Tags, attachments, chapters; a date and a title belong to the information.
        b"\x12\x54\xC3\x67\x82ab",
        b"\x19\x41\xA4\x69\x82ab",
        b"\x10\x43\xA7\x70\x82ab",
        b"\xEC\x82ab",
    ];
    for put in elements {
        assert_eq!(check(&with(webm, 48, put)), Err(Unfit::Metadata));
        assert_eq!(check(&with(webm, webm.len(), put)), Err(Unfit::Metadata));
    }
    assert!(check(&with(webm, 48, b"\xEC\x82\0\0")).is_ok());
    let information = webm.windows(5).position(|it| it == b"\x15\x49\xA9\x66\x99");
    let information = information.unwrap();
    let mut titled = with(webm, information + 5, b"\x7B\xA9\x82ab");
    titled[information + 4] += 5;
    assert_eq!(check(&titled), Err(Unfit::Metadata));
}

#[test]
fn what_is_cut_short_anywhere_is_refused() {
    // What is recorded on the way may end after any of its blocks or parts, of which these are the first.
    let first = [
        (fixture!("recording-live.webm"), 332),
        (fixture!("recording-live.mp4"), 1541),
    ];
    for (bytes, form) in TAKEN {
        let live = first.iter().find(|(live, _)| live == bytes);
        let ends = live.map_or(bytes.len(), |(_, first)| *first);
        for end in 0..ends {
            assert!(check(&bytes[..end]).is_err(), "{form:?} of {end} bytes");
        }
    }
}

#[test]
fn bytes_by_chance_and_files_with_bytes_by_chance_do_no_harm() {
    let mut rng = TestRng::new(7);
    let mut below = |most: usize| u32::from_be_bytes(rng.bytes()) as usize % most;
    for round in 0..400 {
        let mut noise: Vec<u8> = (0..below(300))
            .map(|_| below(256).try_into().unwrap())
            .collect();
        assert!(check(&noise).is_err(), "{noise:?}");
        let (bytes, _) = TAKEN[round % TAKEN.len()];
        // The head makes it look like one.
        let head = Form::BYTES.min(noise.len());
        noise[..head].copy_from_slice(&bytes[..head]);
        assert!(check(&noise).is_err(), "{noise:?}");
        let mut changed = bytes.to_vec();
        for _ in 0..=below(4) {
            let at = below(changed.len());
            changed[at] = below(256).try_into().unwrap();
        }
        // Sound and pixels may be any; whatever it is, it does not panic.
        let _ = check(&changed);
    }
}

/// A picture of so many pixels, all of one colour.
fn grey(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = vec![128; usize::from(width) * usize::from(height)];
    JpegEncoder::new_with_quality(&mut bytes, 30)
        .encode(&pixels, width.into(), height.into(), ExtendedColorType::L8)
        .unwrap();
    bytes
}

#[test]
fn a_picture_has_so_many_pixels() {
    let height = 5_000;
    let width = u16::try_from(PICTURE_PIXELS_MAX / u64::from(height)).unwrap();
    assert_eq!(check(&grey(width, height)), Ok(Form::Jpeg));
    assert_eq!(check(&grey(width + 1, height)), Err(Unfit::Pixels));
    // It says that it is larger, and nothing is allocated for it.
    let mut claims = grey(8, 8);
    let frame = claims.windows(2).position(|it| it == [0xFF, 0xC0]).unwrap();
    claims[frame + 5..frame + 9].fill(0xFF);
    assert_eq!(check(&claims), Err(Unfit::Pixels));
}

#[test]
fn a_picture_goes_over_its_pixels_so_often() {
    let jpeg = fixture!("picture-progressive.jpg");
    let scan = |from: usize| {
        let at = jpeg[from..].windows(2).position(|it| it == [0xFF, 0xDA]);
        at.map(|at| from + at)
    };
    let first = scan(0).unwrap();
    let second = scan(first + 2).unwrap();
    let scans = |more: usize| with(jpeg, second, &jpeg[first..second].repeat(more));
    assert_eq!(check(&scans(100)), Err(Unfit::Form));
}

#[test]
fn what_is_decoded_is_what_was_drawn() {
    let picture = image::load_from_memory(fixture!("picture.jpg")).unwrap();
    assert_eq!(picture.dimensions(), (64, 48));
}

/// A recording as other browsers make it: AAC, with all tables before the sound.
fn aac(handler: [u8; 4], promised: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let ftyp = Ftyp {
        major_brand: b"mp42".into(),
        minor_version: 0,
        compatible_brands: vec![b"isom".into()],
    };
    ftyp.encode(&mut bytes).unwrap();
    let audio = Audio {
        data_reference_index: 1,
        channel_count: 1,
        sample_size: 16,
        sample_rate: FixedPoint::from(44_100_u16),
    };
    let mp4a = Mp4a {
        audio,
        esds: Esds::default(),
        btrt: None,
        taic: None,
    };
    let stbl = Stbl {
        stsd: Stsd {
            codecs: vec![Codec::Mp4a(mp4a)],
        },
        stsz: Stsz {
            samples: StszSamples::Identical {
                count: 3,
                size: promised,
            },
        },
        ..Stbl::default()
    };
    let hdlr = Hdlr {
        handler: FourCC::new(&handler),
        name: "Core Media Audio".to_owned(),
    };
    let dinf = Dinf {
        dref: Dref {
            entries: vec![Url::default().into()],
        },
    };
    let minf = Minf {
        smhd: Some(Smhd::default()),
        dinf,
        stbl,
        ..Minf::default()
    };
    let mdia = Mdia {
        mdhd: Mdhd::default(),
        hdlr,
        minf,
    };
    let trak = Trak {
        tkhd: Tkhd::default(),
        mdia,
        ..Trak::default()
    };
    let moov = Moov {
        mvhd: Mvhd::default(),
        trak: vec![trak],
        ..Moov::default()
    };
    moov.encode(&mut bytes).unwrap();
    bytes.extend(mp4_box(*b"mdat", &[7; 300]));
    bytes
}

#[test]
fn aac_is_taken_and_film_or_less_sound_than_is_promised_is_not() {
    assert_eq!(check(&aac(*b"soun", 100)), Ok(Form::Mp4));
    assert_eq!(check(&aac(*b"vide", 100)), Err(Unfit::Form));
    assert_eq!(check(&aac(*b"soun", 101)), Err(Unfit::Form));
    assert_eq!(check(&aac(*b"soun", 0)), Err(Unfit::Form));
}
