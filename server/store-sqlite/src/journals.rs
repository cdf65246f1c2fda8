//! Journals, what is derived from them, and the log of their heads.
//!
//! Long because every method of the two traits stands here with its SQL, each short and read alone.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use serde::Serialize;
use store::StoreError;
use store::journals::{
    Appended, Filter, Folded, LogLeaf, ReadJournals, SignedCheckpoint, Stored, Used, WriteJournals,
};
use sync_core::admit::{Index, LaneEnd};
use sync_core::batch::{Position, WireBatch};
use sync_core::cbor;
use sync_core::checkpoint::merkle::Node;
use sync_core::command::Origin;
use sync_core::id::{DeviceId, Digest, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::{Chain, EntryHead, Fate};
use sync_core::record::Record;

use crate::SqliteUnit;
use crate::row::id;

/// Journal positions and lane numbers are far below 2^63.
fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Impossible("a negative number"))
}

fn read<T: for<'b> Decode<'b, ()> + Encode<()>>(bytes: &[u8]) -> Result<T, StoreError> {
    cbor::decode(bytes).map_err(|_| StoreError::Impossible("bytes in another encoding"))
}

struct EntryRow {
    chain_head: Vec<u8>,
    head: Vec<u8>,
    batch: Vec<u8>,
}

impl TryFrom<EntryRow> for Stored {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        Ok(Self {
            head: read(&row.head)?,
            chain_head: id(&row.chain_head)?,
            batch: read(&row.batch)?,
        })
    }
}

/// The fate of a lane's command in an entry's head, which begins with `first`.
fn fate_at(head: &[u8], first: i64, n: u64) -> Result<Option<Fate>, StoreError> {
    let head: EntryHead = read(head)?;
    let index = usize::try_from(column(n) - first)
        .map_err(|_| StoreError::Impossible("a lane out of order"))?;
    Ok(head.fates.get(index).cloned())
}

struct LeafRow {
    position: i64,
    journal_id: Vec<u8>,
    seq: i64,
    head: Vec<u8>,
}

impl TryFrom<LeafRow> for LogLeaf {
    type Error = StoreError;

    fn try_from(row: LeafRow) -> Result<Self, StoreError> {
        let end = Position {
            seq: number(row.seq)?,
            head: id(&row.head)?,
        };
        Ok(Self {
            position: number(row.position)?,
            journal: id(&row.journal_id)?,
            end,
        })
    }
}

struct RecordRow {
    created_at: i64,
    changed_at: i64,
    text: String,
    body: Vec<u8>,
}

impl TryFrom<RecordRow> for Folded {
    type Error = StoreError;

    fn try_from(row: RecordRow) -> Result<Self, StoreError> {
        let record: Record = read(&row.body)?;
        Ok(Self {
            record,
            created_at: Timestamp(row.created_at),
            changed_at: Timestamp(row.changed_at),
            text: row.text,
        })
    }
}

/// Texts as a JSON array, for `json_each`: lists of any length under one prepared statement.
fn json_list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    json(&texts)
}

/// Rows as JSON, for `json_each`: as many as there are under one prepared statement. Bytes travel in hex.
fn json<T: Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("texts and numbers are JSON")
}

