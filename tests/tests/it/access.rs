//! The policy as people read it: `docs/access.txt`, printed from the catalogue and the functions that decide. `cargo xtask prepare`
//! writes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::expect_file;
use server::journals::pull::Scope;
use server::reading::{Sight, sight};
use sync_core::area::Level;
use sync_core::catalog::{
    Capability, Catalogue, Field, Kind, Label, Permit, Relation, Role, Written, audience_name,
};
use sync_core::command::Audience;
use sync_core::principal::{Operation, allows};

const HEAD: &str = "\
谁可以做什么  Who may do what

本表由规则文件 catalog/ 与实际判定的程序生成，不是另写的说明。每一项都只在本人任职的区域及其下属区域之内有效；
区域之外不能看、不能做，也看不出有没有。任职结束之后同样如此。
This table is printed from the files in catalog/ and from the code that decides; it is no description beside them. Every cell holds
within the area of a person's office and all that lies in it; outside, nothing is seen or done, and nothing shows whether there is
anything. The same holds once an assignment has ended.

写  To write:
  ✔   可以  may
  ·   不可以  may not
  1…  仅在该数字所注的情形下可以  may if what the number stands for, below the table, is so
      （1,2 有其一即可；1+2 须同时满足  1,2: either; 1+2: both）
读  To read:
  ✔   可以看全文  whole
  m   只能看脱敏后的内容；自己同步的手机上存有原文  masked; a phone that he syncs holds the whole value
  p   只在自己同步的手机上可以看  on his own synced phone only
  r   每次须说明用途并登记后才可以看  one value at a time, for a stated purpose, entered in the access journal
  ·   看不到  not at all
";

/// How many columns a text takes: a Chinese character takes two.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| if c >= '\u{2E80}' { 2 } else { 1 })
        .sum()
}

fn padded(text: &str, columns: usize) -> String {
    let padding = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(padding))
}

fn named(label: &Label) -> String {
    format!("{}  {}", label.zh, label.en)
}

/// A table with a column for each role.
struct Grid<'a> {
    roles: Vec<&'a Role>,
    rows: Vec<(String, Vec<String>)>,
    notes: Vec<String>,
}

