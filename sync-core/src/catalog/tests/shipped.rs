//! What the shipped files say, where it matters.

use super::*;
use crate::command::Audience;

#[test]
fn the_shipped_files_make_a_catalogue() {
    let catalogue = shipped();
    let kinds: Vec<&str> = catalogue.kinds().map(|kind| kind.name.as_str()).collect();
    let loop_kinds = [
        "care_plan",
        "case",
        "clue",
        "issue",
        "measure",
        "need",
        "notice",
    ];
    let others = [
        "diary",
        "household",
        "leave",
        "month",
        "person",
        "review",
        "task",
        "visit",
    ];
    let mut expected = [&loop_kinds[..], &others].concat();
    expected.sort_unstable();
    assert_eq!(kinds, expected);
    let profiles: Vec<&str> = catalogue
        .profiles()
        .map(|profile| profile.name.as_str())
        .collect();
    assert_eq!(
        profiles,
        ["default", "gansu", "hainan", "linzhou", "ningxia"]
    );
    assert_eq!(*catalogue, Catalogue::builtin());
}

#[test]
fn every_file_of_the_folder_is_shipped() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending != "md") {
                found.push(
                    path.strip_prefix(&root)
                        .unwrap()
                        .to_string_lossy()
                        .replace('\\', "/"),
                );
            }
        }
    }
    found.sort();
    let shipped: Vec<String> = shipped()
        .files()
        .iter()
        .map(|file| file.name.clone())
        .collect();
    assert_eq!(found, shipped);
}

#[test]
fn line_endings_and_the_order_of_files_change_nothing() {
    let mut files = builtin::files();
    files.reverse();
    for file in &mut files {
        file.text = format!("\u{feff}{}", file.text.replace('\n', "\r\n"));
    }
    assert_eq!(Catalogue::parse(&files).unwrap(), *shipped());
}

#[test]
fn any_other_content_has_another_digest() {
    let other = Catalogue::parse(&edited("kinds/visit.toml", "max = 1440", "max = 1439")).unwrap();
    assert_ne!(other.digest(), shipped().digest());
    let moved =
        Catalogue::parse(&edited("kinds/visit.toml", "# 走访: one", "# 走访 : one")).unwrap();
    assert_ne!(moved.digest(), shipped().digest());
}

#[test]
fn the_paper_named_by_a_measure_is_known() {
    let catalogue = shipped();
    assert_eq!(catalogue.measures().count(), 109);
    assert_eq!(
        catalogue
            .measures()
            .filter(|measure| !measure.lead_agencies.is_empty())
            .count(),
        76
    );
    let measure = catalogue.measure("S2/二（九）").unwrap();
    assert_eq!(
        measure.document_number.as_deref(),
        Some("宁乡振发〔2021〕26号")
    );
    assert_eq!(
        measure.lead_agencies.first().map(String::as_str),
        Some("自治区教育厅")
    );
    assert!(measure.in_force("2025-12-31".parse().unwrap()));
    assert!(!measure.in_force("2026-01-01".parse().unwrap()));
    assert!(!measure.in_force("2021-09-02".parse().unwrap()));
}

#[test]
fn nobody_holds_two_of_the_administrators_roles_or_one_beside_the_work() {
    let catalogue = shipped();
    for (one, other, both) in [
        ("SYS", "SEC", false),
        ("SEC", "AUD", false),
        ("SYS", "AUD", false),
        ("SYS", "FS", false),
        ("PA", "CS", false),
        ("PA", "AUD", false),
        ("FS", "TM", true),
        ("CS", "DP", true),
        ("FS", "XX", false),
    ] {
        assert_eq!(
            catalogue.may_hold_both(one, other),
            both,
            "{one} and {other}"
        );
        assert_eq!(
            catalogue.may_hold_both(other, one),
            both,
            "{other} and {one}"
        );
    }
    assert!(
        catalogue
            .roles()
            .all(|role| catalogue.may_hold_both(&role.code, &role.code))
    );
}

