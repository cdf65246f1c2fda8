//! `cargo xtask bench import`: a county's list against its register, by the real program: tried, imported, and run again.
//!
//! Half of the rows bring a household's number, half a name and an identity number. It ends with one line of JSON, in seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Parser;
use device::store::Store;
use sync_core::cbor;
use sync_core::id::{AreaId, Timestamp};
use sync_core::sync::courier::{Session, Tokens};
use sync_core::sync::device::{Intent, Write};
use sync_core::testing::{Host, Phone, TestRng, Village};
use sync_core::value::Value;
use sync_core::vault::Pin;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const PIN: &str = "258046";
const MAPPING: &str = "source = \"医保\"\nsource_on = \"2026-11-20\"\n[columns]\nrow = \"序号\"\nvillage = \"村\"\n\
    household_code = \"户编号\"\nname = \"姓名\"\nid_number = \"身份证号\"\nnote = \"说明\"\ncontact = \"电话\"\n\
    [constants]\nrisks = \"因病\"\n";

/// Measures the import of a list.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many rows, each of another household.
    #[arg(long, default_value_t = 50_000)]
    rows: usize,
    /// Over how many villages.
    #[arg(long, default_value_t = 100)]
    villages: usize,
}

fn main() -> anyhow::Result<()> {
    let Arguments { rows, villages } = Arguments::parse();
    ensure!(villages > 0, "a county has a village");
    let folder = tempfile::tempdir()?;
    eprintln!(
        "{villages} villages, {} households each …",
        rows.div_ceil(villages)
    );
    let list = county(folder.path(), rows, villages)?;
    fs::write(folder.path().join("list.csv"), list)?;
    fs::write(folder.path().join("map.toml"), MAPPING)?;
    fs::write(folder.path().join("pin"), PIN)?;
    let tried = run(folder.path(), &["--dry-run", "--report", "report.csv"])?;
    let imported = run(folder.path(), &[])?;
    let again = run(folder.path(), &[])?;
    println!(
        "{{\"rows\":{rows},\"tried\":{tried:.1},\"imported\":{imported:.1},\"again\":{again:.1}}}"
    );
    Ok(())
}

/// A citizen's number of nobody.
fn number(n: usize) -> String {
    let digits = format!("64042219600101{:03}", n % 1_000);
    let endings = "0123456789X".chars();
    let mut numbers = endings.map(|last| format!("{digits}{last}"));
    let valid = numbers.find(|number| sync_core::id_number::is_citizens(number));
    valid.unwrap_or_default()
}

/// Makes the store of a county's device that holds every village, and the list of its households.
fn county(folder: &Path, rows: usize, villages: usize) -> anyhow::Result<String> {
    let mut host = Host::found(11, NOW);
    let since = NOW.date().plus_days(-100);
    let mut list = "序号,村,户编号,姓名,身份证号,说明,电话\n".to_owned();
    let each = rows.div_ceil(villages);
    for village in 0..villages {
        let name = format!("第{village}村");
        let place = host.add_village(&name, NOW);
        let user = host.add_user("马第一", NOW);
        host.assign(user, "FS", place.area, since, None, NOW);
        let mut phone = Phone::enrol(&mut host, user, NOW);
        phone.sync(&mut host, NOW)?;
        for household in 0..each.min(rows - (village * each).min(rows)) {
            registered(&mut phone, place, household)?;
            let row = village * each + household;
            let known = if household % 2 == 0 {
                format!("{household},户主{household},")
            } else {
                format!(",成员{household},{}", number(household))
            };
            list += &format!("{row},{name},{known},自付 3.2 万元，尚未报销,13900000000\n");
            if household % 64 == 63 {
                phone.sync(&mut host, NOW)?;
            }
        }
        phone.sync(&mut host, NOW)?;
    }
    let user = host.add_user("田督导", NOW);
    let county: AreaId = host.county();
    host.assign(user, "CS", county, since, None, NOW);
    let mut phone = Phone::enrol(&mut host, user, NOW);
    phone.sync(&mut host, NOW)?;
    let mut rng = TestRng::new(1);
    let store = Store::create(&folder.join("home"), &Pin::typed(PIN), &mut rng)?;
    let values = phone.storage.0.into_iter();
    let writes: Vec<Write> = values.map(|(key, value)| Write::put(key, value)).collect();
    let tokens = Tokens {
        access: None,
        access_seconds: 0,
        refresh: "zhr_1".to_owned(),
    };
    let session = cbor::encode(&("http://127.0.0.1:1", Session::begun(tokens, NOW)));
    store.commit(&writes, &[("session", Some(session))], &mut rng)?;
    Ok(list)
}

fn registered(phone: &mut Phone, place: Village, household: usize) -> anyhow::Result<()> {
    let text = |text: String| Value::text(text);
    let intent = Intent::create("household")
        .with("householder", text(format!("户主{household}")))
        .with("code", text(household.to_string()));
    let made = phone.save(place.journal, None, intent, NOW)?.record;
    let person = Intent::create("person")
        .with("name", text(format!("成员{household}")))
        .with("id_number", text(number(household)))
        .link("household", made);
    phone.save(place.journal, None, person, NOW)?;
    Ok(())
}

/// Runs the program as it is released, and says how many seconds it took.
fn run(folder: &Path, more: &[&str]) -> anyhow::Result<f64> {
    let here = std::env::current_exe()?;
    let program: PathBuf = here
        .ancestors()
        .nth(2)
        .context("a folder")?
        .join("zhucun-field");
    ensure!(
        program.exists(),
        "build it first: cargo build --release --package device"
    );
    let begun = Instant::now();
    let status = Command::new(program)
        .current_dir(folder)
        .args(["import", "list.csv", "--mapping", "map.toml"])
        .args(more)
        .env("ZHUCUN_HOME", "home")
        .env("ZHUCUN_PIN_FILE", "pin")
        .env("ZHUCUN_NOW", NOW.0.to_string())
        .stdout(Stdio::from(std::io::stderr()))
        .status()?;
    ensure!(status.success(), "the program failed");
    Ok(begun.elapsed().as_secs_f64())
}
