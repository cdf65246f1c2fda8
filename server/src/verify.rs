//! `zhucun audit verify`: the auditor's verifier at the command line. It opens no database and reaches no network.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use sync_core::audit::{self, Bundle, Report, codes};

/// In which language a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// 中文.
    Zh,
    /// English.
    En,
}

/// Findings that a report lists one by one.
const LISTED_MAX: usize = 50;

/// Verifies a bundle's file, against a kept checkpoint if one is given. Says whether everything holds, with the report.
pub fn verify(
    bundle: &Path,
    since: Option<&Path>,
    language: Language,
) -> anyhow::Result<(bool, String)> {
    let bytes = fs::read(bundle).with_context(|| format!("{} cannot be read", bundle.display()))?;
    let kept = since
        .map(|path| {
            fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
        })
        .transpose()?;
    match Bundle::from_bytes(&bytes) {
        Ok(bundle) => {
            let report = audit::verify(&bundle, kept.as_deref());
            Ok((report.holds(), written(&report, &bundle, language)))
        }
        Err(error) => Ok((
            false,
            format!(
                "{}: {error}\n",
                if language == Language::Zh {
                    "不成立"
                } else {
                    "DOES NOT HOLD"
                }
            ),
        )),
    }
}

/// A report as a person reads it.
pub fn written(report: &Report, bundle: &Bundle, language: Language) -> String {
    let mut text = String::new();
    let zh = language == Language::Zh;
    let lines: Vec<(&str, &str, String)> = vec![
        ("部署", "deployment", bundle.deployment.to_string()),
        (
            "日志（含登记册）",
            "journals (the registry among them)",
            report.journals.to_string(),
        ),
        ("条目", "entries", report.entries.to_string()),
        (
            "重新判定的指令",
            "commands decided again",
            report.decided.to_string(),
        ),
        (
            "因内容不在包内而无法判定的拒收",
            "refusals that rest on content not in the bundle",
            report.undecided.to_string(),
        ),
        (
            "内容未提供或已销毁的指令",
            "commands whose content is withheld or erased",
            report.withheld.to_string(),
        ),
        (
            "重新归并的记录",
            "records folded again",
            report.folded.to_string(),
        ),
        (
            "内容不全的记录",
            "records folded from a part of their content",
            report.partial.to_string(),
        ),
        (
            "与所示比对的记录",
            "records compared with what is shown",
            report.compared.to_string(),
        ),
        (
            "登记册所列而包内没有的日志",
            "journals of the registry that the bundle does not bring",
            report.absent.to_string(),
        ),
        (
            "尚无检查点覆盖的条目",
            "entries that no checkpoint covers yet",
            report.uncovered.to_string(),
        ),
        (
            "默克尔日志大小",
            "size of the Merkle log",
            report.leaves.to_string(),
        ),
    ];
    for (label_zh, label_en, value) in lines {
        writeln!(text, "{}: {value}", if zh { label_zh } else { label_en })
            .expect("writing to memory cannot fail");
    }
    if let Some(size) = report.since {
        let label = if zh {
            "与所存检查点一致，其大小"
        } else {
            "continues the kept checkpoint of size"
        };
        writeln!(text, "{label}: {size}").expect("writing to memory cannot fail");
    }
    for lost in report.lost.iter().filter(|lost| lost.covered > lost.at) {
        let (journal, from, to) = (lost.journal, lost.at + 1, lost.covered);
        let (registry, reason) = (lost.registry, &lost.reason);
        let line = if zh {
            format!("已宣告丢失: {journal}#{from}–{to}（登记册 #{registry}：{reason}）")
        } else {
            format!("declared lost: {journal}#{from}–{to} (registry #{registry}: {reason})")
        };
        writeln!(text, "{line}").expect("writing to memory cannot fail");
    }
    let verdict = match (report.holds(), zh) {
        (true, true) => "结论: 全部成立".to_owned(),
        (true, false) => "verdict: everything holds".to_owned(),
        (false, true) => format!("结论: 不成立，发现 {} 处", report.findings.len()),
        (false, false) => format!("verdict: DOES NOT HOLD, {} findings", report.findings.len()),
    };
    writeln!(text, "{verdict}").expect("writing to memory cannot fail");
    for finding in report.findings.iter().take(LISTED_MAX) {
        let journal = finding
            .journal
            .map(|journal| journal.to_string())
            .unwrap_or_default();
        let seq = finding.seq.map(|seq| format!("#{seq}")).unwrap_or_default();
        writeln!(
            text,
            "  [{}] {journal}{seq} {}: {}",
            finding.code,
            meaning(finding.code, zh),
            finding.detail
        )
        .expect("writing to memory cannot fail");
    }
    if report.findings.len() > LISTED_MAX {
        writeln!(text, "  … {}", report.findings.len() - LISTED_MAX)
            .expect("writing to memory cannot fail");
    }
    text
}

fn meaning(code: &str, zh: bool) -> &'static str {
    let (in_zh, in_en) = match code {
        codes::FOUNDING => (
            "登记册的开头不是本部署的创立",
            "the registry does not begin with this deployment's founding",
        ),
        codes::MALFORMED => ("条目无法读取", "an entry cannot be read"),
        codes::CHAIN => ("哈希链断裂", "the chain is broken"),
        codes::SIGNATURE => ("签名无效", "a signature does not verify"),
        codes::LANE => ("设备序列不连续", "a device's lane does not continue"),
        codes::SEEN => ("所担保的历史不在此链上", "it vouches for another history"),
        codes::AUTHORITY => ("登记册没有该位置", "the registry has no such position"),
        codes::FATE => ("判定与规则不符", "a fate is not what the rules give"),
        codes::CATALOGUE => (
            "目录文件与发布的不符",
            "catalogue files are not the published ones",
        ),
        codes::CHECKPOINT => ("检查点无效", "the checkpoint does not verify"),
        codes::ROLLED_BACK => (
            "日志未延续所存检查点",
            "the log does not continue the kept checkpoint",
        ),
        codes::LEAF => (
            "已公布的链头不在链上",
            "a published head is not on its chain",
        ),
        codes::RECORD => (
            "所示记录与指令之和不符",
            "a shown record is not what its commands add up to",
        ),
        codes::VERSION => (
            "条目按未知版本的规则归并",
            "folded by rules of a version that is not known",
        ),
        codes::ORDER => ("包内有重复或次序不对", "parts stand twice or out of order"),
        _ => ("", ""),
    };
    if zh { in_zh } else { in_en }
}