#[test]
fn administrators_write_and_read_no_records() {
    let catalogue = shipped();
    for role in catalogue
        .roles()
        .filter(|role| role.side == Side::Administration)
    {
        assert!(
            role.audiences.is_empty() && !role.can(Capability::ReadRecords),
            "{}",
            role.code
        );
        for kind in catalogue.kinds() {
            assert!(kind.may_create(&role.code).is_none());
            assert!(
                kind.fields
                    .iter()
                    .all(|field| kind.may_set(&role.code, &field.name) == Permit::No)
            );
            assert!(
                kind.actions
                    .iter()
                    .all(|action| kind.may_act(&role.code, &action.name) == Permit::No)
            );
        }
    }
    assert!(
        !catalogue.role("SYS").unwrap().can(Capability::ManageGrants),
        "SYS cannot grant"
    );
    assert!(
        !catalogue
            .role("SEC")
            .unwrap()
            .can(Capability::ManageAccounts),
        "SEC cannot create accounts"
    );
}

#[test]
fn the_auditor_comments_and_changes_nothing() {
    let catalogue = shipped();
    for kind in catalogue.kinds() {
        let comments = kind.name == "review";
        assert_eq!(kind.may_create("PA").is_some(), comments, "{}", kind.name);
        assert!(
            kind.fields
                .iter()
                .all(|field| kind.may_set("PA", &field.name) == Permit::No)
        );
        assert!(
            comments
                || kind
                    .actions
                    .iter()
                    .all(|action| kind.may_act("PA", &action.name) == Permit::No)
        );
    }
}

#[test]
fn what_the_law_calls_sensitive_stays_on_the_villages_phones() {
    let catalogue = shipped();
    for (kind, fields) in [
        (
            "person",
            vec![
                "id_number",
                "born",
                "health",
                "illness",
                "disability_card",
                "care_tags",
            ],
        ),
        (
            "visit",
            vec!["illness", "contact", "location", "photos", "voice"],
        ),
    ] {
        for field in fields {
            let field = catalogue.kind(kind).unwrap().field(field).unwrap();
            assert_eq!(field.audience, Some(Audience::Sensitive), "{}", field.name);
            assert!(field.mask.is_some(), "{}", field.name);
        }
    }
    // Of a child under fourteen everything is.
    assert!(
        catalogue
            .kind("person")
            .unwrap()
            .audiences
            .contains(&Audience::Sensitive)
    );
    for role in catalogue.roles() {
        let phone_of_the_village = ["FS", "TM", "VC"].contains(&role.code.as_str());
        assert_eq!(
            role.reads(Audience::Sensitive),
            phone_of_the_village,
            "{}",
            role.code
        );
    }
}

#[test]
fn photos_places_and_voice_are_never_required() {
    for kind in shipped().kinds() {
        for field in &kind.fields {
            let optional = matches!(
                field.ty,
                FieldType::Blob | FieldType::Blobs { .. } | FieldType::Location
            );
            assert!(
                !optional || (field.required == Required::No && field.required_when.is_none()),
                "{}",
                field.name
            );
        }
    }
}

#[test]
fn a_task_begins_where_its_maker_stands() {
    let catalogue = shipped();
    let task = catalogue.kind("task").unwrap();
    for (role, state) in [
        ("TW", Some("issued")),
        ("CS", Some("issued")),
        ("FS", Some("in_progress")),
        ("TM", Some("in_progress")),
    ] {
        assert_eq!(
            task.may_create(role).map(|state| state.name.as_str()),
            state
        );
    }
    assert!(task.may_create("VC").is_none());
    assert!(
        task.may_act("TW", "finish") == Permit::No,
        "what was issued is accepted by its issuer, not finished by him"
    );
    assert!(
        task.may_act("FS", "accept")
            .holds(|relation| *relation == Relation::Issuer)
    );
    assert!(
        !task
            .may_act("FS", "accept")
            .holds(|relation| *relation == Relation::In("assignees".into()))
    );
}

