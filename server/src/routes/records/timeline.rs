//! How the commands of a record stand in JSON: each with its times and its fate, and of its content what the caller may read.

use serde::Serialize;
use sync_core::command::{Audience, Verb};
use sync_core::id::{ItemId, Seq};
use sync_core::record::{Logged, Record};
use sync_core::value::Value;
use utoipa::ToSchema;

use crate::reading::{Sight, reads};
use crate::routes::records::shown::{FateView, FieldView, Named, PersonView, Showing};
use crate::routes::wire::{Id, Instant};

/// One change of a text, in code points.
#[derive(Clone, Serialize, ToSchema)]
pub struct SpliceView {
    /// Where.
    at: u32,
    /// How many code points go.
    delete: u32,
    /// What comes in their place.
    insert: String,
}

/// One line of a timeline: a command, whatever became of it.
#[derive(Clone, Serialize, ToSchema)]
pub struct LineView {
    /// The entry.
    seq: Seq,
    /// The command's number in its lane.
    n: u64,
    /// Who; absent if the registry does not know the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<PersonView>,
    /// When it was recorded, by the device's clock.
    recorded: Instant,
    /// When it was received, by the server's.
    received: Instant,
    /// What it does: `create`, `set`, `edit`, `insert`, `remove`, `act`, `amend`, `void`, `erase`, `reveal`, `seal`, `clear`.
    verb: &'static str,
    /// Which action; the month that is closed, or the cause that is cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Named>,
    /// The fields it writes.
    fields: Vec<Named>,
    /// What became of it.
    fate: FateView,
    /// Of the causes for which it is marked those that somebody cleared.
    cleared: Vec<String>,
    /// Whether its content is withheld from the caller, or erased.
    withheld: bool,
    /// The reason given.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The values it brings.
    values: Vec<FieldView>,
    /// Its changes of a text.
    edits: Vec<SpliceView>,
    /// The items it takes out.
    #[schema(value_type = Vec<String>)]
    removed: Vec<Id<ItemId>>,
    /// What an amendment replaced.
    was: Vec<FieldView>,
}

mute!(SpliceView, LineView);

/// Whether the caller may read the content of a command: what is for his eyes, and of what did not count only his own or, for who
/// helps to offer it again, everyone's.
fn may_read(showing: &Showing<'_>, logged: &Logged) -> bool {
    let reader = showing.reader();
    let is_own = || {
        reader
            .registry()
            .devices
            .get(&logged.place.device)
            .is_some_and(|device| device.user == reader.user())
    };
    let is_answered = logged.fate.counts() || showing.scope().refused || is_own();
    is_answered && reads(showing.scope(), logged.command.envelope.audience)
}

/// Whether the caller may know of a command at all. A record that was never made has no audience of its own: that of the command
/// stands for it.
pub fn may_know(showing: &Showing<'_>, record: &Record, logged: &Logged) -> bool {
    record.created.is_some() || reads(showing.scope(), logged.command.envelope.audience)
}

/// A command as the caller sees it.
pub fn line(showing: &Showing<'_>, record: &Record, logged: &Logged) -> LineView {
    let envelope = &logged.command.envelope;
    let content = logged
        .command
        .content
        .as_ref()
        .filter(|_| may_read(showing, logged));
    let step = record.step(&logged.place);
    let was = step.filter(|_| content.is_some()).map(|step| &step.was);
    let is_whole =
        |field: Option<&String>| field.is_some_and(|field| showing.sight(field) == Sight::Whole);
    let edits = content
        .filter(|_| is_whole(envelope.fields.first()))
        .map(|content| content.splices.as_slice());
    let action = envelope.action.as_deref().map(|name| {
        let kind = showing.kind();
        let label = match envelope.verb {
            Verb::Create => kind
                .and_then(|kind| kind.state(name))
                .map(|state| &state.label),
            _ => kind
                .and_then(|kind| kind.action(name))
                .map(|action| &action.label),
        };
        Named::new(name, label)
    });
    let links = envelope.links.iter().filter(|_| content.is_some());
    let link = |link: &sync_core::command::Link| {
        let mut bytes = link.target.0.to_vec();
        bytes.extend(link.journal.iter().flat_map(|journal| journal.0));
        showing.brought(&link.field, &Value::Bytes(bytes))
    };
    let brought = content.iter().flat_map(|content| content.values.iter());
    LineView {
        seq: logged.place.seq,
        n: envelope.n,
        who: showing.person(logged.place, logged.assignment),
        recorded: Instant(envelope.at),
        received: Instant(logged.received_at),
        verb: verb_name(envelope.verb),
        action,
        fields: envelope
            .fields
            .iter()
            .map(|field| showing.named(field))
            .collect(),
        fate: FateView::from(&logged.fate),
        cleared: step
            .iter()
            .flat_map(|step| &step.cleared)
            .map(|cleared| cleared.cause.clone())
            .collect(),
        withheld: content.is_none(),
        reason: content.and_then(|content| content.reason.clone()),
        values: links
            .map(link)
            .chain(brought.map(|(field, value)| showing.brought(field, value)))
            .collect(),
        edits: edits
            .unwrap_or_default()
            .iter()
            .map(|splice| SpliceView {
                at: splice.at,
                delete: splice.delete,
                insert: splice.insert.clone(),
            })
            .collect(),
        removed: content
            .iter()
            .flat_map(|content| &content.removed)
            .map(|item| Id(*item))
            .collect(),
        was: was
            .iter()
            .flat_map(|was| was.iter())
            .map(|(field, value)| showing.brought(field, value))
            .collect(),
    }
}

const fn verb_name(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Set => "set",
        Verb::Edit => "edit",
        Verb::Insert => "insert",
        Verb::Remove => "remove",
        Verb::Act => "act",
        Verb::Amend => "amend",
        Verb::Void => "void",
        Verb::Erase => "erase",
        Verb::Reveal => "reveal",
        Verb::Seal => "seal",
        Verb::Clear => "clear",
    }
}

/// Whether every command of a record is for audiences that a role reads: then nothing of the record's past is hidden from it.
pub fn is_open_to(log: &[Logged], audiences: &std::collections::BTreeSet<Audience>) -> bool {
    log.iter()
        .all(|logged| audiences.contains(&logged.command.envelope.audience))
}
