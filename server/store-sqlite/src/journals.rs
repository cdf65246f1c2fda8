//! Journals, what is derived from them, and the log of their heads.
//!
//! Long because every method of the two traits stands here with its SQL, each short and read alone.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use store::StoreError;
use store::journals::{
    Appended, Filter, Folded, LogLeaf, ReadJournals, SignedCheckpoint, Stored, Used, WriteJournals,
};
use sync_core::admit::{Index, LaneEnd};
use sync_core::batch::{Position, WireBatch};
use sync_core::cbor;
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
    serde_json::to_string(&texts).expect("texts are JSON")
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
        for seq in at {
            if *seq == 0 {
                heads.insert(0, (Chain::start(journal).end.head, Timestamp(i64::MIN)));
                continue;
            }
            let position = column(*seq);
            let row = sqlx::query!(
                "SELECT chain_head, received_at FROM entry WHERE journal_id = $1 AND seq = $2",
                key,
                position
            )
            .fetch_optional(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
            if let Some(row) = row {
                heads.insert(*seq, (id(&row.chain_head)?, Timestamp(row.received_at)));
            }
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
            let head: EntryHead = read(&row.head)?;
            let index = usize::try_from(at - row.first)
                .map_err(|_| StoreError::Impossible("a lane out of order"))?;
            fates.extend(head.fates.get(index).cloned().map(|fate| (*n, fate)));
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
        for origin in origins.iter().filter(|origin| origin.journal == journal) {
            let own = self
                .fates(journal, origin.device, &BTreeSet::from([origin.n]))
                .await?;
            offers.extend(
                own.get(&origin.n)
                    .map(|fate| (*origin, origin.device, fate.counts())),
            );
            let (device, n) = (&origin.device.0[..], column(origin.n));
            let rows = sqlx::query!(
                r#"SELECT device_id, counts AS "counts: bool" FROM offer
                   WHERE journal_id = $1 AND origin_device_id = $2 AND origin_n = $3"#,
                key,
                device,
                n
            )
            .fetch_all(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
            for row in rows {
                offers.push((*origin, id(&row.device_id)?, row.counts));
            }
        }
        Ok(offers)
    }

    async fn index(
        &mut self,
        journal: JournalId,
        records: &BTreeSet<RecordId>,
    ) -> Result<Index, StoreError> {
        let mut index = Index::new();
        let journal = &journal.0[..];
        for record in records {
            let key = &record.0[..];
            let row = sqlx::query_scalar!(
                "SELECT entry FROM record_index WHERE journal_id = $1 AND record_id = $2",
                journal,
                key
            )
            .fetch_optional(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
            if let Some(entry) = row {
                index.insert(*record, read(&entry)?);
            }
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

    async fn mentions(
        &mut self,
        journal: JournalId,
        record: RecordId,
    ) -> Result<Vec<(Stored, Vec<u32>)>, StoreError> {
        let (journal, record) = (&journal.0[..], &record.0[..]);
        let rows = sqlx::query!(
            "SELECT seq, place FROM mention WHERE journal_id = $1 AND record_id = $2 ORDER BY seq, place",
            journal,
            record
        )
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        let mut places: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for row in rows {
            let place = u32::try_from(row.place)
                .map_err(|_| StoreError::Impossible("an index out of range"))?;
            places.entry(row.seq).or_default().push(place);
        }
        let mut mentions = Vec::with_capacity(places.len());
        for (seq, places) in places {
            let row = sqlx::query_as!(
                EntryRow,
                "SELECT chain_head, head, batch FROM entry WHERE journal_id = $1 AND seq = $2",
                journal,
                seq
            )
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
            mentions.push((Stored::try_from(row)?, places));
        }
        Ok(mentions)
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
             WHERE lower(hex(journal_id)) IN (SELECT value FROM json_each($1))
               AND CAST(audience AS TEXT) IN (SELECT value FROM json_each($2))
               AND ($3 IS NULL OR kind = $3)
               AND ($4 IS NULL OR state = $4)
               AND ($5 = FALSE OR conflicted)
               AND ($6 IS NULL OR flagged = $6)
               AND ($7 = FALSE OR unanswered)
               AND ($8 IS NULL OR changed_at >= $8)
               AND ($9 IS NULL OR changed_at < $9)
               AND ($10 IS NULL OR (lower(hex(journal_id)), lower(hex(record_id))) > ($10, $11))
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

    async fn newest_leaf(&mut self, journal: JournalId) -> Result<Option<LogLeaf>, StoreError> {
        let key = &journal.0[..];
        let row = sqlx::query_as!(
            LeafRow,
            "SELECT position, journal_id, seq, head FROM leaf WHERE journal_id = $1 ORDER BY seq DESC LIMIT 1",
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
             WHERE seq > COALESCE((SELECT MAX(leaf.seq) FROM leaf WHERE leaf.journal_id = journal.journal_id), 0)
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
        // The statement below moves a chain that is there, or begins one, at whatever position.
        if before > 0 && self.chain(entry.journal).await?.is_none() {
            return Err(StoreError::Impossible(
                "an entry that does not continue its chain",
            ));
        }
        let moved = sqlx::query!(
            "INSERT INTO journal (journal_id, seq, head, received_at, registry) VALUES ($1, $2, $3, $4, $5)
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
        for (record, index) in appended.index() {
            let (record, index) = (&record.0[..], cbor::encode(index));
            sqlx::query!(
                "INSERT INTO record_index (journal_id, record_id, entry) VALUES ($1, $2, $3)
                 ON CONFLICT (journal_id, record_id) DO UPDATE SET entry = $3",
                journal,
                record,
                index
            )
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
        }
        for (record, place) in appended.mentions() {
            let record = &record.0[..];
            sqlx::query!(
                "INSERT INTO mention (journal_id, record_id, seq, place) VALUES ($1, $2, $3, $4)",
                journal,
                record,
                seq,
                place
            )
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
        }
        for (origin, n, counts) in appended.offers() {
            let (origin_device, origin_n, n) = (&origin.device.0[..], column(origin.n), column(*n));
            sqlx::query!(
                "INSERT INTO offer (journal_id, origin_device_id, origin_n, device_id, n, counts) VALUES ($1, $2, $3, $4, $5, $6)",
                journal,
                origin_device,
                origin_n,
                device,
                n,
                counts
            )
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
        }
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
        let yesterday = day - 1;
        sqlx::query!(
            "DELETE FROM quota WHERE journal_id = $1 AND device_id = $2 AND day < $3",
            journal,
            device,
            yesterday
        )
        .execute(&mut *self.transaction)
        .await
        .map_err(|error| self.health.judge(error))?;
        sqlx::query!(
            "INSERT INTO quota (journal_id, device_id, day, commands, bytes, refused_bytes) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (journal_id, device_id, day)
             DO UPDATE SET commands = commands + $4, bytes = bytes + $5, refused_bytes = refused_bytes + $6",
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
        for folded in records {
            let record = &folded.record;
            let (record_id, state, audience) = (
                &record.id.0[..],
                record.state.as_deref(),
                record.audience as u8,
            );
            let (kind, text, body) = (&record.kind, &folded.text, cbor::encode(record));
            let (created_at, changed_at) = (folded.created_at.0, folded.changed_at.0);
            let conflicted = record.conflicts().next().is_some();
            let flagged = record.is_flagged();
            let unanswered = record.steps.iter().any(|step| !step.fate.counts());
            let void = record.void.is_some();
            sqlx::query!(
                "INSERT INTO record (journal_id, record_id, kind, state, audience, conflicted, flagged, unanswered, void,
                                     created_at, changed_at, text, body)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                 ON CONFLICT (journal_id, record_id) DO UPDATE SET kind = $3, state = $4, audience = $5, conflicted = $6,
                     flagged = $7, unanswered = $8, void = $9, changed_at = $11, text = $12, body = $13",
                key,
                record_id,
                kind,
                state,
                audience,
                conflicted,
                flagged,
                unanswered,
                void,
                created_at,
                changed_at,
                text,
                body
            )
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.health.judge(error))?;
        }
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
        checkpoint: &SignedCheckpoint,
    ) -> Result<(), StoreError> {
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
