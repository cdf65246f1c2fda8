//! One list after the other, by one register.

use std::collections::BTreeMap;

use lists::mapping::{Kept, Mapping, Misfit};
use lists::plan::{Planned, Planner, Verdict, Wrong};
use lists::register::Register;
use lists::sheet::{self, Line, Unread};
use lists::{report, suggest};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sync_core::catalog::{Catalogue, Kind, Label};
use sync_core::id::Date;
use sync_core::look::both;
use sync_core::look::roll::{CLUE, Roll};

use crate::shape;

type Told<T> = Result<T, Label>;

/// What reads lists, and the list that was opened last.
#[derive(Debug)]
pub struct List {
    catalogue: Catalogue,
    register: Register,
    today: Date,
    lines: Vec<Line>,
    planned: Option<(Mapping, Vec<Planned>)>,
}

/// What the page says of a label.
#[derive(Deserialize)]
struct Said {
    zh: String,
    en: String,
}

impl List {
    /// By what a core said of its register.
    pub fn new(roll: &[u8], today: Date) -> Told<Self> {
        let (roll, catalogue) = Roll::from_bytes(roll).map_err(told)?;
        Ok(Self {
            catalogue,
            register: Register::of(roll),
            today,
            lines: Vec::new(),
            planned: None,
        })
    }

    /// Takes a file in.
    pub fn open(&mut self, file: &[u8], sheet: Option<&str>) -> Told<Json> {
        self.planned = None;
        self.lines = match sheet::read(file, sheet) {
            Ok(lines) => lines,
            Err(Unread::WhichSheet(sheets)) => {
                return Ok(json!({ "is": "sheets", "sheets": sheets }));
            }
            Err(unread) => return Err(unread.words()),
        };
        let header = suggest::header(&self.lines, self.kind()?);
        let header = header.ok_or_else(|| Unread::Empty.words())?;
        self.under(header.number)
    }

    /// The list under a row that names its columns.
    pub fn under(&self, header_row: usize) -> Told<Json> {
        let kind = self.kind()?;
        let header = self.lines.iter().find(|line| line.number == header_row);
        let header = header.ok_or_else(|| Misfit::NoHeader(header_row).words())?;
        let mapping = suggest::suggest(header, kind, self.today);
        let targets = shape::targets(kind, &self.catalogue, self.today);
        Ok(shape::headed(&self.lines, header, &mapping, targets))
    }

    /// What is to become of each row.
    pub fn plan(&mut self, mapping: &str, decisions: &str) -> Told<Json> {
        let kept: Kept = serde_json::from_str(mapping).map_err(told)?;
        let decisions: BTreeMap<String, String> = serde_json::from_str(decisions).map_err(told)?;
        let mapping = Mapping::of(kept, self.kind()?, &self.lines);
        let mapping = mapping.map_err(|misfit| misfit.words())?;
        let planner = Planner {
            catalogue: &self.catalogue,
            mapping: &mapping,
            register: &self.register,
            decisions: &decisions,
            today: self.today,
        };
        let planned = planner.plan(&self.lines);
        let plan = shape::plan(&planned, &planner.words(&self.lines), &self.register);
        self.planned = Some((mapping, planned));
        Ok(plan)
    }

    /// The clues of the last plan.
    pub fn clues(&self) -> Json {
        let (Some((mapping, planned)), Ok(kind)) = (&self.planned, self.kind()) else {
            return json!([]);
        };
        let clue = |row: &Planned| {
            let (journal, intent) = row.clue(kind, mapping, self.today)?;
            Some(json!({
                "row": row.number,
                "journal": journal.to_string(),
                "intent": shape::intent(kind, &intent),
            }))
        };
        planned.iter().filter_map(clue).collect()
    }

    /// The last plan's report, with what could not be saved after all.
    pub fn report(&self, lang: &str, not_saved: &str) -> Told<Vec<u8>> {
        let not_saved: BTreeMap<usize, Said> = serde_json::from_str(not_saved).map_err(told)?;
        let planned = self.planned.as_ref().map(|(_, planned)| planned.clone());
        let mut planned = planned.unwrap_or_default();
        for (number, Said { zh, en }) in not_saved {
            let why = Wrong::NotSaved(Label { zh, en });
            for row in planned.iter_mut().filter(|row| row.number == number) {
                row.verdict = Verdict::Bad(String::new(), why.clone());
            }
        }
        let say: fn(&Label) -> &str = match lang {
            "en" => |label| &label.en,
            _ => |label| &label.zh,
        };
        report::text(&planned, &self.register, say).map_err(told)
    }

    fn kind(&self) -> Told<&Kind> {
        self.catalogue.kind(CLUE).ok_or_else(|| both(CLUE))
    }
}

/// What never comes from a page of the same version.
fn told(error: impl ToString) -> Label {
    both(error.to_string())
}

#[cfg(test)]
mod tests {
    use sync_core::check_code;
    use sync_core::id::{DeploymentId, JournalId, RecordId};
    use sync_core::look::roll::{Household, Member, Village};

    use super::*;

    const NUMBER: &str = "11010519491231002X";
    const ZHANG: RecordId = RecordId([0x31; 16]);
    const LI: RecordId = RecordId([0x32; 16]);

    fn household(record: RecordId, householder: &str) -> Household {
        Household {
            record,
            codes: Vec::new(),
            householders: vec![householder.to_owned()],
            groups: vec!["二组".to_owned()],
        }
    }

