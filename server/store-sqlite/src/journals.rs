//! Journals, what is derived from them, and the log of their heads.
//!
//! Long because every method of the two traits stands here with its SQL, each short and read alone.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use serde::Serialize;
use store::StoreError;
use store::journals::{
    Appended, Asked, Filter, Folded, Known, LogLeaf, ReadJournals, SignedCheckpoint, Stored, Used,
    WriteJournals,
};
use sync_core::admit::LaneEnd;
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
pub(crate) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn number(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::Impossible("a negative number"))
}

pub(crate) fn read<T: for<'b> Decode<'b, ()> + Encode<()>>(bytes: &[u8]) -> Result<T, StoreError> {
    cbor::decode(bytes).map_err(|_| StoreError::Impossible("bytes in another encoding"))
}

/// The same of what is derived from the entries.
fn read_derived<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, StoreError> {
    cbor::decode_own(bytes).map_err(|_| StoreError::Impossible("bytes of another shape"))
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
        let record: Record = read_derived(&row.body)?;
        Ok(Self {
            record,
            created_at: Timestamp(row.created_at),
            changed_at: Timestamp(row.changed_at),
            text: row.text,
        })
    }
}

/// Texts as a JSON array, for `jsonb_each`: lists of any length under one prepared statement.
fn json_list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    json(&texts)
}

/// Rows as JSON, for `jsonb_each`, which does not write each of them as text again: as many as there are under one prepared statement. Their bytes stand in a [`Heap`].
fn json<T: Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("texts and numbers are JSON")
}

/// The bytes of rows, one parameter for all of them: a row names the place of each, and `substr` takes it from there.
#[derive(Default)]
struct Heap(Vec<u8>);

impl Heap {
    /// The place of these bytes, as SQL counts: from 1.
    fn put(&mut self, bytes: &[u8]) -> usize {
        let at = self.0.len() + 1;
        self.0.extend_from_slice(bytes);
        at
    }

    /// The place of a key of two ids, the second of which follows the first.
    fn put_pair(&mut self, first: &[u8; 16], second: &[u8; 16]) -> usize {
        let at = self.put(first);
        self.put(second);
        at
    }
}

/// Places in lanes as runs of numbers that follow one another: the first place, and the last number.
fn runs(places: &BTreeSet<Origin>) -> Vec<(Origin, u64)> {
    let mut runs: Vec<(Origin, u64)> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some((first, last))
                if (first.device, first.journal) == (place.device, place.journal)
                    && last.checked_add(1) == Some(place.n) =>
            {
                *last = place.n;
            }
            _ => runs.push((*place, place.n)),
        }
    }
    runs
}

/// Runs as rows for `jsonb_each`, and the bytes that they name: lane, first, last.
fn rows_of(runs: &[(Origin, u64)]) -> (String, Vec<u8>) {
    let mut heap = Heap::default();
    let rows: Vec<_> = (runs.iter())
        .map(|(place, last)| {
            let lane = heap.put_pair(&place.journal.0, &place.device.0);
            (lane, column(place.n), column(*last))
        })
        .collect();
    (json(&rows), heap.0)
}

/// The item of a list that a row was asked by.
fn asked_by<T>(items: &[T], key: i64) -> Result<&T, StoreError> {
    let item = usize::try_from(key).ok().and_then(|at| items.get(at));
    item.ok_or(StoreError::Impossible("a row that was not asked for"))
}

