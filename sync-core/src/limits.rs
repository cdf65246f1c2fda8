//! Every limit: its name, its unit, its one home. Each is enforced before allocation and tested at its edge and one past it.

/// One command, envelope and content together. A long visit note is about 3 KiB.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// One text value, in Unicode code points.
pub const TEXT_CHARS_MAX: usize = 16 * 1024;
/// Commands in one batch.
pub const BATCH_COMMANDS_MAX: usize = 512;
/// One batch of several commands, before compression; a larger single command goes alone.
pub const BATCH_BYTES_MAX: usize = 32 * 1024;
/// One sync request as it arrives.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// One sync request, all its streams decompressed: what does not fit is answered `busy` and comes again in another.
pub const REQUEST_INFLATED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// One stream (the envelopes of a batch, or its contents for one audience), decompressed. Larger than any honest batch.
pub const STREAM_INFLATED_BYTES_MAX: usize = 256 * 1024;
/// Batches in one sync request.
pub const REQUEST_BATCHES_MAX: usize = 256;
/// Cursors in one sync request: a county has some hundreds of villages.
pub const REQUEST_CURSORS_MAX: usize = 1_024;
/// How deep values nest, the outermost being 0: a list of structures of plain values. All other CBOR is as deep as its type.
pub const VALUE_NESTING_MAX: u8 = 2;
/// One page of a sync response, as it is sent.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;
/// What the entries that the server unpacks for one response take as columns, decompressed; a single one may take more.
pub const PAGE_INFLATED_BYTES_MAX: usize = 3 * SEGMENT_BYTES;
/// The smallest page a device may ask for.
pub const PAGE_BYTES_MIN: usize = 4 * 1024;
/// The page that a device asks for first; doubled on success, halved on a break.
pub const PAGE_BYTES_START: usize = 64 * 1024;
/// What entries take unpacked ([`crate::pack::Room`]) at which a segment for cold starts closes: packed, most fit the page that a
/// device asks for first.
pub const SEGMENT_BYTES: usize = 480 * 1024;
/// Commands that one record takes; then a successor record continues it.
pub const RECORD_COMMANDS_MAX: u32 = 2_000;
/// Commands that one record takes from one lane.
pub const RECORD_LANE_COMMANDS_MAX: u32 = 500;
/// Items in one list field.
pub const LIST_ITEMS_MAX: usize = 500;
/// References of one command.
pub const LINKS_MAX: usize = 64;
/// Fields that one command writes.
pub const FIELDS_MAX: usize = 64;
/// The reason of an action, an amendment, a voiding, an erasure or a reveal, in Unicode code points.
pub const REASON_CHARS_MAX: usize = 1_000;
/// Names of kinds, fields and actions, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Splices of one edit.
pub const SPLICES_MAX: usize = 1_024;
/// Commands of one device and day.
pub const DEVICE_DAY_COMMANDS_MAX: u32 = 20_000;
/// Bytes of one device and day.
pub const DEVICE_DAY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Refused bytes of one device and day.
pub const DEVICE_DAY_REFUSED_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How far a claimed time may lie outside its bounds, in milliseconds.
pub const CLOCK_TOLERANCE_MS: i64 = 5 * 60 * 1000;
/// How long after an assignment ended work written under it is still taken (and flagged), in days.
pub const LATE_DAYS_MAX: i32 = 30;
/// How long a phone may read without a word from the server, in milliseconds (7 days).
pub const LEASE_MS: i64 = 7 * 86_400_000;
/// Wrong PINs after which the data key goes.
pub const PIN_TRIES_MAX: u32 = 10;
/// The shortest PIN, in characters.
pub const PIN_CHARS_MIN: usize = 6;
/// The longest PIN, in characters.
pub const PIN_CHARS_MAX: usize = 128;
/// The least memory that a PIN's key is derived with, in KiB.
pub const PIN_MEMORY_KIB_MIN: u32 = 19 * 1024;
/// The most memory that a PIN's key is derived with, in KiB: a stored file cannot ask for more.
pub const PIN_MEMORY_KIB_MAX: u32 = 1024 * 1024;
/// The fewest passes over that memory.
pub const PIN_PASSES_MIN: u32 = 2;
/// The most passes over that memory.
pub const PIN_PASSES_MAX: u32 = 16;
/// One file of areas to import: a province of 80,000 villages has some 5 MiB.
pub const AREA_FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Mistakes reported of one file of areas.
pub const AREA_FILE_MISTAKES_MAX: usize = 1_000;
/// The name of one area, in Unicode code points.
pub const AREA_NAME_CHARS_MAX: usize = 64;
/// One file of a list to compare with.
pub const LIST_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Rows of such a list.
pub const LIST_ROWS_MAX: usize = 200_000;
/// Columns of such a list.
pub const LIST_COLUMNS_MAX: usize = 200;
/// One file of a record: a photograph, a voice memo.
pub const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What of a file comes in one request.
pub const FILE_PIECE_BYTES_MAX: usize = 1024 * 1024;
/// One picture, in pixels.
pub const PICTURE_PIXELS_MAX: u64 = 40_000_000;
/// What is kept of one person's files that are not whole yet.
pub const UNFINISHED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long that is kept, in days.
pub const UNFINISHED_DAYS_MAX: i64 = 7;

const _: () = assert!(
    BATCH_BYTES_MAX + COMMAND_BYTES_MAX < PAGE_BYTES_MAX,
    "an entry fits a page"
);
const _: () = assert!(
    BATCH_BYTES_MAX + COMMAND_BYTES_MAX < STREAM_INFLATED_BYTES_MAX,
    "an honest stream can be inflated"
);
const _: () = assert!(
    5 * STREAM_INFLATED_BYTES_MAX <= REQUEST_INFLATED_BYTES_MAX,
    "one batch, envelopes and four audiences, always fits a request"
);
const _: () = assert!(
    PAGE_BYTES_MIN <= PAGE_BYTES_START && PAGE_BYTES_START <= PAGE_BYTES_MAX,
    "pages grow"
);
