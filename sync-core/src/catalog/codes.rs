//! The stable codes of what is wrong with a command. Their wording, in Chinese and English, is the shells'.

/// Why a command is refused that is not what its kind declares.
pub mod misfit {
    /// The catalogue has no such kind.
    pub const UNKNOWN_KIND: &str = "unknown_kind";
    /// No more records of this kind are made.
    pub const RETIRED_KIND: &str = "retired_kind";
    /// The kind has no such action, or the command names none.
    pub const UNKNOWN_ACTION: &str = "unknown_action";
    /// The action is no longer taken.
    pub const RETIRED_ACTION: &str = "retired_action";
    /// A command that takes no action names one.
    pub const UNEXPECTED_ACTION: &str = "unexpected_action";
    /// It writes more fields than one command may.
    pub const TOO_MANY_FIELDS: &str = "too_many_fields";
    /// It has more references than one command may.
    pub const TOO_MANY_LINKS: &str = "too_many_links";
    /// Fields or references are not in ascending order, each once.
    pub const OUT_OF_ORDER: &str = "out_of_order";
    /// The kind has no such field.
    pub const UNKNOWN_FIELD: &str = "unknown_field";
    /// The field is computed and never written.
    pub const DERIVED_FIELD: &str = "derived_field";
    /// The field takes no more values.
    pub const RETIRED_FIELD: &str = "retired_field";
    /// A field of this type is written by another verb.
    pub const WRONG_VERB: &str = "wrong_verb";
    /// This command does not write the field: others do, or certain actions.
    pub const NOT_WRITTEN_HERE: &str = "not_written_here";
    /// The verb takes one field at a time.
    pub const ONE_FIELD_ONLY: &str = "one_field_only";
    /// It changes nothing.
    pub const NOTHING_WRITTEN: &str = "nothing_written";
    /// The fields that it names are not those that it brings.
    pub const FIELDS_DIFFER: &str = "fields_differ";
    /// It brings what its verb has no use for.
    pub const UNEXPECTED_PART: &str = "unexpected_part";
    /// What is written is for another audience than the command.
    pub const WRONG_AUDIENCE: &str = "wrong_audience";
    /// It lacks what it must bring: a field, a part of an item, or the reason.
    pub const REQUIRED: &str = "required";
    /// The value is not of the field's type.
    pub const WRONG_TYPE: &str = "wrong_type";
    /// The text is blank or the list has no items; a field is cleared by no value at all.
    pub const EMPTY: &str = "empty";
    /// The text is longer than the field takes.
    pub const TOO_LONG: &str = "too_long";
    /// The field takes one line only.
    pub const NOT_ONE_LINE: &str = "not_one_line";
    /// The text holds a control character.
    pub const CONTROL_CHARACTER: &str = "control_character";
    /// The category set has no such code.
    pub const UNKNOWN_CODE: &str = "unknown_code";
    /// A code stands twice.
    pub const CODE_TWICE: &str = "code_twice";
    /// There is no such policy measure.
    pub const UNKNOWN_MEASURE: &str = "unknown_measure";
    /// The number is not a day between the years 1800 and 2299.
    pub const NOT_A_DATE: &str = "not_a_date";
    /// The number is not a minute of the day.
    pub const NOT_A_TIME: &str = "not_a_time";
    /// The number is less than the field takes.
    pub const TOO_SMALL: &str = "too_small";
    /// The number is more than the field takes.
    pub const TOO_LARGE: &str = "too_large";
    /// The number has more decimals than the field takes.
    pub const TOO_MANY_PLACES: &str = "too_many_places";
    /// There are more items, codes, files or references than the field takes.
    pub const TOO_MANY_ITEMS: &str = "too_many_items";
    /// An item has a part that is not declared.
    pub const UNKNOWN_PART: &str = "unknown_part";
    /// The text is not a place: `26.2157,110.8191`, or with `;u=37` for the metres of uncertainty.
    pub const NOT_A_LOCATION: &str = "not_a_location";
    /// The bytes are not the SHA-256 of a file.
    pub const NOT_A_DIGEST: &str = "not_a_digest";
}
