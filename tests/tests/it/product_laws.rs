//! Zhucun helps people do their work and never watches them do it. These tests fail when a route, a column, a field, a label or a
//! metric appears that checks in, tracks, scores, ranks or counts a person.

use tests::house::{files, list, read, sources};

/// Words of names, split at underscores, hyphens, slashes and capitals, that no surface may have.
const WATCHING: &[&str] = &[
    "attendance",
    "checkin",
    "checkins",
    "clockin",
    "geofence",
    "gps",
    "leaderboard",
    "leaderboards",
    "league",
    "points",
    "punch",
    "rank",
    "ranking",
    "rankings",
    "ranks",
    "score",
    "scores",
    "streak",
    "streaks",
    "track",
    "tracks",
    "trajectory",
    "trajectories",
];

/// Neighbouring words that no surface may have.
const WATCHING_PAIRS: &[[&str; 2]] = &[
    ["check", "in"],
    ["check", "ins"],
    ["clock", "in"],
    ["last", "active"],
    ["last", "login"],
    ["last", "online"],
    ["last", "seen"],
    ["login", "count"],
    ["online", "hours"],
    ["online", "minutes"],
    ["online", "time"],
    ["sign", "ins"],
    ["time", "online"],
    ["work", "hours"],
];

/// The same, as people would read it.
const WATCHING_ZH: &[&str] = &[
    "打卡",
    "签到",
    "轨迹",
    "积分",
    "排名",
    "排行",
    "在线时长",
    "登录次数",
    "考勤",
    "工作量",
    "活跃度",
    "人均",
];

const PERSONS: &[&str] = &[
    "account", "assignee", "author", "device", "member", "people", "person", "user", "users",
    "worker", "workers",
];
const COUNTS: &[&str] = &[
    "average", "avg", "count", "counts", "number", "sum", "tally", "total", "totals",
];

fn words(name: &str) -> Vec<String> {
    let mut spaced = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            spaced.push(' ');
        }
        spaced.push(if character.is_alphanumeric() {
            character.to_ascii_lowercase()
        } else {
            ' '
        });
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Why a name may not stand on a surface, if it may not.
fn watches(name: &str) -> Option<String> {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let alone = words
        .iter()
        .find(|word| WATCHING.contains(word))
        .map(|word| (*word).to_owned());
    let pair = || {
        let found = words
            .windows(2)
            .find(|pair| WATCHING_PAIRS.iter().any(|banned| banned == pair));
        found.map(|pair| pair.join(" "))
    };
    let chinese = || {
        WATCHING_ZH
            .iter()
            .find(|word| name.contains(*word))
            .map(|word| (*word).to_owned())
    };
    let per_person = || {
        let ends_so = words.windows(2).any(|pair| match pair {
            [per, who] => (*per == "per" || *per == "by") && PERSONS.contains(who),
            _ => false,
        });
        let is_count = words.iter().any(|word| COUNTS.contains(word));
        let counted = words.windows(2).any(|pair| match pair {
            [who, count] => PERSONS.contains(who) && COUNTS.contains(count),
            _ => false,
        });
        ((ends_so && is_count) || counted || words.starts_with(&["per"]) && ends_so)
            .then(|| "a count per person".to_owned())
    };
    alone.or_else(pair).or_else(chinese).or_else(per_person)
}

#[track_caller]
fn check_names(surface: &str, names: &[String]) {
    assert!(!names.is_empty(), "names of {surface} were read");
    let found: Vec<String> = names
        .iter()
        .filter_map(|name| watches(name).map(|why| format!("{name} ({why})")))
        .collect();
    assert!(
        found.is_empty(),
        "{surface} must not watch people:\n  {}",
        found.join("\n  ")
    );
}

#[test]
fn no_operation_parameter_or_field_of_the_interface_watches_people() {
    let api = server::routes::description()
        .to_json()
        .expect("the description can be written");
    let api: serde_json::Value = serde_json::from_str(&api).expect("the description is JSON");
    let mut names = Vec::new();
    collect_names(&api, &mut names);
    assert!(
        names.iter().any(|name| name.starts_with('/')),
        "paths were read"
    );
    check_names("the interface", &names);
}