impl<'a> Grid<'a> {
    fn new(catalogue: &'a Catalogue) -> Self {
        Self {
            roles: catalogue.roles().collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn row(&mut self, title: String, mut cell: impl FnMut(&Role, &mut Vec<String>) -> String) {
        let notes = &mut self.notes;
        let cells = self.roles.iter().map(|role| cell(role, notes)).collect();
        self.rows.push((title, cells));
    }

    /// Says once what holds for every row.
    fn shorten(&mut self, title: &str) {
        if self.rows.iter().all(|(_, cells)| *cells == self.rows[0].1) {
            self.rows.truncate(1);
            title.clone_into(&mut self.rows[0].0);
        }
    }

    fn print(&self) -> String {
        let titles = self.rows.iter().map(|(title, _)| width(title));
        let first = titles.max().unwrap_or(0) + 2;
        let mut text = padded("", first);
        for role in &self.roles {
            text += &padded(&role.code, 5);
        }
        text = text.trim_end().to_owned() + "\n";
        for (title, cells) in &self.rows {
            let mut line = padded(title, first);
            for cell in cells {
                line += &padded(cell, 5);
            }
            text += line.trim_end();
            text += "\n";
        }
        for (at, note) in self.notes.iter().enumerate() {
            writeln!(text, "  {}  {note}", at + 1).expect("a string takes all that is written");
        }
        text
    }
}

/// The number of a note.
fn noted(notes: &mut Vec<String>, note: String) -> String {
    let at = notes.iter().position(|known| *known == note);
    let at = at.unwrap_or_else(|| {
        notes.push(note);
        notes.len() - 1
    });
    (at + 1).to_string()
}

/// How somebody must stand to a record, in words.
fn in_words(kind: &Kind, relation: &Relation) -> String {
    let field = |name: &str| {
        let field = kind.field(name).expect("a relation names a field");
        (field.label.zh.clone(), field.label.en.clone())
    };
    match relation {
        Relation::Author => "记录由本人建立  he created the record".to_owned(),
        Relation::Issuer => {
            "记录由本人或本单位同一角色建立  his office created the record".to_owned()
        }
        Relation::In(name) => {
            let (zh, en) = field(name);
            format!("本人列于「{zh}」  he is named in: {en}")
        }
        Relation::AuthorOf(name) => {
            let (zh, en) = field(name);
            format!("「{zh}」所指的记录由本人建立  he created what this names: {en}")
        }
    }
}

fn written(
    catalogue: &Catalogue,
    kind: &Kind,
    role: &Role,
    operation: &Operation<'_>,
    notes: &mut Vec<String>,
) -> String {
    match allows(catalogue, kind, &role.code, operation) {
        Permit::No => "·".to_owned(),
        Permit::Yes => "✔".to_owned(),
        Permit::If(relations) => {
            let words: BTreeSet<String> = relations
                .into_iter()
                .map(|relation| in_words(kind, relation))
                .collect();
            let numbers: Vec<String> = words.into_iter().map(|words| noted(notes, words)).collect();
            numbers.join(",")
        }
    }
}

/// What a role sees of a field of a record that is open to `record`.
fn read(
    catalogue: &Catalogue,
    kind: &Kind,
    field: &Field,
    record: Audience,
    role: &Role,
) -> &'static str {
    let reads = role.can(Capability::ReadRecords);
    let audiences = Audience::ALL
        .into_iter()
        .filter(|audience| reads && role.reads(*audience))
        .collect();
    let scope = Scope {
        audiences,
        refused: false,
    };
    let audience = kind.audience_of(field, record);
    match sight(Some(kind), &field.name, record, &scope) {
        Sight::Whole => "✔",
        Sight::Masked(_) => "m",
        Sight::Withheld if role.can(Capability::Sync) && role.reads(audience) => "p",
        Sight::Withheld if !role.can(Capability::Reveal) => "·",
        // What is the team's alone is revealed to nobody else.
        Sight::Withheld
            if [record, audience].contains(&Audience::Team) && !role.reads(Audience::Team) =>
        {
            "·"
        }
        Sight::Withheld => {
            let reveal = allows(catalogue, kind, &role.code, &Operation::Reveal);
            assert_eq!(reveal, Permit::Yes, "{}", role.code);
            "r"
        }
    }
}

fn who_writes(catalogue: &Catalogue, kind: &Kind) -> String {
    let mut grid = Grid::new(catalogue);
    let states = kind.states.iter().filter(|state| state.initial);
    for state in states {
        let title = format!("新建为「{}」  create as {}", state.label.zh, state.label.en);
        grid.row(title, |role, _| {
            let creates = allows(catalogue, kind, &role.code, &Operation::Create) == Permit::Yes;
            let is_here = kind
                .may_create(&role.code)
                .is_some_and(|begun| begun.name == state.name);
            if creates && is_here { "✔" } else { "·" }.to_owned()
        });
    }
    let fields = kind.fields.iter();
    for field in
        fields.filter(|field| field.written == Written::Always && !field.derived && !field.retired)
    {
        let title = format!("填写「{}」  set {}", field.label.zh, field.label.en);
        let operation = Operation::Set(&field.name);
        grid.row(title, |role, notes| {
            written(catalogue, kind, role, &operation, notes)
        });
    }
    for action in kind.actions.iter().filter(|action| !action.retired) {
        let title = format!("动作「{}」  action {}", action.label.zh, action.label.en);
        let operation = Operation::Act(&action.name);
        grid.row(title, |role, notes| {
            let mut cell = written(catalogue, kind, role, &operation, notes);
            if let Some(other) = &action.not_same_person_as
                && cell != "·"
            {
                let other = kind.action(other).expect("a declared action");
                let note = format!(
                    "不得与「{}」为同一人  not whoever did: {}",
                    other.label.zh, other.label.en
                );
                cell = format!("{cell}+{}", noted(notes, note)).replace("✔+", "");
            }
            cell
        });
    }
    let verbs = [
        ("更正（存档后）  amend what is filed", Operation::Amend),
        ("作废  void", Operation::Void),
        ("依法删除内容  erase, as the law requires", Operation::Erase),
    ];
    for (title, operation) in verbs {
        grid.row(title.to_owned(), |role, notes| {
            written(catalogue, kind, role, &operation, notes)
        });
    }
    grid.print()
}

/// One table for each audience that a record of the kind can be open to, if it makes a difference.
fn who_reads(catalogue: &Catalogue, kind: &Kind) -> String {
    let mut text = String::new();
    for record in &kind.audiences {
        let mut grid = Grid::new(catalogue);
        for field in kind.fields.iter().filter(|field| !field.retired) {
            grid.row(named(&field.label), |role, _| {
                read(catalogue, kind, field, *record, role).to_owned()
            });
        }
        grid.shorten("各项均为  every field");
        let (zh, en) = audience(*record);
        write!(
            text,
            "\n读：可见范围为「{zh}」的记录  To read, of a record for {en}:\n{}",
            grid.print()
        )
        .expect("a string takes all that is written");
    }
    text
}

fn audience(audience: Audience) -> (&'static str, &'static str) {
    match audience {
        Audience::Village => ("本村", "the village"),
        Audience::Team => ("工作队", "the team"),
        Audience::County => ("县乡", "county and township"),
        Audience::Sensitive => ("敏感", "the village's own phones"),
    }
}

fn capability(capability: Capability) -> (&'static str, &'static str) {
    match capability {
        Capability::Sync => ("用手机同步", "sync a phone"),
        Capability::ReadRecords => ("查阅记录", "read records"),
        Capability::ReadRefused => ("查看被拒收的内容", "read what was refused"),
        Capability::ReadAggregates => ("查看汇总数字", "read figures"),
        Capability::Audit => ("抽样审计", "draw samples and audit bundles"),
        Capability::Export => ("导出清单", "export lists"),
        Capability::Reveal => ("说明用途后查看敏感内容", "reveal, for a stated purpose"),
        Capability::RevealSent => (
            "说明用途后查看派给本人的记录",
            "the same of records sent to him",
        ),
        Capability::Erase => ("依法删除内容", "erase, as the law requires"),
        Capability::ClearFlags => ("解除标记", "clear marks"),
        Capability::ManageAccounts => ("管理账户", "manage accounts"),
        Capability::ManageGrants => ("管理任职", "manage assignments"),
        Capability::ManageDevices => ("管理设备", "manage devices"),
        Capability::ImportAreas => ("导入区划", "import areas"),
        Capability::PublishCatalogue => ("发布目录", "publish catalogues"),
        Capability::ReadAuditLog => ("查看访问日志", "read the access journals"),
        Capability::VerifyLog => ("核验日志", "verify journals and checkpoints"),
    }
}

fn at_level(level: Level) -> String {
    let zh = match level {
        Level::Province => "省",
        Level::City => "市",
        Level::County => "县",
        Level::Township => "乡镇",
        Level::Village => "村",
    };
    format!("{zh} {}", level.name())
}

fn roles(catalogue: &Catalogue) -> String {
    let mut text = String::from(
        "\n== 角色与任职层级  Roles, and for which levels of areas they are assigned\n\n",
    );
    let mut grid = Grid::new(catalogue);
    for role in catalogue.roles() {
        let levels: Vec<String> = role.levels.iter().map(|level| at_level(*level)).collect();
        let title = format!("{}  {}", role.label.zh, role.label.en);
        writeln!(
            text,
            "{} {} {}",
            padded(&role.code, 4),
            padded(&title, 36),
            levels.join(", ")
        )
        .expect("a string takes all that is written");
        grid.row(format!("{}  {}", role.code, role.label.zh), |other, _| {
            if role.code == other.code {
                ""
            } else if role.excludes(other) {
                "·"
            } else {
                "✔"
            }
            .to_owned()
        });
    }
    text += "\n可否同时兼任  Who may hold both\n";
    text += &grid.print();
    let mut grid = Grid::new(catalogue);
    for (_, able) in Capability::NAMES {
        let (zh, en) = capability(able);
        grid.row(format!("{zh}  {en}"), |role, _| {
            if role.can(able) { "✔" } else { "·" }.to_owned()
        });
    }
    text += "\n能力  What else a role may\n";
    text += &grid.print();
    let mut grid = Grid::new(catalogue);
    for wide in Audience::ALL {
        let (zh, en) = audience(wide);
        grid.row(
            format!("{zh}  {en} ({})", audience_name(wide)),
            |role, _| if role.reads(wide) { "✔" } else { "·" }.to_owned(),
        );
    }
    text += "\n收到哪些可见范围的内容  What a role reads of what is for\n";
    text + &grid.print()
}

fn table(catalogue: &Catalogue) -> String {
    let mut text = HEAD.to_owned();
    text += &roles(catalogue);
    for kind in catalogue.kinds().filter(|kind| !kind.retired) {
        write!(
            text,
            "\n== {}\n\n写  To write:\n{}{}",
            named(&kind.label),
            who_writes(catalogue, kind),
            who_reads(catalogue, kind)
        )
        .expect("a string takes all that is written");
    }
    text
}

#[test]
fn the_access_table_is_as_committed() {
    let catalogue = Catalogue::builtin();
    expect_file!["../../../docs/access.txt"].assert_eq(&table(&catalogue));
}
