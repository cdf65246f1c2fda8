//! Administrative areas: division codes, their levels, and the file that a county imports.
//!
//! A division code (区划代码) has twelve digits in groups of 2+2+2+3+3, one group per [`Level`]; the groups below an area's own
//! level are zero. Codes are merged, split and renamed, so nothing is keyed on them: an area's identity is an
//! [`AreaId`](crate::id::AreaId), its codes and names are dated facts about it, and who is inside whom is what the registry
//! says. A code's digits decide only what an import may claim.
//!
//! # The import format
//!
//! UTF-8 text (a byte-order mark and CRLF are fine), comma-separated, the columns `code,name,level,parent_code` in any order:
//!
//! ```
//! use std::collections::BTreeSet;
//! use sync_core::area::{Level, import};
//!
//! let file = "code,name,level,parent_code\n\
//!             640000000000,宁夏回族自治区,province,\n\
//!             640400000000,固原市,city,640000000000\n\
//!             640422000000,西吉县,county,640400000000\n";
//! let areas = import(file.as_bytes(), &BTreeSet::new()).expect("the file has no mistake");
//! assert_eq!(areas[2].name, "西吉县");
//! assert_eq!(areas[2].code.level(), Level::County);
//!
//! let mistakes = import("code,name,level,parent_code\n6404,固原市,city,\n".as_bytes(), &BTreeSet::new()).unwrap_err();
//! assert_eq!(mistakes[0].to_string(), "line 2, code: “6404” is not a division code; \
//!     write all twelve digits, as in 640422000000, and format the column as text in a spreadsheet");
//! ```
//!
//! Either the whole file is taken or nothing of it, and every mistake is reported at once.

use core::fmt;
use core::str::FromStr;

use minicbor::{Decode, Encode};

mod import;

pub use import::{AreaRow, Mistake, import};

/// The five levels of administration, the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Level {
    /// 省级: province, autonomous region, municipality.
    #[n(0)]
    Province,
    /// 地级: prefecture-level city, prefecture.
    #[n(1)]
    City,
    /// 县级: county, district, county-level city.
    #[n(2)]
    County,
    /// 乡级: township, town, sub-district.
    #[n(3)]
    Township,
    /// 村级: village, residential community.
    #[n(4)]
    Village,
}

impl Level {
    /// All levels, the highest first.
    pub const ALL: [Self; 5] = [
        Self::Province,
        Self::City,
        Self::County,
        Self::Township,
        Self::Village,
    ];

    /// Its stable name in files and interfaces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::City => "city",
            Self::County => "county",
            Self::Township => "township",
            Self::Village => "village",
        }
    }

    /// Its Chinese name, which files may use as well.
    pub const fn name_zh(self) -> &'static str {
        match self {
            Self::Province => "省级",
            Self::City => "地级",
            Self::County => "县级",
            Self::Township => "乡级",
            Self::Village => "村级",
        }
    }

    /// The value of the last digit of this level's group in a code.
    const fn unit(self) -> u64 {
        match self {
            Self::Province => 10_000_000_000,
            Self::City => 100_000_000,
            Self::County => 1_000_000,
            Self::Township => 1_000,
            Self::Village => 1,
        }
    }
}

/// Written as its stable [`name`](Level::name).
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a level: expected province, city, county, township or village")]
pub struct InvalidLevel;

/// Reads the stable or the Chinese name.
impl FromStr for Level {
    type Err = InvalidLevel;

    fn from_str(text: &str) -> Result<Self, InvalidLevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == text || level.name_zh() == text)
            .ok_or(InvalidLevel)
    }
}

/// A division code of twelve digits. Codes sort as their digits do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct AreaCode(#[n(0)] u64);

impl AreaCode {
    /// How many digits a code has.
    pub const DIGITS: usize = 12;

    /// The level whose group is the last that is not zero.
    pub fn level(self) -> Level {
        Level::ALL
            .into_iter()
            .find(|level| self.0.is_multiple_of(level.unit()))
            .unwrap_or(Level::Village)
    }

    /// The code of the area that this one lies in, by its digits; none for a province.
    ///
    /// Where a level is left out, as between a town and a prefecture-level city without districts, this is the next higher
    /// one: that of `441900003000` is `441900000000`.
    pub fn parent(self) -> Option<Self> {
        let level = self.level();
        let above = Level::ALL.into_iter().rfind(|higher| *higher < level)?;
        Some(Self(self.0 - self.0 % above.unit()))
    }
}

/// The text is not a division code: it must be twelve digits, the first two not both zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a division code: expected twelve digits that begin with a province's")]
pub struct InvalidAreaCode;

impl FromStr for AreaCode {
    type Err = InvalidAreaCode;

    fn from_str(text: &str) -> Result<Self, InvalidAreaCode> {
        if text.len() != Self::DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidAreaCode);
        }
        let code: u64 = text.parse().map_err(|_| InvalidAreaCode)?;
        if code < Level::Province.unit() {
            Err(InvalidAreaCode)
        } else {
            Ok(Self(code))
        }
    }
}

impl fmt::Display for AreaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl fmt::Debug for AreaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn code(text: &str) -> AreaCode {
        text.parse().expect("a valid code")
    }

    #[test]
    fn a_code_knows_its_level_and_where_it_lies() {
        let mut next = Some(code("640422100203"));
        let mut chain = String::new();
        while let Some(code) = next {
            chain += &format!("{} {code}\n", code.level());
            next = code.parent();
        }
        expect![[r#"
            village 640422100203
            township 640422100000
            county 640422000000
            city 640400000000
            province 640000000000
        "#]]
        .assert_eq(&chain);
    }

    #[test]
    fn a_town_of_a_city_without_districts_lies_in_the_city() {
        assert_eq!(code("441900003000").level(), Level::Township);
        assert_eq!(code("441900003000").parent(), Some(code("441900000000")));
    }

    #[test]
    fn what_is_not_twelve_digits_of_a_province_is_no_code() {
        for text in [
            "",
            "640422",
            "64042210020",
            "6404221002030",
            "64042210020x",
            "６４０４２２１００２０３",
            "000422100203",
            "+64042210020",
        ] {
            assert_eq!(text.parse::<AreaCode>(), Err(InvalidAreaCode), "{text}");
        }
    }

    #[test]
    fn levels_are_read_in_both_languages() {
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
            assert_eq!(level.name_zh().parse(), Ok(level));
        }
        assert_eq!("County".parse::<Level>(), Err(InvalidLevel));
    }

    proptest! {
        #[test]
        fn a_code_is_printed_as_it_was_written(number in 10_000_000_000_u64..1_000_000_000_000) {
            let text = format!("{number:012}");
            let code = code(&text);
            prop_assert_eq!(code.to_string(), text);
            if let Some(parent) = code.parent() {
                prop_assert!(parent.level() < code.level());
                prop_assert!(parent < code);
            } else {
                prop_assert_eq!(code.level(), Level::Province);
            }
        }
    }
}
