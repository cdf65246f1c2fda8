//! Any deterministic CBOR as a tree, to be edited and written again in its one form.

/// One item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// An unsigned (major type 0), a negative (1) or a simple (7) number.
    Plain(u8, u64),
    Bytes(Vec<u8>),
    Text(Vec<u8>),
    Array(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Tag(u64, Box<Node>),
}

impl Node {
    /// Reads one item that takes all the bytes.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let node = Self::next(&mut rest)?;
        rest.is_empty().then_some(node)
    }

    fn next(rest: &mut &[u8]) -> Option<Self> {
        let (&first, after) = rest.split_first()?;
        *rest = after;
        let (major, short) = (first >> 5, first & 31);
        let number = match short {
            0..=23 => u64::from(short),
            24..=27 => {
                let (bytes, after) = rest.split_at_checked(1 << (short - 24))?;
                *rest = after;
                bytes
                    .iter()
                    .fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            _ => return None,
        };
        let length = usize::try_from(number).ok()?;
        Some(match major {
            0 | 1 | 7 => Self::Plain(major, number),
            2 | 3 => {
                let (bytes, after) = rest.split_at_checked(length)?;
                *rest = after;
                if major == 2 {
                    Self::Bytes(bytes.to_vec())
                } else {
                    Self::Text(bytes.to_vec())
                }
            }
            4 => Self::Array(
                (0..length)
                    .map(|_| Self::next(rest))
                    .collect::<Option<_>>()?,
            ),
            5 => {
                let pairs = (0..length).map(|_| Some((Self::next(rest)?, Self::next(rest)?)));
                Self::Map(pairs.collect::<Option<_>>()?)
            }
            _ => Self::Tag(number, Box::new(Self::next(rest)?)),
        })
    }

    /// The deterministic encoding, but for the order of a map's keys, which is left as it was.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        match self {
            Self::Plain(major, number) => head(into, *major, *number),
            Self::Bytes(bytes) => {
                head(into, 2, bytes.len() as u64);
                into.extend(bytes);
            }
            Self::Text(bytes) => {
                head(into, 3, bytes.len() as u64);
                into.extend(bytes);
            }
            Self::Array(items) => {
                head(into, 4, items.len() as u64);
                items.iter().for_each(|item| item.write(into));
            }
            Self::Map(pairs) => {
                head(into, 5, pairs.len() as u64);
                for (key, value) in pairs {
                    key.write(into);
                    value.write(into);
                }
            }
            Self::Tag(tag, item) => {
                head(into, 6, *tag);
                item.write(into);
            }
        }
    }

    /// How many items there are, this one among them.
    pub(super) fn count(&self) -> usize {
        1 + match self {
            Self::Plain(..) | Self::Bytes(_) | Self::Text(_) => 0,
            Self::Array(items) => items.iter().map(Self::count).sum(),
            Self::Map(pairs) => pairs
                .iter()
                .map(|(key, value)| key.count() + value.count())
                .sum(),
            Self::Tag(_, item) => item.count(),
        }
    }

    /// The item at a place in reading order.
    pub(super) fn at(&mut self, place: &mut usize) -> Option<&mut Self> {
        if *place == 0 {
            return Some(self);
        }
        *place -= 1;
        let items: Vec<&mut Self> = match self {
            Self::Plain(..) | Self::Bytes(_) | Self::Text(_) => Vec::new(),
            Self::Array(items) => items.iter_mut().collect(),
            Self::Map(pairs) => pairs
                .iter_mut()
                .flat_map(|(key, value)| [key, value])
                .collect(),
            Self::Tag(_, item) => vec![item],
        };
        items.into_iter().find_map(|item| {
            let count = item.count();
            if *place < count {
                item.at(place)
            } else {
                *place -= count;
                None
            }
        })
    }
}

fn head(into: &mut Vec<u8>, major: u8, number: u64) {
    let bytes = number.to_be_bytes();
    let (short, width) = match number {
        0..=23 => (bytes[7], 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    into.push(major << 5 | short);
    into.extend(&bytes[8 - width..]);
}