#[test]
fn a_filed_visit_is_amended_by_its_author_alone() {
    let catalogue = shipped();
    let visit = catalogue.kind("visit").unwrap();
    let filed = visit.state("filed").unwrap();
    assert!(
        visit
            .fields
            .iter()
            .all(|field| visit.is_closed_in(field, filed))
    );
    assert_eq!(visit.may_amend("FS"), Permit::If(vec![&Relation::Author]));
    assert_eq!(visit.may_amend("VC"), Permit::No);
    assert_eq!(visit.may_set("TM", "note"), Permit::Yes);
}

#[test]
fn nobody_sets_what_is_derived_retired_or_written_by_actions() {
    for (more, open) in [
        ("", true),
        ("derived = true", false),
        ("retired = true", false),
    ] {
        let declared = format!("[fields.weather]\n{more}\n");
        let files = edited("kinds/visit.toml", "[fields.weather]\n", &declared);
        let catalogue = Catalogue::parse(&files).unwrap();
        let visit = catalogue.kind("visit").unwrap();
        assert_eq!(visit.set_by("weather").is_some(), open, "{more}");
        let weather = visit.field("weather").unwrap();
        assert_eq!(visit.may_be_amended(weather), open, "{more}");
    }
    let household = shipped().kind("household").unwrap();
    assert_eq!(household.set_by("merged_into"), None);
}

#[test]
fn masks_show_no_more_than_they_say() {
    for (mask, text, shown) in [
        (Mask::Name, "张三丰", "张**"),
        (Mask::Name, "张", "*"),
        (Mask::Phone, "13812345678", "138****5678"),
        (Mask::Phone, "5678", "****"),
        (Mask::IdNumber, "640422199001011234", "640422**********34"),
        (Mask::Year, "1990-01-31", "1990******"),
        (Mask::All, "高血压", "***"),
    ] {
        assert_eq!(mask.apply(text), shown);
    }
}

#[test]
fn a_version_follows_another_only_if_nothing_is_lost() {
    let older = shipped();
    let later = |file: &str, from: &str, to: &str| {
        let mut files = edited(file, from, to);
        let header = files
            .iter_mut()
            .find(|file| file.name == "catalogue.toml")
            .unwrap();
        header.text = header.text.replace("version = 1", "version = 2");
        Catalogue::parse(&files).unwrap_or_else(|mistakes| panic!("{}", listed(&mistakes)))
    };
    let obstacles = |now: &Catalogue| now.succeeds(older).err().unwrap_or_default();
    assert_eq!(obstacles(older), ["its version 1 is not larger than 1"]);
    assert_eq!(
        later("kinds/visit.toml", "max = 1440", "max = 600").succeeds(older),
        Ok(())
    );
    assert_eq!(
        obstacles(&later(
            "kinds/visit.toml",
            "[fields.weather]",
            "[fields.sky]"
        )),
        ["the field of `visit` `weather` is gone"]
    );
    assert_eq!(
        obstacles(&later(
            "kinds/visit.toml",
            "type = \"int\"\nmax = 1440",
            "type = \"decimal\"\nmax = 1440"
        )),
        ["the field `minutes` of `visit` was of type int and is of another decimal"]
    );
    assert_eq!(
        obstacles(&later(
            "categories/visit.toml",
            "wechat = {",
            "messenger = {"
        )),
        ["the code of `visit_method` `wechat` is gone"]
    );
    assert_eq!(
        obstacles(&later("policy-measures.csv", "S0,二（一）", "S0,二（零）")),
        ["the policy measure `S0/二（一）` is gone"]
    );
}

