//! What this machine can do at best: the limits to hold the figures against.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use brotli::enc::BrotliEncoderParams;
use sync_core::id::{DeploymentId, sha256};
use sync_core::sign::SigningKey;

use super::day::{self, Row};

/// How long each is tried.
const TRIAL: Duration = Duration::from_millis(700);

/// The limits.
#[expect(clippy::struct_field_names, reason = "each says its unit")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    /// Small appends that reach the disk, in a second.
    pub(super) fdatasyncs_per_s: f64,
    /// Signatures that one core verifies in a second.
    pub(super) verifications_per_s: f64,
    /// What one core hashes in a second, in MB.
    pub(super) sha256_mb_per_s: f64,
}

fn rate(mut once: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut count = 0.0;
    while begun.elapsed() < TRIAL {
        once()?;
        count += 1.0;
    }
    Ok(count / begun.elapsed().as_secs_f64())
}

/// Tries them; the disk in this folder.
pub(super) fn measure(folder: &Path) -> anyhow::Result<Machine> {
    let mut file = File::create(folder.join("trial"))?;
    let page = [7_u8; 4_096];
    let mut at = 0;
    let fdatasyncs_per_s = rate(|| {
        // As a log is written that begins anew now and then.
        at = (at + 1) % 1_024;
        file.seek(SeekFrom::Start(at * 4_096))?;
        file.write_all(&page)?;
        Ok(file.sync_data()?)
    })?;
    let key = SigningKey::from_seed([1; 32]);
    let (public, deployment) = (key.public(), DeploymentId([2; 16]));
    let message = sha256(&[b"a batch"]);
    let signature = key.sign(b"zhucun bench", deployment, message);
    let verifications_per_s = rate(|| {
        let verified = public.verify(b"zhucun bench", deployment, message, &signature);
        verified.context("its own signature verifies")
    })?;
    let megabyte = vec![3_u8; 1_000_000];
    let sha256_mb_per_s = rate(|| {
        std::hint::black_box(sha256(&[&megabyte]));
        Ok(())
    })?;
    Ok(Machine {
        fdatasyncs_per_s,
        verifications_per_s,
        sha256_mb_per_s,
    })
}

/// The size of rows as lines of JSON under brotli at its best.
pub(super) fn brotli11(rows: &[Row]) -> anyhow::Result<usize> {
    let mut squeezed = Vec::new();
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        ..BrotliEncoderParams::default()
    };
    let lines = day::lines(rows);
    brotli::BrotliCompress(&mut lines.as_bytes(), &mut squeezed, &parameters)?;
    Ok(squeezed.len())
}