    /// A village with two households; of a member of the first the number's check code is known.
    fn list() -> List {
        let deployment = DeploymentId([7; 16]);
        let roll = Roll {
            deployment,
            villages: vec![Village {
                journal: JournalId([2; 16]),
                name: "半子沟村".to_owned(),
                township: "吉强镇".to_owned(),
                code: "640422100201".to_owned(),
                households: vec![household(ZHANG, "张守义"), household(LI, "李桂花")],
                members: vec![Member {
                    household: ZHANG,
                    name: "张小军".to_owned(),
                    number: check_code::of_number(deployment, NUMBER),
                    born: None,
                }],
            }],
            made: Vec::new(),
        };
        let today = "2026-11-21".parse().unwrap();
        List::new(&roll.to_bytes(&Catalogue::builtin()), today).unwrap()
    }

    fn file() -> String {
        format!(
            "医保局比对清单\n行政村,姓名,身份证号,风险,序号\n半子沟村,张小军,{NUMBER},大病,1\n半子沟村,李桂花,,因学,2\n\
             半子沟村,王五,,,3\n山后村,赵六,,,4\n半子沟村,钱七,110105194912310021,,5\n半子沟村,张小军,{NUMBER},大病,1\n"
        )
    }

    fn verdicts(plan: &Json) -> Vec<(u64, &str)> {
        let rows = plan["rows"].as_array().unwrap().iter();
        rows.map(|row| (row["row"].as_u64().unwrap(), row["is"].as_str().unwrap()))
            .collect()
    }

    #[test]
    fn a_list_is_opened_planned_decided_and_told_as_intents() {
        let mut list = list();
        let opened = list.open(file().as_bytes(), None).unwrap();
        assert_eq!(opened["is"], "rows");
        assert_eq!(opened["rows"], 6);
        assert_eq!(opened["first"][1]["cells"][2], "身份证号");
        assert_eq!(opened["first"][2]["cells"][2], "110105**********2X");
        let mut mapping = opened["mapping"].clone();
        assert_eq!(mapping["header_row"], 2);
        assert_eq!(mapping["columns"]["village"], "行政村");
        assert_eq!(mapping["columns"]["id_number"], "身份证号");
        let targets = opened["targets"].as_array().unwrap();
        let risks = targets.iter().find(|one| one["name"] == "risks").unwrap();
        assert!(risks["codes"].as_array().unwrap().len() > 3);
        mapping["columns"]["risks"] = json!("风险");

        // A word that is no code is asked about, and its rows wait.
        let plan = list.plan(&mapping.to_string(), "{}").unwrap();
        assert_eq!(plan["words"], json!({ "risks": ["大病"] }));
        let waiting = [
            (3, "bad"),
            (4, "undecided"),
            (5, "undecided"),
            (6, "noVillage"),
            (7, "bad"),
        ];
        assert_eq!(verdicts(&plan), waiting);
        mapping["values"]["risks"] = json!({ "大病": "因病" });
        let plan = list.plan(&mapping.to_string(), "{}").unwrap();
        assert_eq!(plan["words"], json!({}));
        assert_eq!(verdicts(&plan), waiting[1..]);
        let candidates = &plan["rows"][0]["candidates"];
        assert_eq!(candidates[0]["record"], LI.to_string());
        assert_eq!(candidates[0]["householder"], "李桂花");
        let counts = plan["counts"].as_array().unwrap();
        let rows: u64 = counts.iter().map(|one| one["rows"].as_u64().unwrap()).sum();
        assert_eq!(rows, 6);
        assert_eq!(counts[0]["is"], "ready");

        let decided = json!({ "2": LI.to_string(), "3": "new" }).to_string();
        list.plan(&mapping.to_string(), &decided).unwrap();
        let clues = list.clues();
        assert_eq!(clues.as_array().unwrap().len(), 3);
        let first = &clues[0]["intent"];
        assert_eq!(
            (&first["do"], &first["kind"]),
            (&json!("create"), &json!(CLUE))
        );
        assert_eq!(first["values"]["household"], ZHANG.to_string());
        assert_eq!(first["values"]["received_on"], "2026-11-21");
        let ill = risks["codes"].as_array().unwrap().iter();
        let mut ill = ill.filter(|code| code["label"]["zh"] == "因病");
        assert_eq!(
            first["values"]["risks"],
            json!([ill.next().unwrap()["code"]])
        );
        assert_eq!(clues[2]["intent"]["values"]["household_as_told"], "王五");

        let why = json!({ "3": { "zh": "存储已满", "en": "full" } }).to_string();
        let report = String::from_utf8(list.report("zh", &why).unwrap()).unwrap();
        assert!(
            report.lines().nth(1).unwrap().contains("存储已满"),
            "{report}"
        );
        assert!(!report.contains(NUMBER), "{report}");
        let english = String::from_utf8(list.report("en", "{}").unwrap()).unwrap();
        assert!(english.contains("no such village"), "{english}");
    }

    #[test]
    fn what_cannot_be_read_says_why_in_both_languages() {
        let mut list = list();
        let why = list.open(b"a\0b", None).unwrap_err();
        assert!(
            why.zh.contains("XLSX") && why.en.contains("XLSX"),
            "{why:?}"
        );
        list.open(file().as_bytes(), None).unwrap();
        let missing = json!({ "source": "比对", "source_on": "2026-11-01", "columns": {} });
        let why = list.plan(&missing.to_string(), "{}").unwrap_err();
        assert!(why.en.contains("columns.village"), "{why:?}");
        assert_eq!(list.clues(), json!([]));
        assert!(list.under(99).is_err());
        assert!(List::new(b"no roll", Date(0)).is_err());
    }
}
