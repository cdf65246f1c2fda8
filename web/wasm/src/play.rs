//! Whole days of random commands on several phones, by the calls that the screens make: what they add up to must be the same wherever
//! the core runs. For tests; the module that ships does not have it.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json, json};
use sync_core::cbor;
use sync_core::id::{JournalId, Timestamp, UserId, sha256};
use sync_core::safe::VAULT;
use sync_core::sync::device::World;
use sync_core::sync::wire::SyncRequest;
use sync_core::testing::{Host, TestRng};
use wasm_bindgen::prelude::*;

use crate::phone::{Change, Phone, Told};

/// Commands of one village: beyond that, another one begins, as each command looks at all records before it and a long day takes more
/// than twice as long as two short ones.
const COMMANDS_OF_A_VILLAGE: u32 = 250;
const PIN: &str = "258046";
const WORDS: [&str; 8] = [
    "水",
    "墙体有裂缝。",
    "二组",
    "a b",
    "👨‍👩‍👧",
    "\n",
    "已办",
    "é𠀀",
];

/// What days of random commands add up to, as lines of text.
#[wasm_bindgen]
pub fn play(seed: u32, commands: u32) -> String {
    let villages = commands.div_ceil(COMMANDS_OF_A_VILLAGE);
    let village = |at: u32| {
        let left = commands - at * COMMANDS_OF_A_VILLAGE;
        let mut day = Day::new(u64::from(seed) + u64::from(at));
        day.play(left.min(COMMANDS_OF_A_VILLAGE));
        format!("village {at}\n{}", day.portrait())
    };
    (0..villages).map(village).collect()
}

struct Player {
    phone: Phone,
    user: UserId,
    secret: [u8; 32],
    stored: BTreeMap<String, Vec<u8>>,
    rng: TestRng,
    forms: Vec<(u64, Json)>,
}

impl Player {
    fn keep(&mut self, change: &Change) {
        for (name, value) in &change.stored {
            match value {
                Some(value) => self.stored.insert(name.clone(), value.clone()),
                None => self.stored.remove(name),
            };
        }
    }

    fn change(
        &mut self,
        now: Timestamp,
        run: impl FnOnce(&mut Phone, &mut World<'_>) -> Told<Change>,
    ) -> Told<Change> {
        let mut world = World {
            now,
            rng: &mut self.rng,
        };
        let change = run(&mut self.phone, &mut world)?;
        self.keep(&change);
        Ok(change)
    }

    /// Loses everything but what is stored.
    fn restart(&mut self, now: Timestamp) {
        let state = self.stored.get(VAULT).cloned();
        self.phone = Phone::new(self.secret, state.as_deref()).expect("it reads its vault");
        let mut must = |run: fn(&mut Phone) -> Told<Change>| {
            self.change(now, |phone, _| run(phone))
                .expect("its PIN opens it")
        };
        must(Phone::begin_try);
        must(|phone| phone.try_pin(PIN));
        let values = self.stored.clone().into_iter().collect();
        self.phone.load(values).expect("it reads what it stored");
        self.forms.clear();
    }
}

struct Day {
    host: Host,
    journal: JournalId,
    players: Vec<Player>,
    catalogue: Rc<Json>,
    now: Timestamp,
    rng: TestRng,
    lines: Vec<String>,
}

impl Day {
    fn new(seed: u64) -> Self {
        let now = Timestamp(1_795_000_000_000);
        let mut host = Host::found(seed, now);
        let village = host.add_village("半子沟村", now);
        let since = now.date().plus_days(-100);
        let mut rng = TestRng::new(seed);
        let mut players = Vec::new();
        for (name, role) in [("周明远", "FS"), ("何秀兰", "TM"), ("宋立春", "TM")] {
            let user = host.add_user(name, now);
            host.assign(user, role, village.area, since, None, now);
            let identity = host.enrol(user, now);
            let secret = rng.bytes();
            let mut player = Player {
                phone: Phone::new(secret, None).expect("a phone of nothing"),
                user,
                secret,
                stored: BTreeMap::new(),
                rng: TestRng::new(u64::from_be_bytes(rng.bytes())),
                forms: Vec::new(),
            };
            let made = player.change(now, |phone, world| phone.create(PIN, world.rng));
            made.expect("the PIN may be chosen");
            let enrolled = player.change(now, |phone, world| phone.enrolled(identity, world));
            enrolled.expect("its vault is open");
            players.push(player);
        }
        let mut day = Self {
            host,
            journal: village.journal,
            players,
            catalogue: Rc::default(),
            now,
            rng,
            lines: Vec::new(),
        };
        (0..3).for_each(|who| day.sync(who));
        let first = day.players.first().expect("there are players");
        day.catalogue = Rc::new(first.phone.catalogue(now).expect("it is shipped"));
        day
    }

