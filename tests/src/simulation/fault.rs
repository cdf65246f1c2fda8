//! Rules broken on purpose.

use super::Report;
use super::violation::Sign;

/// One broken rule. Each is planted from outside: in what the server is told before it judges, in what it answers, in what a
/// phone's storage keeps, or in what the fold is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A form is saved on the position that was folded meanwhile, not on the one it was opened on.
    BaseIsTheFoldedPosition,
    /// The fold takes every base for the end of the journal: the last writer wins.
    FoldIgnoresBase,
    /// A batch that was refused leaves its lane where it was.
    LaneStaysOnRefusal,
    /// A batch that is seen again is answered as if all of it were accepted.
    ReplayGetsNewFates,
    /// What was delivered under an origin is forgotten, so that it counts again.
    OriginAcceptedTwice,
    /// What a command needs is taken for accepted.
    NeedsIgnored,
    /// An action takes effect though its author had not seen the last one.
    LateActionTakesEffect,
    /// A filed testimony is edited.
    FiledTestimonyEdited,
    /// A closed count refuses what the envelope alone would let pass.
    CountIsAGate,
    /// What comes more than a day late is refused.
    LateIsRefused,
    /// A claimed time outside its bounds is not flagged.
    ClockNotFlagged,
    /// The work of a revoked device counts.
    RevokedDeviceAccepted,
    /// Work under an assignment that was withdrawn for cause counts.
    WithdrawnAssignmentAccepted,
    /// The history that a signature vouches for is not looked at, in a server that shows two.
    SeenNotChecked,
    /// Receipt times follow a server clock that was set back.
    ReceiptRunsBackwards,
    /// An entry names another catalogue version than its batch.
    EntryNamesAnotherVersion,
    /// The content of a void record is deleted.
    VoidIsDeleted,
    /// An erased record's content stays on the server.
    ErasureForgotten,
    /// A teammate's refused content goes to phones.
    RefusedLeaks,
    /// Content goes to who may not read its audience.
    WithheldShown,
    /// A phone says saved before it is.
    SavedBeforePersisted,
    /// A phone seals again what it had sealed, after a crash.
    ResealsSealed,
    /// A phone sends a batch before the batch is durable.
    SendsBeforePersisted,
    /// Equal concurrent values stand twice.
    EqualValuesStandTwice,
    /// An edit beyond a text's end is lost instead of clamped.
    EditBeyondTheEndIsLost,
    /// An open form stays where it was though its person saved something else on its record.
    FormNotRepinned,
    /// A base beyond what the device had verified counts.
    BaseBeyondSeenCounts,
    /// A device that said two things under one number writes on.
    EquivocationForgiven,
    /// A phone that enrols in place loses what it had not delivered.
    OutboxLostOnEnrolment,
    /// A number that its owner has not used is taken by somebody else.
    StolenOriginTaken,
    /// An action that the catalogue declares concurrent must have seen the last one.
    ConcurrentActionNeedsSight,
    /// A batch that its device did not sign is entered.
    ForgedSignatureTaken,
    /// Somebody writes in a village where he is not stationed.
    AnotherVillageAccepted,
    /// What comes after its month's close is not marked.
    SealDoesNotFlag,
    /// Marks are cleared that nobody had seen.
    ClearReachesWhatCameLater,
    /// What is marked does not count.
    FlaggedDoesNotCount,
    /// Two first edits make two texts, and one is lost.
    FirstEditsMakeTwoTexts,
    /// Who takes an item out of a list takes those along that he had not seen.
    RemoveTakesTheUnseen,
    /// An entry is folded by the newest catalogue, not by the one that it names.
    FoldedByTheNewestVersion,
    /// A device takes in nothing that was written by a catalogue that it does not know.
    UnknownVersionStopsThePull,
    /// An erasure takes what stands beside it in the same batch.
    ErasureTakesItsNeighbours,
    /// A phone keeps what was erased.
    ErasedStaysOnPhones,
    /// A restored server takes back entries of which the phone that gives them back altered a fate.
    RefillTakesTheAltered,
    /// What is given back erases nothing: the content that the old copy had of it stays.
    RefillBringsBackTheErased,
    /// What is given back is not known for delivered: lanes and origins stay as the old copy had them.
    RefillForgetsDeliveries,
    /// A phone throws away what the restored server no longer shows, whoever wrote it.
    LostIsThrownAway,
    /// Phones are not told that the log goes on further back: they stay beyond it.
    ReopeningUntold,
}

impl Fault {
    /// Those that were seen to show within the seeds of a test run.
    pub const ALL: [Self; 43] = [
        Self::BaseIsTheFoldedPosition,
        Self::FoldIgnoresBase,
        Self::LaneStaysOnRefusal,
        Self::ReplayGetsNewFates,
        Self::OriginAcceptedTwice,
        Self::NeedsIgnored,
        Self::LateActionTakesEffect,
        Self::FiledTestimonyEdited,
        Self::CountIsAGate,
        Self::LateIsRefused,
        Self::ClockNotFlagged,
        Self::RevokedDeviceAccepted,
        Self::WithdrawnAssignmentAccepted,
        Self::SeenNotChecked,
        Self::ReceiptRunsBackwards,
        Self::EntryNamesAnotherVersion,
        Self::VoidIsDeleted,
        Self::ErasureForgotten,
        Self::RefusedLeaks,
        Self::WithheldShown,
        Self::SavedBeforePersisted,
        Self::ResealsSealed,
        Self::SendsBeforePersisted,
        Self::EqualValuesStandTwice,
        Self::EditBeyondTheEndIsLost,
        Self::FormNotRepinned,
        Self::BaseBeyondSeenCounts,
        Self::EquivocationForgiven,
        Self::OutboxLostOnEnrolment,
        Self::StolenOriginTaken,
        Self::ForgedSignatureTaken,
        Self::AnotherVillageAccepted,
        Self::FlaggedDoesNotCount,
        Self::FirstEditsMakeTwoTexts,
        Self::FoldedByTheNewestVersion,
        Self::UnknownVersionStopsThePull,
        Self::ErasureTakesItsNeighbours,
        Self::ErasedStaysOnPhones,
        Self::RefillTakesTheAltered,
        Self::RefillBringsBackTheErased,
        Self::RefillForgetsDeliveries,
        Self::LostIsThrownAway,
        Self::ReopeningUntold,
    ];

