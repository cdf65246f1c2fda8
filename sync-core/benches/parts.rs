//! What the parts of the core cost, each on one phone's day: 20 visits and 10 tasks carried on.
//!
//! `cargo bench -p sync-core --bench parts`; a name after `--` picks one: verify, admit, fold, view, chain, encode, decode, segment.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use sync_core::admit::{self, Verified};
use sync_core::batch::Parts;
use sync_core::id::RecordId;
use sync_core::journal::{Chain, Entry};
use sync_core::pack::Room;
use sync_core::record::{self, Logged};
use sync_core::segment;
use sync_core::testing::VillageDay;
use sync_core::view::View;

/// A village, and the batches of one phone's day, not yet entered.
struct Scene {
    day: VillageDay,
    batches: Vec<Parts>,
}

impl Scene {
    fn new() -> Self {
        let mut day = VillageDay::before(1, 100);
        day.record_day(0);
        let request = day.phone(0).device.request();
        let open = |batch: &sync_core::batch::WireBatch| batch.open().expect("it was just packed");
        let batches = request.batches.iter().map(open).collect();
        Self { day, batches }
    }

    fn first(&self) -> &Parts {
        self.batches.first().expect("a day has a batch")
    }

    fn commands(&self) -> u64 {
        self.batches
            .iter()
            .map(|parts| parts.batch.envelopes.len() as u64)
            .sum()
    }

    fn entries(&self) -> &[Entry] {
        self.day.host.entries(self.day.village.journal)
    }
}

fn verify(criterion: &mut Criterion) {
    let scene = Scene::new();
    let registry = scene.day.host.registry();
    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Elements(1));
    group.bench_function("signature of a batch", |bencher| {
        bencher.iter_batched(
            || scene.first().clone(),
            |parts| Verified::check(registry, parts).expect("it is signed"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn admit(criterion: &mut Criterion) {
    let scene = Scene::new();
    let (host, parts) = (&scene.day.host, scene.first());
    let journal = host
        .journal(scene.day.village.journal)
        .expect("the village has a journal");
    let verified = Verified::check(host.registry(), parts.clone()).expect("it is signed");
    let now = scene.day.now;
    let mut group = criterion.benchmark_group("admit");
    group.throughput(Throughput::Elements(parts.batch.envelopes.len() as u64));
    group.bench_function("commands of a batch", |bencher| {
        bencher.iter_batched(
            || journal.circumstances(host.registry(), host.catalogues(), &parts.batch, now),
            |circumstances| admit::admit(&verified, circumstances).expect("its lane continues"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn logs(scene: &Scene) -> Vec<(RecordId, Vec<Logged>)> {
    let mut logs: Vec<(RecordId, Vec<Logged>)> = Vec::new();
    for logged in scene.entries().iter().flat_map(record::logged) {
        let record = logged.command.envelope.record;
        match logs.iter_mut().find(|(id, _)| *id == record) {
            Some((_, log)) => log.push(logged),
            None => logs.push((record, vec![logged])),
        }
    }
    logs
}

fn fold(criterion: &mut Criterion) {
    let scene = Scene::new();
    let (logs, rules) = (logs(&scene), scene.day.host.catalogues());
    let journal = scene.day.village.journal;
    let commands: usize = logs.iter().map(|(_, log)| log.len()).sum();
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(commands as u64));
    group.bench_function("in turn", |bencher| {
        bencher.iter(|| {
            for (record, log) in &logs {
                black_box(record::fold(rules, journal, *record, log));
            }
        });
    });
    let few: Vec<_> = logs.iter().take(20).collect();
    let commands: usize = few.iter().map(|(_, log)| log.len()).sum();
    group.throughput(Throughput::Elements(commands as u64));
    group.bench_function("merged", |bencher| {
        bencher.iter(|| {
            for (record, log) in &few {
                black_box(record::fold_merged(rules, journal, *record, log));
            }
        });
    });
    group.finish();
}

fn view(criterion: &mut Criterion) {
    let scene = Scene::new();
    let (host, journal) = (&scene.day.host, scene.day.village.journal);
    let folded = |(record, log): &(RecordId, Vec<Logged>)| {
        record::fold(host.catalogues(), journal, *record, log)
    };
    let records: Vec<_> = logs(&scene).iter().map(folded).collect();
    let mut group = criterion.benchmark_group("view");
    group.throughput(Throughput::Elements(records.len() as u64));
    group.bench_function("of a record", |bencher| {
        bencher.iter(|| {
            for record in &records {
                black_box(View::of(record, host.registry()));
            }
        });
    });
    group.finish();
}

fn chain(criterion: &mut Criterion) {
    let scene = Scene::new();
    let (deployment, entries) = (scene.day.host.deployment(), scene.entries());
    let mut group = criterion.benchmark_group("chain");
    group.throughput(Throughput::Elements(entries.len() as u64));
    group.bench_function("verify entries", |bencher| {
        bencher.iter(|| {
            let start = Chain::start(scene.day.village.journal);
            let chain = entries
                .iter()
                .try_fold(start, |chain, entry| chain.append_entry(deployment, entry));
            black_box(chain.expect("the host is honest"))
        });
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let scene = Scene::new();
    let mut group = criterion.benchmark_group("encode");
    group.sample_size(20);
    group.throughput(Throughput::Elements(scene.commands()));
    group.bench_function("a day's batches", |bencher| {
        bencher.iter(|| {
            for parts in &scene.batches {
                black_box(parts.to_wire());
            }
        });
    });
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    let scene = Scene::new();
    let packed: Vec<_> = scene.batches.iter().map(Parts::to_wire).collect();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(scene.commands()));
    group.bench_function("a day's batches", |bencher| {
        bencher.iter(|| {
            let mut room = Room::of_request();
            for batch in &packed {
                black_box(batch.open_within(&mut room).expect("it was just packed"));
            }
        });
    });
    group.finish();
}

fn segments(criterion: &mut Criterion) {
    let scene = Scene::new();
    let (deployment, entries) = (scene.day.host.deployment(), scene.entries());
    let packed = segment::pack(entries);
    let mut group = criterion.benchmark_group("segment");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(packed.len() as u64));
    group.bench_function("pack", |bencher| bencher.iter(|| segment::pack(entries)));
    group.bench_function("open", |bencher| {
        bencher.iter(|| segment::open(deployment, &packed).expect("it was just packed"));
    });
    group.finish();
}

criterion_group!(
    parts, verify, admit, fold, view, chain, encode, decode, segments
);
criterion_main!(parts);