    fn play(&mut self, commands: u32) {
        let (mut said, mut refused) = (0, 0);
        while said < commands {
            self.now = self.now.plus_ms(1_000 + self.below(600_000).cast_signed());
            let who = usize::try_from(self.below(3)).unwrap_or(0);
            let saved = match self.below(40) {
                0 => {
                    self.sync(who);
                    continue;
                }
                1 if self.below(20) == 0 => {
                    let now = self.now;
                    self.player(who).restart(now);
                    continue;
                }
                2 => self.answer(who),
                _ => self.save(who),
            };
            match saved {
                Ok(()) => said += 1,
                Err(why) => {
                    refused += 1;
                    let why = why.get("code").and_then(Json::as_str).unwrap_or_default();
                    self.lines.push(why.to_owned());
                    // A day on which nothing more can be said is over.
                    if refused > 40 * commands + 1_000 {
                        break;
                    }
                }
            }
        }
        let told = sha256(&[self.lines.join("\n").as_bytes()]);
        self.lines = vec![format!("said {said} refused {refused} {told}")];
        (0..3).chain(0..3).for_each(|who| self.sync(who));
    }

    fn player(&mut self, who: usize) -> &mut Player {
        self.players.get_mut(who).expect("there are three")
    }

    fn sync(&mut self, who: usize) {
        let now = self.now;
        let Self { host, players, .. } = self;
        let player = players.get_mut(who).expect("there are three");
        player.phone.begin_sync().expect("it is enrolled");
        loop {
            let asked = player.change(now, Phone::ask);
            let asked = asked.expect("it is enrolled");
            let answer = match asked.value.get("is").and_then(Json::as_str) {
                Some("sync") => {
                    let body = asked.body.as_deref().unwrap_or_default();
                    let request: SyncRequest = cbor::decode(body).expect("a request");
                    let device = player.phone.device().expect("it is enrolled").id();
                    ("sync", cbor::encode(&host.sync(&request, device, now)))
                }
                Some("refresh") => {
                    let tokens = json!({ "access_token": "a", "expires_in_seconds": 900, "refresh_token": "r" });
                    ("refresh", tokens.to_string().into_bytes())
                }
                // Nothing else is asked of this host.
                Some(_) | None => break,
            };
            let (is, body) = answer;
            let taken = player.change(now, |phone, world| phone.answered(is, &body, world));
            taken.expect("it is enrolled");
        }
        let card = player.stored.get("card").cloned();
        let ended = player.change(now, |phone, world| phone.end_sync(card.as_deref(), world));
        let report = ended.expect("it set out").value;
        assert_eq!(report.get("error"), Some(&Json::Null), "the host is honest");
    }

    fn below(&mut self, most: u64) -> u64 {
        u64::from_be_bytes(self.rng.bytes()) % most.max(1)
    }