impl SqliteUnit {
    async fn read_chains(&mut self, asked: &Asked, known: &mut Known) -> Result<(), StoreError> {
        let mut heap = Heap::default();
        let journals = asked.journals.iter();
        let rows: Vec<_> = journals.map(|journal| heap.put(&journal.0)).collect();
        let (rows, heap) = (json(&rows), heap.0);
        let rows = sqlx::query!(
            "SELECT journal_id, seq, head, received_at, registry FROM jsonb_each($1) AS asked
             CROSS JOIN journal ON journal_id = substr($2, asked.value, 16)",
            rows,
            heap
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        for row in rows {
            let journal = id(&row.journal_id)?;
            let end = Position {
                seq: number(row.seq)?,
                head: id(&row.head)?,
            };
            let chain = Chain {
                journal,
                end,
                received_at: Timestamp(row.received_at),
                registry: number(row.registry)?,
            };
            known.chains.insert(journal, chain);
        }
        Ok(())
    }

    async fn read_lanes(&mut self, asked: &Asked, known: &mut Known) -> Result<(), StoreError> {
        let mut heap = Heap::default();
        let lanes: Vec<_> = asked.lanes.iter().copied().collect();
        let rows: Vec<_> = (lanes.iter())
            .map(|(journal, device)| heap.put_pair(&journal.0, &device.0))
            .collect();
        let (rows, heap) = (json(&rows), heap.0);
        let rows = sqlx::query!(
            r#"SELECT asked.key + 0 AS "key!: i64", lane.n AS "n?", lane.batch AS "batch?", day AS "day?", commands AS "commands?",
                      bytes AS "bytes?", refused_bytes AS "refused_bytes?" FROM jsonb_each($1) AS asked
               LEFT JOIN lane ON lane.journal_id = substr($2, asked.value, 16)
                   AND lane.device_id = substr($2, asked.value + 16, 16)
               LEFT JOIN quota ON quota.journal_id = substr($2, asked.value, 16)
                   AND quota.device_id = substr($2, asked.value + 16, 16)"#,
            rows,
            heap
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        for row in rows {
            let lane = *asked_by(&lanes, row.key)?;
            if let (Some(n), Some(batch)) = (row.n, row.batch) {
                let end = LaneEnd {
                    n: number(n)?,
                    batch: id(&batch)?,
                };
                known.lanes.insert(lane, end);
            }
            if let (Some(day), Some(commands)) = (row.day, row.commands) {
                let used = Used {
                    commands: u32::try_from(commands).unwrap_or(u32::MAX),
                    bytes: number(row.bytes.unwrap_or_default())?,
                    refused_bytes: number(row.refused_bytes.unwrap_or_default())?,
                };
                let day = i32::try_from(day).unwrap_or(i32::MAX);
                known.used.insert(lane, (day, used));
            }
        }
        Ok(())
    }

    async fn read_heads(&mut self, asked: &Asked, known: &mut Known) -> Result<(), StoreError> {
        let mut heap = Heap::default();
        let mut rows = Vec::new();
        for (journal, seq) in &asked.heads {
            if *seq == 0 {
                let start = (Chain::start(*journal).end.head, Timestamp(i64::MIN));
                known.heads.insert((*journal, 0), start);
            } else {
                rows.push((heap.put(&journal.0), column(*seq)));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let (rows, heap) = (json(&rows), heap.0);
        let rows = sqlx::query!(
            r#"SELECT journal_id, seq AS "seq!", chain_head, received_at FROM jsonb_each($1) AS asked
             CROSS JOIN entry ON journal_id = substr($2, asked.value ->> 0, 16) AND seq = asked.value ->> 1"#,
            rows,
            heap
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        for row in rows {
            let at = (id(&row.chain_head)?, Timestamp(row.received_at));
            let place = (id(&row.journal_id)?, number(row.seq)?);
            known.heads.insert(place, at);
        }
        Ok(())
    }

    async fn read_index(&mut self, asked: &Asked, known: &mut Known) -> Result<(), StoreError> {
        let mut heap = Heap::default();
        let records: Vec<_> = asked.records.iter().copied().collect();
        let rows: Vec<_> = (records.iter())
            .map(|(journal, record)| heap.put_pair(&journal.0, &record.0))
            .collect();
        let (rows, heap) = (json(&rows), heap.0);
        let rows = sqlx::query!(
            r#"SELECT asked.key + 0 AS "key!: i64", entry AS "entry!" FROM jsonb_each($1) AS asked
               CROSS JOIN record_index ON journal_id = substr($2, asked.value, 16)
                   AND record_id = substr($2, asked.value + 16, 16)
               WHERE entry IS NOT NULL"#,
            rows,
            heap
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        for row in rows {
            let record = *asked_by(&records, row.key)?;
            known.index.insert(record, read_derived(&row.entry)?);
        }
        Ok(())
    }

    /// What became of the commands at these places, in the entries that hold them.
    async fn fates_at(
        &mut self,
        places: &BTreeSet<Origin>,
    ) -> Result<BTreeMap<Origin, Fate>, StoreError> {
        let runs = runs(places);
        let (rows, heap) = rows_of(&runs);
        // From the entry that may hold the first of a run, or the next, to the one that may hold its last.
        let rows = sqlx::query!(
            r#"SELECT asked.key + 0 AS "key!: i64", entry.first, entry.head FROM jsonb_each($1) AS asked
               CROSS JOIN entry ON entry.journal_id = substr($2, asked.value ->> 0, 16)
                   AND entry.device_id = substr($2, (asked.value ->> 0) + 16, 16)
                   AND entry.first >= COALESCE((SELECT MAX(before.first) FROM entry AS before
                                                WHERE before.journal_id = substr($2, asked.value ->> 0, 16)
                                                  AND before.device_id = substr($2, (asked.value ->> 0) + 16, 16)
                                                  AND before.first <= asked.value ->> 1), 0)
                   AND entry.first <= asked.value ->> 2
               WHERE entry.last >= asked.value ->> 1"#,
            rows,
            heap
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        let mut fates = BTreeMap::new();
        for row in rows {
            let (place, last) = asked_by(&runs, row.key)?;
            let head: EntryHead = read(&row.head)?;
            let numbered = (number(row.first)?..).zip(head.fates);
            let asked = numbered.filter(|(n, _)| (place.n..=*last).contains(n));
            fates.extend(asked.map(|(n, fate)| (Origin { n, ..*place }, fate)));
        }
        Ok(fates)
    }

    async fn read_offers(&mut self, asked: &Asked, known: &mut Known) -> Result<(), StoreError> {
        // Under their own numbers.
        let own = self.fates_at(&asked.origins).await?;
        let own = own.into_iter();
        known
            .offers
            .extend(own.map(|(origin, fate)| (origin, origin.device, fate.counts())));
        let runs = runs(&asked.origins);
        let (rows, heap) = rows_of(&runs);
        let again = sqlx::query!(
            r#"SELECT asked.key + 0 AS "key!: i64", offer.origin_n AS "origin_n!", offer.device_id, offer.counts AS "counts: bool"
               FROM jsonb_each($1) AS asked
               CROSS JOIN offer ON offer.journal_id = substr($2, asked.value ->> 0, 16)
                   AND offer.origin_device_id = substr($2, (asked.value ->> 0) + 16, 16)
                   AND offer.origin_n BETWEEN asked.value ->> 1 AND asked.value ->> 2"#,
            rows,
            heap
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        for row in again {
            let (place, _) = asked_by(&runs, row.key)?;
            let origin = Origin {
                n: number(row.origin_n)?,
                ..*place
            };
            known.offers.push((origin, id(&row.device_id)?, row.counts));
        }
        Ok(())
    }
}

#[async_trait]
impl ReadJournals for SqliteUnit {
    async fn known(&mut self, asked: &Asked) -> Result<Known, StoreError> {
        let mut known = Known::default();
        if !asked.journals.is_empty() {
            self.read_chains(asked, &mut known).await?;
        }
        if !asked.lanes.is_empty() {
            self.read_lanes(asked, &mut known).await?;
        }
        self.read_heads(asked, &mut known).await?;
        if !asked.records.is_empty() {
            self.read_index(asked, &mut known).await?;
        }
        if !asked.fates.is_empty() {
            known.fates = self.fates_at(&asked.fates).await?;
        }
        if !asked.origins.is_empty() {
            self.read_offers(asked, &mut known).await?;
        }
        Ok(known)
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
        .map_err(|error| self.course.judge(error))?;
        row.map(|head| read(&head)).transpose()
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
            .map_err(|error| self.course.judge(error))?;
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
             WHERE journal_id = $1 AND seq IN (SELECT value FROM jsonb_each($2)) ORDER BY seq",
            key,
            positions
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        rows.into_iter().map(Stored::try_from).collect()
    }

    async fn folded_seq(&mut self, journal: JournalId) -> Result<Seq, StoreError> {
        let key = &journal.0[..];
        let row = sqlx::query_scalar!("SELECT seq FROM folded WHERE journal_id = $1", key)
            .fetch_optional(&mut *self.transaction)
            .await
            .map_err(|error| self.course.judge(error))?;
        row.map_or(Ok(0), number)
    }

    async fn unfolded(&mut self) -> Result<Vec<JournalId>, StoreError> {
        let rows = sqlx::query_scalar!(
            "SELECT journal.journal_id FROM journal LEFT JOIN folded ON folded.journal_id = journal.journal_id
             WHERE journal.seq > COALESCE(folded.seq, 0) ORDER BY journal.journal_id"
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
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
            "SELECT created_at, changed_at, text, body FROM record_index JOIN record USING (number)
             WHERE journal_id = $1 AND record_id = $2",
            journal,
            record
        )
        .fetch_optional(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        row.map(Folded::try_from).transpose()
    }

    async fn folded(
        &mut self,
        journal: JournalId,
        records: &BTreeSet<RecordId>,
    ) -> Result<BTreeMap<RecordId, Folded>, StoreError> {
        let mut heap = Heap::default();
        let asked: Vec<_> = records.iter().map(|record| heap.put(&record.0)).collect();
        let (journal, asked, heap) = (&journal.0[..], json(&asked), heap.0);
        let rows = sqlx::query_as!(
            RecordRow,
            "SELECT created_at, changed_at, text, body FROM jsonb_each($2) AS asked
             CROSS JOIN record_index ON journal_id = $1 AND record_id = substr($3, asked.value, 16)
             CROSS JOIN record USING (number)",
            journal,
            asked,
            heap
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
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
            "SELECT created_at, changed_at, text, body FROM record_index CROSS JOIN record USING (number)
             WHERE journal_id IN (SELECT unhex(value) FROM jsonb_each($1))
               AND CAST(audience AS TEXT) IN (SELECT value FROM jsonb_each($2))
               AND ($3 IS NULL OR kind = $3)
               AND ($4 IS NULL OR state = $4)
               AND ($5 = FALSE OR conflicted)
               AND ($6 IS NULL OR flagged = $6)
               AND ($7 = FALSE OR unanswered)
               AND ($8 IS NULL OR changed_at >= $8)
               AND ($9 IS NULL OR changed_at < $9)
               AND ($10 IS NULL OR (journal_id, record_id) > (unhex($10), unhex($11)))
               AND NOT EXISTS (SELECT 1 FROM jsonb_each($12) AS word WHERE instr(text, word.value) = 0)
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
        .map_err(|error| self.course.judge(error))?;
        rows.into_iter().map(Folded::try_from).collect()
    }

    async fn leaves(&mut self, from: u64) -> Result<Vec<LogLeaf>, StoreError> {
        let from = column(from);
        let rows = sqlx::query_as!(LeafRow, "SELECT position, journal_id, seq, head FROM leaf WHERE position >= $1 ORDER BY position", from)
            .fetch_all(&mut *self.transaction)
            .await
            .map_err(|error| self.course.judge(error))?;
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
             WHERE (level, position) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each($1))",
            asked
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
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
        .map_err(|error| self.course.judge(error))?;
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
        .map_err(|error| self.course.judge(error))?;
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
                .map_err(|error| self.course.judge(error))?;
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

/// Of things that replace one another, the last of each.
fn last_of_each<K: Ord, V>(things: impl Iterator<Item = (K, V)>) -> BTreeMap<K, V> {
    things.collect()
}

impl SqliteUnit {
    /// Begins chains with their first entries, and moves those that stand just before.
    async fn move_chains(&mut self, appended: &[Appended]) -> Result<(), StoreError> {
        const BREAKS: StoreError =
            StoreError::Impossible("an entry that does not continue its chain");
        let mut ends: BTreeMap<JournalId, (Seq, &Chain)> = BTreeMap::new();
        for one in appended {
            let before = one.entry().seq.checked_sub(1).ok_or(BREAKS)?;
            let (_, end) = ends
                .entry(one.entry().journal)
                .and_modify(|(_, end)| {
                    if end.end.seq == before {
                        *end = one.chain();
                    }
                })
                .or_insert((before, one.chain()));
            if end.end.seq != one.entry().seq {
                return Err(BREAKS);
            }
        }
        let count = ends.len() as u64;
        let mut heap = Heap::default();
        let (mut begun, mut moved) = (Vec::new(), Vec::new());
        for (journal, (before, chain)) in ends {
            let row = (
                heap.put(&journal.0),
                column(chain.end.seq),
                heap.put(&chain.end.head.0),
                chain.received_at.0,
                column(chain.registry),
                column(before),
            );
            if before == 0 {
                begun.push(row);
            } else {
                moved.push(row);
            }
        }
        let mut changed = 0;
        if !begun.is_empty() {
            let (rows, heap) = (json(&begun), &heap.0);
            let done = sqlx::query!(
                "INSERT INTO journal (journal_id, seq, head, received_at, registry)
                 SELECT substr($2, value ->> 0, 16), value ->> 1, substr($2, value ->> 2, 32), value ->> 3, value ->> 4
                 FROM jsonb_each($1) WHERE TRUE ON CONFLICT (journal_id) DO NOTHING",
                rows,
                heap
            )
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.course.judge(error))?;
            changed += done.rows_affected();
        }
        if !moved.is_empty() {
            let (rows, heap) = (json(&moved), &heap.0);
            let done = sqlx::query!(
                "UPDATE journal SET seq = row.value ->> 1, head = substr($2, row.value ->> 2, 32),
                                    received_at = row.value ->> 3, registry = row.value ->> 4
                 FROM jsonb_each($1) AS row
                 WHERE journal.journal_id = substr($2, row.value ->> 0, 16) AND journal.seq = row.value ->> 5",
                rows,
                heap
            )
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.course.judge(error))?;
            changed += done.rows_affected();
        }
        if changed == count {
            Ok(())
        } else {
            Err(BREAKS)
        }
    }

    async fn insert_entries(&mut self, appended: &[Appended]) -> Result<(), StoreError> {
        // Most of what is written: growing as it goes would copy it several times.
        let packed = appended.iter().map(|one| one.batch().packed_bytes());
        let mut heap = Heap(Vec::with_capacity(packed.sum::<usize>() * 5 / 4));
        let rows: Vec<_> = (appended.iter())
            .map(|one| {
                let (entry, chain) = (one.entry(), one.chain());
                let (head, batch) = (cbor::encode(entry), cbor::encode(one.batch()));
                (
                    heap.put(&entry.journal.0),
                    column(entry.seq),
                    entry.received_at.0,
                    heap.put(&one.batch().device.0),
                    column(one.batch().first),
                    column(one.lane().n),
                    heap.put(&entry.batch.0),
                    heap.put(&chain.end.head.0),
                    (heap.put(&head), head.len()),
                    (heap.put(&batch), batch.len()),
                )
            })
            .collect();
        let (rows, heap) = (json(&rows), heap.0);
        sqlx::query!(
            "INSERT OR FAIL INTO entry (journal_id, seq, received_at, device_id, first, last, batch_digest, chain_head, head, batch)
             SELECT substr($2, value ->> 0, 16), value ->> 1, value ->> 2, substr($2, value ->> 3, 16), value ->> 4, value ->> 5,
                    substr($2, value ->> 6, 32), substr($2, value ->> 7, 32), substr($2, value ->> '$[8][0]', value ->> '$[8][1]'),
                    substr($2, value ->> '$[9][0]', value ->> '$[9][1]')
             FROM jsonb_each($1)",
            rows,
            heap
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.course.judge(error))
    }

    async fn move_lanes(&mut self, appended: &[Appended]) -> Result<(), StoreError> {
        let mut heap = Heap::default();
        let ends = appended
            .iter()
            .map(|one| ((one.entry().journal, one.batch().device), one.lane()));
        let rows: Vec<_> = last_of_each(ends)
            .into_iter()
            .map(|((journal, device), end)| {
                let lane = heap.put_pair(&journal.0, &device.0);
                (lane, column(end.n), heap.put(&end.batch.0))
            })
            .collect();
        let (rows, heap) = (json(&rows), heap.0);
        sqlx::query!(
            "INSERT INTO lane (journal_id, device_id, n, batch)
             SELECT substr($2, value ->> 0, 16), substr($2, (value ->> 0) + 16, 16), value ->> 1, substr($2, value ->> 2, 32)
             FROM jsonb_each($1) WHERE TRUE
             ON CONFLICT (journal_id, device_id) DO UPDATE SET n = excluded.n, batch = excluded.batch",
            rows,
            heap
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.course.judge(error))
    }

    async fn write_index(&mut self, appended: &[Appended]) -> Result<(), StoreError> {
        let mut heap = Heap::default();
        let entries = appended.iter().flat_map(|one| {
            let entries = one.index().iter();
            entries.map(|(record, entry)| ((one.entry().journal, *record), entry))
        });
        let rows: Vec<_> = last_of_each(entries)
            .into_iter()
            .map(|((journal, record), entry)| {
                let at = heap.put_pair(&journal.0, &record.0);
                let entry = cbor::encode(entry);
                heap.put(&entry);
                (at, entry.len())
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let (rows, heap) = (json(&rows), heap.0);
        sqlx::query!(
            "INSERT OR FAIL INTO record_index (journal_id, record_id, entry)
             SELECT substr($2, value ->> 0, 16), substr($2, (value ->> 0) + 16, 16), substr($2, (value ->> 0) + 32, value ->> 1)
             FROM jsonb_each($1) WHERE TRUE
             ON CONFLICT (journal_id, record_id) DO UPDATE SET entry = excluded.entry",
            rows,
            heap
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.course.judge(error))
    }

    async fn insert_offers(&mut self, appended: &[Appended]) -> Result<(), StoreError> {
        let mut heap = Heap::default();
        let mut rows = Vec::new();
        for one in appended {
            for (origin, n, counts) in one.offers() {
                let lane = heap.put_pair(&one.entry().journal.0, &one.batch().device.0);
                let origin_device = heap.put(&origin.device.0);
                let counts = i64::from(*counts);
                rows.push((lane, origin_device, column(origin.n), column(*n), counts));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let (rows, heap) = (json(&rows), heap.0);
        sqlx::query!(
            "INSERT INTO offer (journal_id, origin_device_id, origin_n, device_id, n, counts)
             SELECT substr($2, value ->> 0, 16), substr($2, value ->> 1, 16), value ->> 2, substr($2, (value ->> 0) + 16, 16),
                    value ->> 3, value ->> 4
             FROM jsonb_each($1)",
            rows,
            heap
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.course.judge(error))
    }
}

#[async_trait]
impl WriteJournals for SqliteUnit {
    async fn append(&mut self, appended: &[Appended]) -> Result<(), StoreError> {
        // Most pages are changed by statements that say `OR FAIL`: what such a one did before it failed would stay, so no copies are
        // kept for that case of what it changes; a unit in which anything failed is undone whole.
        let moved = self.move_chains(appended).await;
        moved.map_err(|error| self.course.fail(error))?;
        self.insert_entries(appended).await?;
        self.move_lanes(appended).await?;
        self.write_index(appended).await?;
        self.insert_offers(appended).await
    }

    async fn add_used(
        &mut self,
        day: i32,
        used: &BTreeMap<(JournalId, DeviceId), Used>,
    ) -> Result<(), StoreError> {
        let mut heap = Heap::default();
        let rows: Vec<_> = (used.iter())
            .map(|((journal, device), used)| {
                let lane = heap.put_pair(&journal.0, &device.0);
                let (bytes, refused) = (column(used.bytes), column(used.refused_bytes));
                (lane, used.commands, bytes, refused)
            })
            .collect();
        let (rows, heap) = (json(&rows), heap.0);
        sqlx::query!(
            "INSERT INTO quota (journal_id, device_id, day, commands, bytes, refused_bytes)
             SELECT substr($2, value ->> 0, 16), substr($2, (value ->> 0) + 16, 16), $3, value ->> 1, value ->> 2, value ->> 3
             FROM jsonb_each($1) WHERE TRUE
             ON CONFLICT (journal_id, device_id)
             DO UPDATE SET commands = excluded.commands + iif(day = excluded.day, commands, 0),
                           bytes = excluded.bytes + iif(day = excluded.day, bytes, 0),
                           refused_bytes = excluded.refused_bytes + iif(day = excluded.day, refused_bytes, 0),
                           day = excluded.day",
            rows,
            heap,
            day
        )
        .execute(&mut *self.transaction)
        .await
        .map(drop)
        .map_err(|error| self.course.judge(error))
    }

    async fn replace_batch(
        &mut self,
        journal: JournalId,
        seq: Seq,
        batch: &WireBatch,
    ) -> Result<(), StoreError> {
        self.forget_segments(journal).await?;
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
        .map_err(|error| self.course.judge(error))
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
        .map_err(|error| self.course.judge(error))
    }

    async fn put_folded(
        &mut self,
        journal: JournalId,
        seq: Seq,
        records: &[Folded],
    ) -> Result<(), StoreError> {
        let key = &journal.0[..];
        let mut heap = Heap::default();
        let rows: Vec<_> = records
            .iter()
            .map(|folded| {
                let record = &folded.record;
                let body = cbor::encode(record);
                let at = heap.put(&record.id.0);
                heap.put(folded.text.as_bytes());
                heap.put(&body);
                (
                    (at, folded.text.len(), body.len()),
                    &record.kind,
                    &record.state,
                    record.audience as u8,
                    record.conflicts().next().is_some(),
                    record.is_flagged(),
                    record.steps.iter().any(|step| !step.fate.counts()),
                    record.void.is_some(),
                    folded.created_at.0,
                    folded.changed_at.0,
                )
            })
            .collect();
        let (rows, heap) = (&*json(&rows), &*heap.0);
        // Of which no command counted, admission took no notice.
        sqlx::query!(
            "INSERT INTO record_index (journal_id, record_id)
             SELECT $1, substr($3, value ->> '$[0][0]', 16) FROM jsonb_each($2)
             WHERE TRUE ON CONFLICT (journal_id, record_id) DO NOTHING",
            key,
            rows,
            heap
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        sqlx::query!(
            "INSERT INTO record (number, kind, state, audience, conflicted, flagged, unanswered, void, created_at, changed_at,
                                 text, body)
             SELECT number, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                    value ->> 8, value ->> 9,
                    CAST(substr($3, (value ->> '$[0][0]') + 16, value ->> '$[0][1]') AS TEXT),
                    substr($3, (value ->> '$[0][0]') + 16 + (value ->> '$[0][1]'), value ->> '$[0][2]')
             FROM jsonb_each($2)
             CROSS JOIN record_index ON journal_id = $1 AND record_id = substr($3, value ->> '$[0][0]', 16)
             WHERE TRUE
             ON CONFLICT (number) DO UPDATE SET kind = excluded.kind, state = excluded.state,
                 audience = excluded.audience, conflicted = excluded.conflicted, flagged = excluded.flagged,
                 unanswered = excluded.unanswered, void = excluded.void, changed_at = excluded.changed_at,
                 text = excluded.text, body = excluded.body",
            key,
            rows,
            heap
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        let seq = column(seq);
        sqlx::query!("INSERT INTO folded (journal_id, seq) VALUES ($1, $2) ON CONFLICT (journal_id) DO UPDATE SET seq = $2", key, seq)
            .execute(&mut *self.transaction)
            .await
            .map(drop)
            .map_err(|error| self.course.judge(error))
    }

    async fn forget_folded(&mut self, journal: JournalId) -> Result<(), StoreError> {
        let journal = &journal.0[..];
        sqlx::query!(
            "DELETE FROM record WHERE number IN (SELECT number FROM record_index WHERE journal_id = $1)",
            journal
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
        sqlx::query!("DELETE FROM folded WHERE journal_id = $1", journal)
            .execute(&mut *self.transaction)
            .await
            .map(drop)
            .map_err(|error| self.course.judge(error))
    }

    async fn publish(
        &mut self,
        leaves: &[LogLeaf],
        nodes: &[(Node, Digest)],
        checkpoint: &SignedCheckpoint,
    ) -> Result<(), StoreError> {
        let mut heap = Heap::default();
        let rows: Vec<_> = nodes
            .iter()
            .map(|(node, hash)| (node.level, column(node.index), heap.put(&hash.0)))
            .collect();
        let (rows, heap) = (json(&rows), heap.0);
        sqlx::query!(
            "INSERT INTO tree_node (level, position, hash)
             SELECT value ->> 0, value ->> 1, substr($2, value ->> 2, 32) FROM jsonb_each($1)",
            rows,
            heap
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.course.judge(error))?;
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
            .map_err(|error| self.course.judge(error))?;
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
        .map_err(|error| self.course.judge(error))
    }
}