/// Every key of a JSON document, and every value that is a name.
fn collect_names(value: &serde_json::Value, names: &mut Vec<String>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        names.push(key.clone());
        if ["name", "operationId", "enum", "const"].contains(&key.as_str()) {
            names.extend(inner.as_str().map(str::to_owned));
            names.extend(list(inner).filter_map(|item| item.as_str().map(str::to_owned)));
        }
        collect_names(inner, names);
    }
    list(value).for_each(|item| collect_names(item, names));
}

#[test]
fn no_table_or_column_watches_people() {
    let mut names = Vec::new();
    for path in files()
        .into_iter()
        .filter(|path| path.starts_with("migrations/") && path.ends_with(".sql"))
    {
        let text = read(&path).unwrap_or_default();
        let code = text
            .lines()
            .map(|line| line.split("--").next().unwrap_or_default());
        names.extend(
            code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
        );
    }
    check_names("the database", &names);
}

#[test]
fn no_kind_field_action_or_label_of_the_catalogue_watches_people() {
    let mut names = Vec::new();
    for path in files()
        .into_iter()
        .filter(|path| path.starts_with("catalog/") && path.ends_with(".toml"))
    {
        let text = read(&path).unwrap_or_default();
        let table: toml::Table = text.parse().expect("a catalogue file is TOML");
        collect_catalogue(&toml::Value::Table(table), &mut names);
    }
    check_names("the catalogue", &names);
}

fn collect_catalogue(value: &toml::Value, names: &mut Vec<String>) {
    match value {
        toml::Value::String(text) => names.push(text.clone()),
        toml::Value::Array(items) => items.iter().for_each(|item| collect_catalogue(item, names)),
        toml::Value::Table(table) => {
            for (key, inner) in table {
                names.push(key.clone());
                collect_catalogue(inner, names);
            }
        }
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => {}
    }
}

/// Labels that would make any metric a count per person.
const PERSONAL_LABELS: &[&str] = &[
    "\"account\"",
    "\"author\"",
    "\"device\"",
    "\"person\"",
    "\"user\"",
    "\"user_id\"",
    "\"user_name\"",
    "\"device_id\"",
];

#[test]
fn no_metric_watches_people() {
    let mut names = Vec::new();
    for (path, code) in sources("server") {
        let measures = [
            "metrics::counter!",
            "metrics::gauge!",
            "metrics::histogram!",
            "counter!(",
            "gauge!(",
            "histogram!(",
        ];
        if !measures.iter().any(|word| code.contains(word)) {
            continue;
        }
        let literals: Vec<&str> = code.split('"').skip(1).step_by(2).collect();
        names.extend(
            literals
                .iter()
                .filter(|text| text.starts_with("zhucun_"))
                .map(|text| (*text).to_owned()),
        );
        let label = PERSONAL_LABELS.iter().find(|label| code.contains(*label));
        assert_eq!(
            label, None,
            "{path} measures, and names a person or a device"
        );
    }
    check_names("the metrics", &names);
}

#[test]
fn what_watches_people_is_recognised() {
    for name in [
        "/v1/check-in",
        "checkIn",
        "gps_track",
        "user_score",
        "visits_per_user_count",
        "author_count",
        "users_total",
        "last_login_at",
        "LastSeen",
        "online_time_seconds",
        "/v1/leaderboard",
        "驻村打卡",
        "走访排名",
        "average_by_worker",
    ] {
        assert!(watches(name).is_some(), "{name}");
    }
    for name in [
        "visit",
        "received_at",
        "/v1/checkpoint",
        "checked",
        "author",
        "by_area",
        "entries_total",
        "state",
        "签收",
        "user_id",
        "inn",
        "sign_in",
        "clock",
        "tracking_cursor_is_not_a_word_here",
        "device_id",
        "record_count",
    ] {
        assert_eq!(watches(name), None, "{name}");
    }
}