/// Bytes for [`json`].
fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[async_trait]
impl ReadJournals for SqliteUnit {
    async fn chain(&mut self, journal: JournalId) -> Result<Option<Chain>, StoreError> {
        let key = &journal.0[..];
        let row = sqlx::query!(
            "SELECT seq, head, received_at, registry FROM journal WHERE journal_id = $1",
            key
        )
        .fetch_optional(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        row.map(|row| {
            let end = Position {
                seq: number(row.seq)?,
                head: id(&row.head)?,
            };
            Ok(Chain {
                journal,
                end,
                received_at: Timestamp(row.received_at),
                registry: number(row.registry)?,
            })
        })
        .transpose()
    }

    async fn lane(
        &mut self,
        journal: JournalId,
        device: DeviceId,
    ) -> Result<Option<LaneEnd>, StoreError> {
        let (journal, device) = (&journal.0[..], &device.0[..]);
        let row = sqlx::query!(
            "SELECT n, batch FROM lane WHERE journal_id = $1 AND device_id = $2",
            journal,
            device
        )
        .fetch_optional(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        row.map(|row| {
            Ok(LaneEnd {
                n: number(row.n)?,
                batch: id(&row.batch)?,
            })
        })
        .transpose()
    }

    async fn heads(
        &mut self,
        journal: JournalId,
        at: &BTreeSet<Seq>,
    ) -> Result<BTreeMap<Seq, (Digest, Timestamp)>, StoreError> {
        let mut heads = BTreeMap::new();
        let key = &journal.0[..];
        if at.contains(&0) {
            heads.insert(0, (Chain::start(journal).end.head, Timestamp(i64::MIN)));
        }
        let positions = json(&at.iter().map(|seq| column(*seq)).collect::<Vec<_>>());
        let rows = sqlx::query!(
            "SELECT seq, chain_head, received_at FROM entry
             WHERE journal_id = $1 AND seq IN (SELECT value FROM json_each($2))",
            key,
            positions
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        for row in rows {
            let at = (id(&row.chain_head)?, Timestamp(row.received_at));
            heads.insert(number(row.seq)?, at);
        }
        Ok(heads)
    }

    async fn entry_of_lane(
        &mut self,
        journal: JournalId,
        device: DeviceId,
        first: u64,
    ) -> Result<Option<EntryHead>, StoreError> {
        let (journal, device, first) = (&journal.0[..], &device.0[..], column(first));
        let row = sqlx::query_scalar!(
            "SELECT head FROM entry WHERE journal_id = $1 AND device_id = $2 AND first = $3",
            journal,
            device,
            first
        )
        .fetch_optional(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        row.map(|head| read(&head)).transpose()
    }

    async fn fates(
        &mut self,
        journal: JournalId,
        device: DeviceId,
        numbers: &BTreeSet<u64>,
    ) -> Result<BTreeMap<u64, Fate>, StoreError> {
        let mut fates = BTreeMap::new();
        let (journal, device) = (&journal.0[..], &device.0[..]);
        for n in numbers {
            let at = column(*n);
            let row = sqlx::query!(
                "SELECT first, head FROM entry
                 WHERE journal_id = $1 AND device_id = $2 AND first <= $3 AND last >= $3
                 ORDER BY first DESC LIMIT 1",
                journal,
                device,
                at
            )
            .fetch_optional(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
            let Some(row) = row else { continue };
            let fate = fate_at(&row.head, row.first, *n)?;
            fates.extend(fate.map(|fate| (*n, fate)));
        }
        Ok(fates)
    }

    async fn offers(
        &mut self,
        journal: JournalId,
        origins: &BTreeSet<Origin>,
    ) -> Result<Vec<(Origin, DeviceId, bool)>, StoreError> {
        let mut offers = Vec::new();
        let key = &journal.0[..];
        let asked: Vec<&Origin> = origins
            .iter()
            .filter(|origin| origin.journal == journal)
            .collect();
        let rows: Vec<_> = asked
            .iter()
            .map(|origin| (hex(&origin.device.0), column(origin.n)))
            .collect();
        let rows = json(&rows);
        // Under their own number: in the one entry that holds it, if their lane has come so far.
        let own = sqlx::query!(
            r#"SELECT asked.key + 0 AS "key!: i64", entry.first, entry.head FROM json_each($2) AS asked
               CROSS JOIN lane ON lane.journal_id = $1 AND lane.device_id = unhex(asked.value ->> 0)
                   AND lane.n >= asked.value ->> 1
               CROSS JOIN entry ON entry.journal_id = $1 AND entry.device_id = unhex(asked.value ->> 0)
                   AND entry.first = (SELECT MAX(before.first) FROM entry AS before
                                      WHERE before.journal_id = $1 AND before.device_id = unhex(asked.value ->> 0)
                                        AND before.first <= asked.value ->> 1)
               WHERE entry.last >= asked.value ->> 1"#,
            key,
            rows
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        let origin = |key: i64| {
            let place = usize::try_from(key).ok();
            let origin = place.and_then(|place| asked.get(place));
            origin
                .map(|origin| **origin)
                .ok_or(StoreError::Impossible("a row that was not asked for"))
        };
        for row in own {
            let origin = origin(row.key)?;
            let fate = fate_at(&row.head, row.first, origin.n)?;
            offers.extend(fate.map(|fate| (origin, origin.device, fate.counts())));
        }
        let again = sqlx::query!(
            r#"SELECT asked.key + 0 AS "key!: i64", offer.device_id, offer.counts AS "counts: bool" FROM json_each($2) AS asked
               CROSS JOIN offer ON offer.journal_id = $1 AND offer.origin_device_id = unhex(asked.value ->> 0)
                   AND offer.origin_n = asked.value ->> 1"#,
            key,
            rows
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        for row in again {
            offers.push((origin(row.key)?, id(&row.device_id)?, row.counts));
        }
        Ok(offers)
    }

    async fn index(
        &mut self,
        journal: JournalId,
        records: &BTreeSet<RecordId>,
    ) -> Result<Index, StoreError> {
        let mut index = Index::new();
        if records.is_empty() {
            return Ok(index);
        }
        let journal = &journal.0[..];
        let asked = json_list(records);
        let rows = sqlx::query!(
            "SELECT record_id, entry FROM record_index
             WHERE journal_id = $1 AND record_id IN (SELECT unhex(value) FROM json_each($2))",
            journal,
            asked
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        for row in rows {
            index.insert(id(&row.record_id)?, read(&row.entry)?);
        }
        Ok(index)
    }

    async fn entries(
        &mut self,
        journal: JournalId,
        after: Seq,
        bytes: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        const AT_ONCE: i64 = 64;
        let key = &journal.0[..];
        let (mut entries, mut taken, mut from) = (Vec::new(), 0, column(after));
        loop {
            let rows = sqlx::query_as!(
                EntryRow,
                "SELECT chain_head, head, batch FROM entry WHERE journal_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                key,
                from,
                AT_ONCE
            )
            .fetch_all(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
            let last = rows.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
            for row in rows {
                let size = row.batch.len() + row.head.len();
                if !entries.is_empty() && taken + size > bytes {
                    return Ok(entries);
                }
                taken += size;
                from += 1;
                entries.push(Stored::try_from(row)?);
            }
            if last {
                return Ok(entries);
            }
        }
    }

    async fn entries_at(
        &mut self,
        journal: JournalId,
        at: &BTreeSet<Seq>,
    ) -> Result<Vec<Stored>, StoreError> {
        let key = &journal.0[..];
        let positions = json(&at.iter().map(|seq| column(*seq)).collect::<Vec<_>>());
        let rows = sqlx::query_as!(
            EntryRow,
            "SELECT chain_head, head, batch FROM entry
             WHERE journal_id = $1 AND seq IN (SELECT value FROM json_each($2)) ORDER BY seq",
            key,
            positions
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        rows.into_iter().map(Stored::try_from).collect()
    }

    async fn folded_seq(&mut self, journal: JournalId) -> Result<Seq, StoreError> {
        let key = &journal.0[..];
        let row = sqlx::query_scalar!("SELECT seq FROM folded WHERE journal_id = $1", key)
            .fetch_optional(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
        row.map_or(Ok(0), number)
    }

    async fn unfolded(&mut self) -> Result<Vec<JournalId>, StoreError> {
        let rows = sqlx::query_scalar!(
            "SELECT journal.journal_id FROM journal LEFT JOIN folded ON folded.journal_id = journal.journal_id
             WHERE journal.seq > COALESCE(folded.seq, 0) ORDER BY journal.journal_id"
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        rows.iter().map(|journal| id(journal)).collect()
    }

    async fn record(
        &mut self,
        journal: JournalId,
        record: RecordId,
    ) -> Result<Option<Folded>, StoreError> {
        let (journal, record) = (&journal.0[..], &record.0[..]);
        let row = sqlx::query_as!(
            RecordRow,
            "SELECT created_at, changed_at, text, body FROM record WHERE journal_id = $1 AND record_id = $2",
            journal,
            record
        )
        .fetch_optional(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        row.map(Folded::try_from).transpose()
    }

    async fn folded(
        &mut self,
        journal: JournalId,
        records: &BTreeSet<RecordId>,
    ) -> Result<BTreeMap<RecordId, Folded>, StoreError> {
        let (journal, asked) = (&journal.0[..], json_list(records));
        let rows = sqlx::query_as!(
            RecordRow,
            "SELECT created_at, changed_at, text, body FROM record
             WHERE journal_id = $1 AND record_id IN (SELECT unhex(value) FROM json_each($2))",
            journal,
            asked
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        rows.into_iter()
            .map(|row| {
                let folded = Folded::try_from(row)?;
                Ok((folded.record.id, folded))
            })
            .collect()
    }

    async fn records(&mut self, filter: &Filter) -> Result<Vec<Folded>, StoreError> {
        let journals = json_list(&filter.journals);
        let audiences = json_list(filter.audiences.iter().map(|audience| *audience as u8));
        let words = json_list(&filter.words);
        let (kind, state) = (filter.kind.as_deref(), filter.state.as_deref());
        let (since, until) = (filter.since.map(|at| at.0), filter.until.map(|at| at.0));
        let (after_journal, after_record) =
            filter.after.map_or((None, None), |(journal, record)| {
                (Some(journal.to_string()), Some(record.to_string()))
            });
        let limit = i64::from(filter.limit);
        let rows = sqlx::query_as!(
            RecordRow,
            "SELECT created_at, changed_at, text, body FROM record
             WHERE journal_id IN (SELECT unhex(value) FROM json_each($1))
               AND CAST(audience AS TEXT) IN (SELECT value FROM json_each($2))
               AND ($3 IS NULL OR kind = $3)
               AND ($4 IS NULL OR state = $4)
               AND ($5 = FALSE OR conflicted)
               AND ($6 IS NULL OR flagged = $6)
               AND ($7 = FALSE OR unanswered)
               AND ($8 IS NULL OR changed_at >= $8)
               AND ($9 IS NULL OR changed_at < $9)
               AND ($10 IS NULL OR (journal_id, record_id) > (unhex($10), unhex($11)))
               AND NOT EXISTS (SELECT 1 FROM json_each($12) AS word WHERE instr(text, word.value) = 0)
             ORDER BY journal_id, record_id LIMIT $13",
            journals,
            audiences,
            kind,
            state,
            filter.conflicted,
            filter.flagged,
            filter.unanswered,
            since,
            until,
            after_journal,
            after_record,
            words,
            limit
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        rows.into_iter().map(Folded::try_from).collect()
    }

    async fn used(
        &mut self,
        journal: JournalId,
        device: DeviceId,
        day: i32,
    ) -> Result<Used, StoreError> {
        let (journal, device) = (&journal.0[..], &device.0[..]);
        let row = sqlx::query!(
            "SELECT commands, bytes, refused_bytes FROM quota WHERE journal_id = $1 AND device_id = $2 AND day = $3",
            journal,
            device,
            day
        )
        .fetch_optional(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        row.map_or(Ok(Used::default()), |row| {
            let commands = u32::try_from(row.commands).unwrap_or(u32::MAX);
            Ok(Used {
                commands,
                bytes: number(row.bytes)?,
                refused_bytes: number(row.refused_bytes)?,
            })
        })
    }

    async fn leaves(&mut self, from: u64) -> Result<Vec<LogLeaf>, StoreError> {
        let from = column(from);
        let rows = sqlx::query_as!(LeafRow, "SELECT position, journal_id, seq, head FROM leaf WHERE position >= $1 ORDER BY position", from)
            .fetch_all(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
        rows.into_iter().map(LogLeaf::try_from).collect()
    }

    async fn tree_nodes(
        &mut self,
        nodes: &BTreeSet<Node>,
    ) -> Result<BTreeMap<Node, Digest>, StoreError> {
        let asked: Vec<_> = nodes
            .iter()
            .map(|node| (node.level, column(node.index)))
            .collect();
        let asked = json(&asked);
        let rows = sqlx::query!(
            "SELECT level, position, hash FROM tree_node
             WHERE (level, position) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))",
            asked
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        rows.into_iter()
            .map(|row| {
                let level = u8::try_from(row.level)
                    .map_err(|_| StoreError::Impossible("a tree of such a height"))?;
                let index = number(row.position)?;
                Ok((Node { level, index }, id(&row.hash)?))
            })
            .collect()
    }

    async fn newest_leaf(&mut self, journal: JournalId) -> Result<Option<LogLeaf>, StoreError> {
        let key = &journal.0[..];
        let row = sqlx::query_as!(
            LeafRow,
            "SELECT position, leaf.journal_id, leaf.seq, leaf.head FROM leaf
             JOIN entry ON entry.journal_id = leaf.journal_id AND entry.seq = leaf.seq AND entry.chain_head = leaf.head
             WHERE leaf.journal_id = $1 ORDER BY leaf.seq DESC LIMIT 1",
            key
        )
        .fetch_optional(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        row.map(LogLeaf::try_from).transpose()
    }

    async fn unpublished(&mut self) -> Result<Vec<(JournalId, Position)>, StoreError> {
        let rows = sqlx::query!(
            "SELECT journal_id, seq, head FROM journal
             WHERE NOT EXISTS (SELECT 1 FROM leaf
                               WHERE leaf.journal_id = journal.journal_id AND leaf.seq = journal.seq AND leaf.head = journal.head)
             ORDER BY journal_id"
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        rows.into_iter()
            .map(|row| {
                Ok((
                    id(&row.journal_id)?,
                    Position {
                        seq: number(row.seq)?,
                        head: id(&row.head)?,
                    },
                ))
            })
            .collect()
    }

    async fn newest_checkpoint(&mut self) -> Result<Option<SignedCheckpoint>, StoreError> {
        let row =
            sqlx::query!("SELECT size, signed_at, note FROM checkpoint ORDER BY size DESC LIMIT 1")
                .fetch_optional(&mut *self.transaction)
                .await
                .map_err(|error| self.health.judge(error))?;
        row.map(|row| {
            Ok(SignedCheckpoint {
                size: number(row.size)?,
                signed_at: Timestamp(row.signed_at),
                note: row.note,
            })
        })
        .transpose()
    }
}

#[async_trait]
impl WriteJournals for SqliteUnit {
    async fn append(&mut self, appended: &Appended) -> Result<(), StoreError> {
        let (entry, chain, lane) = (appended.entry(), appended.chain(), appended.lane());
        let (journal, device) = (&entry.journal.0[..], &appended.batch().device.0[..]);
        let (seq, before, received_at) = (
            column(entry.seq),
            column(entry.seq) - 1,
            entry.received_at.0,
        );
        let (first, last, registry) = (
            column(appended.batch().first),
            column(lane.n),
            column(chain.registry),
        );
        let (digest, chain_head) = (&entry.batch.0[..], &chain.end.head.0[..]);
        let (head, batch) = (cbor::encode(entry), cbor::encode(appended.batch()));
        // Begins a chain with its first entry, or moves one that stands just before.
        let moved = sqlx::query!(
            "INSERT INTO journal (journal_id, seq, head, received_at, registry)
             SELECT $1, $2, $3, $4, $5 WHERE $6 = 0 OR EXISTS (SELECT 1 FROM journal WHERE journal_id = $1)
             ON CONFLICT (journal_id) DO UPDATE SET seq = $2, head = $3, received_at = $4, registry = $5 WHERE journal.seq = $6",
            journal,
            seq,
            chain_head,
            received_at,
            registry,
            before
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        if moved.rows_affected() != 1 {
            return Err(StoreError::Impossible(
                "an entry that does not continue its chain",
            ));
        }
        sqlx::query!(
            "INSERT INTO entry (journal_id, seq, received_at, device_id, first, last, batch_digest, chain_head, head, batch)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            journal,
            seq,
            received_at,
            device,
            first,
            last,
            digest,
            chain_head,
            head,
            batch
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        sqlx::query!(
            "INSERT INTO lane (journal_id, device_id, n, batch) VALUES ($1, $2, $3, $4)
             ON CONFLICT (journal_id, device_id) DO UPDATE SET n = $3, batch = $4",
            journal,
            device,
            last,
            digest
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        let rows: Vec<_> = appended
            .index()
            .iter()
            .map(|(record, index)| (record.to_string(), hex(&cbor::encode(index))))
            .collect();
        let rows = json(&rows);
        sqlx::query!(
            "INSERT INTO record_index (journal_id, record_id, entry)
             SELECT $1, unhex(value ->> 0), unhex(value ->> 1) FROM json_each($2) WHERE TRUE
             ON CONFLICT (journal_id, record_id) DO UPDATE SET entry = excluded.entry",
            journal,
            rows
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        if appended.offers().is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = appended
            .offers()
            .iter()
            .map(|(origin, n, counts)| {
                let origin_device = hex(&origin.device.0);
                (
                    origin_device,
                    column(origin.n),
                    column(*n),
                    i64::from(*counts),
                )
            })
            .collect();
        let rows = json(&rows);
        sqlx::query!(
            "INSERT INTO offer (journal_id, origin_device_id, origin_n, device_id, n, counts)
             SELECT $1, unhex(value ->> 0), value ->> 1, $2, value ->> 2, value ->> 3 FROM json_each($3)",
            journal,
            device,
            rows
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        Ok(())
    }

    async fn add_used(
        &mut self,
        journal: JournalId,
        device: DeviceId,
        day: i32,
        used: Used,
    ) -> Result<(), StoreError> {
        let (journal, device) = (&journal.0[..], &device.0[..]);
        let (commands, bytes, refused) = (
            used.commands,
            column(used.bytes),
            column(used.refused_bytes),
        );
        sqlx::query!(
            "INSERT INTO quota (journal_id, device_id, day, commands, bytes, refused_bytes) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (journal_id, device_id)
             DO UPDATE SET commands = $4 + iif(day = $3, commands, 0), bytes = $5 + iif(day = $3, bytes, 0),
                           refused_bytes = $6 + iif(day = $3, refused_bytes, 0), day = $3",
            journal,
            device,
            day,
            commands,
            bytes,
            refused
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.health.judge(error))
    }

    async fn replace_batch(
        &mut self,
        journal: JournalId,
        seq: Seq,
        batch: &WireBatch,
    ) -> Result<(), StoreError> {
        let (journal, seq, batch) = (&journal.0[..], column(seq), cbor::encode(batch));
        sqlx::query!(
            "UPDATE entry SET batch = $3 WHERE journal_id = $1 AND seq = $2",
            journal,
            seq,
            batch
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.health.judge(error))
    }

    async fn keep_equivocation(
        &mut self,
        batch: &WireBatch,
        digest: Digest,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (journal, device, first) = (
            &batch.journal.0[..],
            &batch.device.0[..],
            column(batch.first),
        );
        let (digest, at, batch) = (&digest.0[..], at.0, cbor::encode(batch));
        sqlx::query!(
            "INSERT INTO equivocation (journal_id, device_id, first, digest, received_at, batch) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING",
            journal,
            device,
            first,
            digest,
            at,
            batch
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.health.judge(error))
    }

    async fn put_folded(
        &mut self,
        journal: JournalId,
        seq: Seq,
        records: &[Folded],
    ) -> Result<(), StoreError> {
        let key = &journal.0[..];
        let rows: Vec<_> = records
            .iter()
            .map(|folded| {
                let record = &folded.record;
                (
                    record.id.to_string(),
                    &record.kind,
                    &record.state,
                    record.audience as u8,
                    record.conflicts().next().is_some(),
                    record.is_flagged(),
                    record.steps.iter().any(|step| !step.fate.counts()),
                    record.void.is_some(),
                    folded.created_at.0,
                    folded.changed_at.0,
                    &folded.text,
                    hex(&cbor::encode(record)),
                )
            })
            .collect();
        let rows = json(&rows);
        sqlx::query!(
            "INSERT INTO record (journal_id, record_id, kind, state, audience, conflicted, flagged, unanswered, void,
                                 created_at, changed_at, text, body)
             SELECT $1, unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                    value ->> 7, value ->> 8, value ->> 9, value ->> 10, unhex(value ->> 11)
             FROM json_each($2) WHERE TRUE
             ON CONFLICT (journal_id, record_id) DO UPDATE SET kind = excluded.kind, state = excluded.state,
                 audience = excluded.audience, conflicted = excluded.conflicted, flagged = excluded.flagged,
                 unanswered = excluded.unanswered, void = excluded.void, changed_at = excluded.changed_at,
                 text = excluded.text, body = excluded.body",
            key,
            rows
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        let seq = column(seq);
        sqlx::query!("INSERT INTO folded (journal_id, seq) VALUES ($1, $2) ON CONFLICT (journal_id) DO UPDATE SET seq = $2", key, seq)
            .execute(&mut *self.transaction)
            .await
            .map(drop)
            .map_err(|error| self.health.judge(error))
    }

    async fn forget_folded(&mut self, journal: JournalId) -> Result<(), StoreError> {
        let journal = &journal.0[..];
        sqlx::query!("DELETE FROM record WHERE journal_id = $1", journal)
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
        sqlx::query!("DELETE FROM folded WHERE journal_id = $1", journal)
            .execute(&mut *self.transaction)
            .await
            .map(drop)
            .map_err(|error| self.health.judge(error))
    }

    async fn publish(
        &mut self,
        leaves: &[LogLeaf],
        nodes: &[(Node, Digest)],
        checkpoint: &SignedCheckpoint,
    ) -> Result<(), StoreError> {
        let rows: Vec<_> = nodes
            .iter()
            .map(|(node, hash)| (node.level, column(node.index), hex(&hash.0)))
            .collect();
        let rows = json(&rows);
        sqlx::query!(
            "INSERT INTO tree_node (level, position, hash)
             SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each($1)",
            rows
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        for leaf in leaves {
            let (position, journal) = (column(leaf.position), &leaf.journal.0[..]);
            let (seq, head) = (column(leaf.end.seq), &leaf.end.head.0[..]);
            sqlx::query!(
                "INSERT INTO leaf (position, journal_id, seq, head) VALUES ($1, $2, $3, $4)",
                position,
                journal,
                seq,
                head
            )
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
        }
        let (size, signed_at, note) = (
            column(checkpoint.size),
            checkpoint.signed_at.0,
            &checkpoint.note,
        );
        sqlx::query!(
            "INSERT INTO checkpoint (size, signed_at, note) VALUES ($1, $2, $3)",
            size,
            signed_at,
            note
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.health.judge(error))
    }
}