    fn pick<'a>(&mut self, of: &'a [Json]) -> Option<&'a Json> {
        let at = self.below(of.len() as u64);
        of.get(usize::try_from(at).unwrap_or(0))
    }

    fn word(&mut self) -> String {
        let at = usize::try_from(self.below(WORDS.len() as u64)).unwrap_or(0);
        WORDS.get(at).copied().unwrap_or_default().to_owned()
    }

    /// Answers a command that did not count.
    fn answer(&mut self, who: usize) -> Result<(), Json> {
        let now = self.now;
        let again = self.below(3) > 0;
        let outbox = told(self.player(who).phone.outbox(now))?;
        let unanswered = list(&outbox, "toAnswer");
        let one = self.pick(unanswered).ok_or(json!({ "code": "none" }))?;
        let origin = one.get("origin").unwrap_or(&Json::Null).to_string();
        let answered = self.player(who).change(now, |phone, world| {
            if again {
                phone.offer_again(&origin, world)
            } else {
                phone.leave_aside(&origin, world.rng)
            }
        });
        told(answered).map(|_| ())
    }

    fn save(&mut self, who: usize) -> Result<(), Json> {
        let (now, journal) = (self.now, self.journal.to_string());
        let rows = told(self.player(who).phone.rows("{}", now))?;
        let rows = list(&rows, "rows");
        if rows.len() < 5 || self.below(8) == 0 {
            let intent = self.create(who, rows);
            return self.say(who, None, &intent);
        }
        let row = self.pick(rows).unwrap_or(&Json::Null);
        let record = row.get("record").and_then(Json::as_str).unwrap_or_default();
        let page = told(self.player(who).phone.record(&journal, record, now))?;
        let intent = self
            .change(record, &page)
            .ok_or(json!({ "code": "none" }))?;
        let form = match self.below(6) {
            // A form that stays open: saved later, on what was shown then.
            0 => {
                let form = told(self.player(who).phone.open_form(&journal, Some(record)))?;
                self.player(who).forms.push((form, intent));
                return Err(json!({ "code": "later" }));
            }
            1 => self.player(who).forms.pop(),
            _ => None,
        };
        match form {
            Some((form, intent)) => self.say(who, Some(form), &intent),
            None => self.say(who, None, &intent),
        }
    }

    fn say(&mut self, who: usize, form: Option<u64>, intent: &Json) -> Result<(), Json> {
        let (now, journal) = (self.now, self.journal.to_string());
        let intent = intent.to_string();
        let saved = self.player(who).change(now, |phone, world| {
            phone.save(&journal, form, &intent, world)
        });
        told(saved).map(|_| ())
    }

    fn create(&mut self, who: usize, rows: &[Json]) -> Json {
        let households: Vec<Json> = rows
            .iter()
            .filter(|row| row.get("kind") == Some(&json!("household")))
            .filter_map(|row| row.get("record").cloned())
            .collect();
        let user = self.player(who).user.to_string();
        let kind = match (households.is_empty(), self.below(4)) {
            (true, _) | (_, 0) => "household",
            (_, 1) => "task",
            _ => "visit",
        };
        let catalogue = Rc::clone(&self.catalogue);
        let declared = declared(&catalogue, kind);
        let mut values = self.values(declared, |field| is(field, "required", "creation"));
        let more = self.values(declared, |field| is(field, "written", "always"));
        let some = more.into_iter().take(4);
        values.extend(some);
        let household = self.pick(&households).cloned();
        values.extend(
            household
                .filter(|_| kind != "household")
                .map(|id| ("household".to_owned(), id)),
        );
        values.extend((kind == "task").then(|| ("assignees".to_owned(), json!([user]))));
        json!({ "do": "create", "kind": kind, "values": values })
    }

    fn values(&mut self, kind: &Json, wanted: impl Fn(&Json) -> bool) -> Map<String, Json> {
        let fields = list(kind, "fields").iter();
        fields
            .filter(|field| wanted(field))
            .filter_map(|field| Some((name(field), self.value(field.get("type")?)?)))
            .collect()
    }

    /// A value of a type that refers to nothing.
    fn value(&mut self, ty: &Json) -> Option<Json> {
        let number = |name: &str| ty.get(name).and_then(Json::as_i64).unwrap_or(0);
        Some(match ty.get("is")?.as_str()? {
            "text" | "long_text" => json!(self.word().trim().to_owned() + "组"),
            "code" | "codes" => {
                let catalogue = Rc::clone(&self.catalogue);
                let set = catalogue.get("sets")?.get(ty.get("set")?.as_str()?)?;
                let code = self.pick(list(set, "codes"))?.get("code")?.clone();
                if ty.get("max").is_some() {
                    json!([code])
                } else {
                    code
                }
            }
            "date" => json!(self.now.date().plus_days(7).to_string()),
            "time" => json!(format!("{:02}:{:02}", self.below(24), self.below(60))),
            "int" => {
                let (least, most) = (number("min").max(0), number("max"));
                let range = u64::try_from((most - least).max(1)).unwrap_or(1);
                json!(least + self.below(range).cast_signed())
            }
            "decimal" => json!(format!("{}.{}", self.below(90), 1 + self.below(9))),
            "bool" => json!(self.below(2) == 1),
            "list" => {
                let item: Option<Map<String, Json>> = list(ty, "parts")
                    .iter()
                    .map(|part| Some((name(part), self.value(part.get("type")?)?)))
                    .collect();
                json!([item?])
            }
            _ => return None,
        })
    }

    /// Some change of a record that its page offers.
    fn change(&mut self, record: &str, page: &Json) -> Option<Json> {
        let catalogue = Rc::clone(&self.catalogue);
        let kind = declared(&catalogue, page.get("kind")?.as_str()?);
        match self.below(12) {
            0 if page.get("mayVoid")?.as_bool()? && self.below(10) == 0 => {
                return Some(
                    json!({ "do": "void", "record": record, "reason": self.word() + "误" }),
                );
            }
            1..=3 => {
                let action = self.pick(list(page, "actions"))?.get("name")?;
                let declared = list(kind, "actions")
                    .iter()
                    .find(|one| one.get("name") == Some(action))?;
                let needs = list(declared, "needs");
                let values = self.values(kind, |field| {
                    needs.iter().any(|need| field.get("name") == Some(need))
                });
                return Some(
                    json!({ "do": "act", "record": record, "action": action, "values": values, "reason": "已核" }),
                );
            }
            _ => {}
        }
        let field = self.pick(list(page, "fields"))?;
        let field_name = name(field);
        let declared = list(kind, "fields")
            .iter()
            .find(|one| is(one, "name", &field_name))?;
        let ty = declared.get("type")?;
        let may = |what: &str| field.get(what).and_then(Json::as_bool) == Some(true);
        let shown = field.get("shown").unwrap_or(&Json::Null);
        let holds = shown.get("is").and_then(Json::as_str);
        if may("mayAmend") {
            let values = self.values(kind, |one| is(one, "name", &field_name));
            return Some(
                json!({ "do": "amend", "record": record, "values": values, "reason": "更正" }),
            );
        }
        if !may("maySet") {
            return None;
        }
        match (ty.get("is")?.as_str()?, holds) {
            (_, Some("conflict")) => {
                let value = self.pick(list(shown, "said"))?.get("value")?.clone();
                Some(
                    json!({ "do": "choose", "record": record, "field": field_name, "value": value }),
                )
            }
            ("long_text", _) => {
                let before = shown.get("text").and_then(Json::as_str).unwrap_or_default();
                let length = before.chars().count() as u64;
                let (at, cut) = (self.below(length + 1), self.below(3));
                let (at, cut) = (usize::try_from(at).ok()?, usize::try_from(cut).ok()?);
                let head: String = before.chars().take(at).collect();
                let tail: String = before.chars().skip(at + cut).collect();
                let after = head + &self.word() + &tail;
                Some(
                    json!({ "do": "edit", "record": record, "field": field_name, "before": before, "after": after }),
                )
            }
            ("list", Some("items")) if self.below(2) == 0 => {
                let item = self.pick(list(shown, "items"))?.get("id")?.clone();
                Some(
                    json!({ "do": "remove", "record": record, "field": field_name, "items": [item] }),
                )
            }
            ("list", _) => {
                let items = self.value(ty)?;
                Some(
                    json!({ "do": "insert", "record": record, "field": field_name, "items": items }),
                )
            }
            _ => {
                let value = self.value(ty)?;
                Some(json!({ "do": "set", "record": record, "values": { field_name: value } }))
            }
        }
    }

    /// Everything that the screens would show, and the head of the chain, on every phone.
    fn portrait(&mut self) -> String {
        let (now, journal) = (self.now, self.journal);
        let mut lines = core::mem::take(&mut self.lines);
        for player in &mut self.players {
            let phone = &mut player.phone;
            let end = phone
                .device()
                .ok()
                .and_then(|device| device.position(journal));
            let end = end.map(|end| format!("{} {}", end.seq, end.head));
            let rows = phone.rows("{\"withVoid\":true}", now).expect("it is open");
            let pages = list(&rows, "rows").iter().map(|row| {
                let record = row.get("record").and_then(Json::as_str).unwrap_or_default();
                let page = phone.record(&journal.to_string(), record, now);
                page.expect("a row's record is there").to_string()
            });
            let pages: Vec<String> = pages.collect();
            let views = [
                phone.villages(now),
                phone.today(now),
                phone.households("{}", now),
                phone.outbox(now),
                Ok(rows),
            ];
            let views = views.map(|told| told.expect("it is open").to_string());
            let views = sha256(&[views.concat().as_bytes(), pages.concat().as_bytes()]);
            let records = pages.len();
            lines.push(format!("{} {records} {views}", end.unwrap_or_default()));
        }
        lines.join("\n") + "\n"
    }
}

fn told<T>(told: Told<T>) -> Result<T, Json> {
    told.map_err(|fault| fault.0)
}

/// A kind as the catalogue declares it.
fn declared<'a>(catalogue: &'a Json, kind: &str) -> &'a Json {
    let mut kinds = list(catalogue, "kinds").iter();
    let named = kinds.find(|one| is(one, "name", kind));
    named.unwrap_or(&Json::Null)
}

fn list<'a>(of: &'a Json, name: &str) -> &'a [Json] {
    let found = of.get(name).and_then(Json::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

fn name(of: &Json) -> String {
    let name = of.get("name").and_then(Json::as_str);
    name.unwrap_or_default().to_owned()
}

fn is(of: &Json, what: &str, value: &str) -> bool {
    of.get(what).and_then(Json::as_str) == Some(value)
}