#[test]
fn the_example_in_the_readme_uses_keys_that_exist() {
    let readme = include_str!("../../../../catalog/README.md");
    let example = readme
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    // Optional keys stand in comments, some with alternatives: the first is taken.
    let key = |line: &str| {
        let optional = line.strip_prefix("# ").unwrap_or(line);
        optional
            .split(" | ")
            .next()
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    };
    let text: String = example.lines().map(|line| key(line) + "\n").collect();
    let file = SourceFile {
        name: "kinds/visit.toml".to_owned(),
        text,
    };
    let mistakes = Catalogue::parse(&[file]).unwrap_err();
    let unknown = |mistake: &&Mistake| {
        mistake.message.contains("knows no") || mistake.message.contains("not TOML")
    };
    assert_eq!(
        listed(&mistakes.iter().filter(unknown).cloned().collect::<Vec<_>>()),
        ""
    );
}

#[test]
fn capabilities_offices_audiences_and_classes_go_by_their_stable_names() {
    for (name, capability) in Capability::NAMES {
        assert_eq!(capability.name(), name);
    }
    for (name, office) in Office::NAMES {
        assert_eq!(office.name(), name);
    }
    let audiences = Audience::ALL.map(audience_name);
    assert_eq!(audiences, ["village", "team", "county", "sensitive"]);
    let classes = [Class::Testimony, Class::Register, Class::Process];
    let classes = classes.map(Class::name);
    assert_eq!(classes, ["testimony", "register", "process"]);
}

#[test]
fn an_audience_is_widened_to_those_and_no_others() {
    let wider = |from: Audience| {
        let all = Audience::ALL.into_iter();
        all.filter(|to| widens(from, *to)).collect::<Vec<_>>()
    };
    let both = vec![Audience::Village, Audience::County];
    assert_eq!(wider(Audience::Village), []);
    assert_eq!(wider(Audience::Team), both);
    assert_eq!(wider(Audience::County), [Audience::Village]);
    assert_eq!(wider(Audience::Sensitive), both);
}

#[test]
fn roles_of_two_sides_and_any_two_of_administration_exclude_each_other() {
    let role = |code| shipped().role(code).expect("the role is shipped");
    let excludes = |one, other| role(one).excludes(role(other));
    for (one, other) in [
        ("FS", "PA"),
        ("PA", "CS"),
        ("FS", "SYS"),
        ("SYS", "SEC"),
        ("AUD", "SEC"),
    ] {
        assert!(
            excludes(one, other) && excludes(other, one),
            "{one} and {other}"
        );
    }
    for (one, other) in [("FS", "TM"), ("FS", "FS"), ("SYS", "SYS"), ("TW", "CS")] {
        assert!(!excludes(one, other), "{one} and {other}");
    }
}

#[test]
fn a_role_can_and_reads_what_its_file_says() {
    let role = |code| shipped().role(code).expect("the role is shipped");
    assert!(role("CS").can(Capability::Erase) && !role("FS").can(Capability::Erase));
    assert!(role("FS").can(Capability::ReadRefused) && !role("TM").can(Capability::ReadRefused));
    assert!(role("FS").reads(Audience::Sensitive) && !role("CS").reads(Audience::Sensitive));
    assert!(role("TM").reads(Audience::Team) && !role("VC").reads(Audience::Team));
}

#[test]
fn a_place_has_the_profile_that_names_the_most_of_its_code() {
    let mut files = builtin::files();
    for file in &mut files {
        if file.name == "profiles/hainan.toml" {
            file.text = file.text.replace("\"46\"", "\"46\", \"6204\"");
        }
    }
    let catalogue = Catalogue::parse(&files).unwrap();
    let of = |code: &str| {
        let code = code.parse().unwrap();
        catalogue.profile_of(Some(code)).name.as_str()
    };
    assert_eq!(of("640422100203"), "ningxia");
    assert_eq!(of("410581100203"), "linzhou");
    assert_eq!(of("410582100203"), "default");
    assert_eq!(of("620102100203"), "gansu");
    assert_eq!(of("620402100203"), "hainan");
    assert_eq!(catalogue.profile_of(None).name, "default");
}
