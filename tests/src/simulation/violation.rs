//! What did not hold, and which promise it breaks.

use core::fmt;

/// Something that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What.
    pub sign: Sign,
    /// Where.
    pub at: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: {}",
            self.sign.promise(),
            self.sign.words(),
            self.at
        )
    }
}

macro_rules! signs {
    ($($sign:ident: $promise:literal, $words:literal;)*) => {
        /// By what a broken promise is noticed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Sign {
            $(#[doc = $words] $sign,)*
        }

        impl Sign {
            /// The promise that is broken.
            pub const fn promise(self) -> &'static str {
                match self { $(Self::$sign => $promise,)* }
            }

            /// What is noticed.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$sign => $words,)* }
            }
        }
    };
}

signs! {
    Lost: "P1", "what was saved is nowhere to be found";
    ForgottenByRestart: "P1", "a phone shows other records after a restart";
    CountsTwice: "P3", "a command counts more than once";
    ToldOtherwise: "P3", "a phone was told another fate than the journal holds";
    NoFate: "P4", "a saved command has no fate";
    LaneGap: "P4", "a lane has a gap";
    Jammed: "P4", "a phone is jammed by its own outbox";
    Endless: "P4", "a phone never comes to an end of syncing";
    NeedsNot: "P4", "a command counts, and what it needs does not";
    OtherThanServer: "P5", "a phone and the server show different things";
    Behind: "P5", "a phone stands elsewhere than the server after syncing";
    OtherWhenLoaded: "P5", "a phone would show something else if it were started again";
    Overwritten: "P5a", "a value was overwritten by somebody who had not seen it";
    EqualTwice: "P5a", "equal values stand twice";
    Replaced: "P5a", "a value stands that somebody who saw it replaced";
    TypedGone: "P5a", "what was typed is gone";
    BaseUnseen: "P5a", "a command counts on a base beyond what its phone had verified";
    DecidedAgain: "P7", "a fate decided again is another";
    Withdrawn: "P7", "a command counts under an assignment that was withdrawn for cause";
    UnseenAction: "P7", "an action took effect whose author had not seen the last one";
    FiledEdited: "P7", "a filed testimony was edited";
    Forbidden: "P8", "a phone holds what its person may not read";
    Broken: "P9", "a chain does not continue";
    OtherHistory: "P9", "an entry vouches for a history that is not this one";
    OtherCatalogue: "P9", "an entry names another catalogue than its batch";
    HonestAccused: "P9", "an honest server is called a liar";
    ClockUnmarked: "P10", "a claimed time outside its bounds has no mark";
    Backwards: "P10", "receipt times or authority run backwards";
    RevokedCounts: "P11", "a command of a revoked device counts";
    HonestSuspended: "P11", "an honest phone was suspended";
    KeyGivenUp: "P11", "a phone gives up a key that nobody took";
    BaseBackwards: "P5a", "a base runs backwards on one record: its form was not pinned anew";
    ItemGone: "P5a", "an item of a list is gone that nobody took out";
    ItemStays: "P5a", "an item of a list stands that was taken out";
    OtherState: "P5", "a record is in another state than its actions led to by the catalogues they name";
    UnknownUnsaid: "P5", "a phone does not say that it does not know a record's catalogue";
    Forgiven: "P3", "a device that said two things under one number is not suspended";
    Stolen: "P4", "a number counts for somebody else before its owner used it";
    ConcurrentHeldBack: "P7", "a concurrent action is without effect because of another that it had not seen";
    Elsewhere: "P7", "a command counts in a village where its author is not stationed";
    AuditFails: "P9", "the auditor finds something in the log";
    LiePasses: "P9", "the auditor passes the log of a server that showed two histories";
    LateUnmarked: "P10", "what came after its month's close is not marked, or what came before is";
    ClearedUnseen: "P10", "a mark is cleared that nobody had seen, or stands though it was cleared";
    LeftOnServer: "P13", "content of an erased record is left on the server";
    LeftOnPhone: "P13", "a phone keeps content of an erased record";
}

impl Sign {
    pub(super) fn at(self, at: impl Into<String>) -> Violation {
        Violation {
            sign: self,
            at: at.into(),
        }
    }
}
