//! The stable codes of fates. Their wording, in Chinese and English, is the shells'.

/// Why a counted command is marked.
pub mod flag {
    /// Written while the assignment was in force, received after it ended.
    pub const AFTER_END: &str = "after_end";
    /// The claimed time lies outside its bounds.
    pub const CLOCK: &str = "clock";
    /// Received after its month was closed (月结); shown as 补录.
    pub const AFTER_SEAL: &str = "after_seal";

    /// All of them.
    pub const ALL: [&str; 3] = [AFTER_END, CLOCK, AFTER_SEAL];
}

/// Why a command changes nothing.
pub mod no_effect {
    /// Another action took effect that its author had not seen.
    pub const SUPERSEDED: &str = "superseded";
    /// The action does not leave from this state.
    pub const WRONG_STATE: &str = "wrong_state";
    /// The testimony is filed: amend it.
    pub const FILED: &str = "filed";
    /// The field is closed in this state.
    pub const FIELD_CLOSED: &str = "field_closed";
    /// The record is void.
    pub const VOID: &str = "void";
    /// The record was erased.
    pub const ERASED: &str = "erased";
    /// The month is closed already.
    pub const SEALED: &str = "sealed";
    /// Nothing up to there is marked for this cause.
    pub const NOT_FLAGGED: &str = "not_flagged";
    /// The command it needs has no effect.
    pub const NEEDS: &str = "needs";
    /// A record that it refers to is not in a state that it requires.
    pub const NOT_READY: &str = "not_ready";
    /// The days that it must wait are not over.
    pub const TOO_EARLY: &str = "too_early";
}

/// Why a command is refused.
pub mod refused {
    /// The device was revoked; its author, or a named person, can offer it again.
    pub const DEVICE_REVOKED: &str = "device_revoked";
    /// The device is suspended; enrol in place and offer it again.
    pub const DEVICE_SUSPENDED: &str = "device_suspended";
    /// The account is closed.
    pub const ACCOUNT_CLOSED: &str = "account_closed";
    /// The assignment is unknown, or another person's, or elsewhere.
    pub const NOT_ASSIGNED: &str = "not_assigned";
    /// The assignment has not begun.
    pub const NOT_BEGUN: &str = "not_begun";
    /// Written after the assignment ended.
    pub const ENDED: &str = "assignment_ended";
    /// The assignment was taken away for cause.
    pub const ENDED_FOR_CAUSE: &str = "assignment_withdrawn";
    /// Received too long after the assignment ended.
    pub const TOO_OLD: &str = "too_old";
    /// The role may not do this.
    pub const NOT_ALLOWED: &str = "not_allowed";
    /// Not in order: the envelope contradicts itself or its content.
    pub const MALFORMED: &str = "malformed";
    /// A limit is exceeded.
    pub const LIMIT: &str = "limit";
    /// The base lies beyond what the device had verified.
    pub const BASE_UNSEEN: &str = "base_unseen";
    /// The catalogue version is not published.
    pub const UNKNOWN_CATALOGUE: &str = "unknown_catalogue";
    /// The catalogue has no such kind.
    pub const UNKNOWN_KIND: &str = "unknown_kind";
    /// The kind has no such action.
    pub const UNKNOWN_ACTION: &str = "unknown_action";
    /// The journal has no such record.
    pub const UNKNOWN_RECORD: &str = "unknown_record";
    /// A reference leads nowhere in this journal.
    pub const UNKNOWN_LINK: &str = "unknown_link";
    /// The record exists.
    pub const RECORD_EXISTS: &str = "record_exists";
    /// It was accepted before, under this number or another.
    pub const ALREADY_RECEIVED: &str = "already_received";
    /// The command it needs was refused.
    pub const NEEDS: &str = "needs";
    /// A field that must be brought is missing.
    pub const REQUIRED: &str = "required";
    /// A reason is required.
    pub const REASON_REQUIRED: &str = "reason_required";
    /// The same person did the step, or wrote the command, that another must check.
    pub const SAME_PERSON: &str = "same_person";
    /// The month is not over yet.
    pub const MONTH_NOT_OVER: &str = "month_not_over";
    /// Only what is filed is amended.
    pub const NOT_FILED: &str = "not_filed";
    /// The record takes no more commands; continue it in a successor.
    pub const RECORD_FULL: &str = "record_full";
}