    /// The first of these seeds that shows it by its sign.
    pub fn first_shown(self, seeds: impl IntoIterator<Item = u64>) -> Option<Report> {
        seeds.into_iter().find_map(|seed| {
            let mut report = super::run(seed, Some(self));
            report.violations.retain(|found| found.sign == self.sign());
            Some(report).filter(|report| !report.violations.is_empty())
        })
    }

    /// By what it must be noticed.
    pub const fn sign(self) -> Sign {
        match self {
            Self::BaseIsTheFoldedPosition | Self::FoldIgnoresBase => Sign::Overwritten,
            Self::LaneStaysOnRefusal => Sign::Jammed,
            Self::ReplayGetsNewFates => Sign::ToldOtherwise,
            Self::OriginAcceptedTwice => Sign::CountsTwice,
            Self::NeedsIgnored => Sign::NeedsNot,
            Self::LateActionTakesEffect => Sign::UnseenAction,
            Self::FiledTestimonyEdited => Sign::FiledEdited,
            Self::CountIsAGate | Self::LateIsRefused => Sign::DecidedAgain,
            Self::ClockNotFlagged => Sign::ClockUnmarked,
            Self::RevokedDeviceAccepted => Sign::RevokedCounts,
            Self::WithdrawnAssignmentAccepted => Sign::Withdrawn,
            Self::SeenNotChecked => Sign::OtherHistory,
            Self::ReceiptRunsBackwards => Sign::Backwards,
            Self::EntryNamesAnotherVersion => Sign::OtherCatalogue,
            Self::VoidIsDeleted | Self::SavedBeforePersisted => Sign::Lost,
            Self::ErasureForgotten => Sign::LeftOnServer,
            Self::RefusedLeaks | Self::WithheldShown => Sign::Forbidden,
            Self::ResealsSealed | Self::SendsBeforePersisted => Sign::HonestSuspended,
            Self::EqualValuesStandTwice => Sign::EqualTwice,
            Self::EditBeyondTheEndIsLost
            | Self::FlaggedDoesNotCount
            | Self::FirstEditsMakeTwoTexts => Sign::TypedGone,
            Self::FormNotRepinned => Sign::BaseBackwards,
            Self::BaseBeyondSeenCounts => Sign::BaseUnseen,
            Self::EquivocationForgiven => Sign::Forgiven,
            Self::OutboxLostOnEnrolment | Self::ErasureTakesItsNeighbours => Sign::Lost,
            Self::StolenOriginTaken => Sign::Stolen,
            Self::ConcurrentActionNeedsSight => Sign::ConcurrentHeldBack,
            Self::ForgedSignatureTaken => Sign::AuditFails,
            Self::AnotherVillageAccepted => Sign::Elsewhere,
            Self::SealDoesNotFlag => Sign::LateUnmarked,
            Self::ClearReachesWhatCameLater => Sign::ClearedUnseen,
            Self::RemoveTakesTheUnseen => Sign::ItemGone,
            Self::FoldedByTheNewestVersion => Sign::OtherState,
            Self::UnknownVersionStopsThePull => Sign::Behind,
            Self::ErasedStaysOnPhones => Sign::LeftOnPhone,
            Self::RefillTakesTheAltered => Sign::AuditFails,
            Self::RefillBringsBackTheErased => Sign::LeftOnServer,
            Self::RefillForgetsDeliveries => Sign::CountsTwice,
            Self::LostIsThrownAway => Sign::Lost,
            Self::ReopeningUntold => Sign::Behind,
        }
    }

    /// Whether it can only show where a server was restored.
    pub(super) const fn is_of_a_restore(self) -> bool {
        matches!(
            self,
            Self::RefillTakesTheAltered
                | Self::RefillBringsBackTheErased
                | Self::RefillForgetsDeliveries
                | Self::LostIsThrownAway
                | Self::ReopeningUntold
        )
    }

    /// Whether it lies in how the server judges.
    pub(super) const fn judges(self) -> bool {
        matches!(
            self,
            Self::NeedsIgnored
                | Self::LateActionTakesEffect
                | Self::FiledTestimonyEdited
                | Self::CountIsAGate
                | Self::LateIsRefused
                | Self::ClockNotFlagged
                | Self::RevokedDeviceAccepted
                | Self::WithdrawnAssignmentAccepted
                | Self::SeenNotChecked
                | Self::ReceiptRunsBackwards
                | Self::EntryNamesAnotherVersion
                | Self::BaseBeyondSeenCounts
                | Self::StolenOriginTaken
                | Self::ConcurrentActionNeedsSight
                | Self::ForgedSignatureTaken
                | Self::AnotherVillageAccepted
                | Self::SealDoesNotFlag
        )
    }
}
