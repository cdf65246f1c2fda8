//! The device as a library, from enrolment to answers.

use device::Field;
use device::field::{EnrolError, NewDevice, SaveError, SyncError};
use device::server::{Deployment, Failure};
use device::store::Locked;
use sync_core::command::{Audience, Verb};
use sync_core::id::{JournalId, RecordId, Timestamp};
use sync_core::journal::Fate;
use sync_core::look::Wanted;
use sync_core::registry::Standing;
use sync_core::sign::SigningKey;
use sync_core::sync::device::{CannotSave, Intent, Target, World};
use sync_core::testing::TestRng;
use sync_core::value::Value;
use tempfile::TempDir;

use crate::support::{NOW, Shared, minutes, pin};

/// A team of two, each with a device, and one household that both know.
struct Team {
    shared: Shared,
    fs: Field,
    tm: Field,
    household: RecordId,
    rng: TestRng,
    folders: [TempDir; 2],
}

impl Team {
    fn new() -> Self {
        let shared = Shared::new();
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (fs, tm) = (shared.person("马第一", "FS"), shared.person("李队员", "TM"));
        let fs = shared.field(folders[0].path(), fs);
        let tm = shared.field(folders[1].path(), tm);
        let mut team = Self {
            shared,
            fs,
            tm,
            household: RecordId([0; 16]),
            rng: TestRng::new(5),
            folders,
        };
        let household = Intent::create("household").with("householder", Value::text("张三"));
        team.household = team.save(true, household, NOW).unwrap();
        team.meet(NOW);
        team
    }

    fn journal(&self) -> sync_core::id::JournalId {
        self.shared.county().village.journal
    }

    fn save(&mut self, fs: bool, intent: Intent, now: Timestamp) -> Result<RecordId, SaveError> {
        let journal = self.journal();
        let mut world = World {
            now,
            rng: &mut self.rng,
        };
        let field = if fs { &mut self.fs } else { &mut self.tm };
        field
            .save(&mut world, journal, None, intent)
            .map(|saved| saved.record)
    }

    fn meet(&mut self, now: Timestamp) {
        self.shared.county().now = now;
        let mut world = World {
            now,
            rng: &mut self.rng,
        };
        self.fs.sync(&mut self.shared, &mut world).unwrap();
        self.tm.sync(&mut self.shared, &mut world).unwrap();
        self.fs.sync(&mut self.shared, &mut world).unwrap();
    }

    /// Closes the first secretary's device and opens it again from its folder.
    fn reopen(self) -> Self {
        let Self {
            shared,
            fs,
            tm,
            household,
            rng,
            folders,
        } = self;
        drop(fs);
        let store = Locked::open(folders[0].path())
            .unwrap()
            .unlock(&pin())
            .unwrap();
        let fs = Field::open(store).unwrap();
        Self {
            shared,
            fs,
            tm,
            household,
            rng,
            folders,
        }
    }

    fn group(&self, fs: bool) -> Option<String> {
        let field = if fs { &self.fs } else { &self.tm };
        let view = field.view(self.journal(), self.household, minutes(10))?;
        Some(view.value("group")?.as_text()?.to_owned())
    }

    fn set_group(&mut self, fs: bool, group: &str, now: Timestamp) {
        let intent = Intent::set(self.household).with("group", Value::text(group));
        self.save(fs, intent, now).unwrap();
    }
}

#[test]
fn what_one_saves_offline_the_other_sees_after_both_synced() {
    let mut team = Team::new();
    team.set_group(true, "二组", minutes(1));
    let mut team = team.reopen();
    assert_eq!(team.fs.device().unsent().values().sum::<usize>(), 1);
    assert_eq!(team.group(true).as_deref(), Some("二组"));
    team.meet(minutes(2));
    assert_eq!(team.group(false).as_deref(), Some("二组"));
    let team = team.reopen();
    assert!(team.fs.device().unsent().is_empty());
}

#[test]
fn whichever_answer_is_lost_a_later_sync_makes_up_for_it() {
    for lost in 0..4 {
        let mut team = Team::new();
        team.set_group(true, "二组", minutes(1));
        {
            let mut county = team.shared.county();
            county.expire();
            county.losses = (0..4).map(|answer| answer == 3 - lost).collect();
        }
        let mut failures = 0;
        for _ in 0..4 {
            let mut world = World {
                now: minutes(30),
                rng: &mut team.rng,
            };
            failures += usize::from(team.fs.sync(&mut team.shared, &mut world).is_err());
            team = team.reopen();
        }
        assert!(failures <= 1, "one lost answer, one failed sync");
        assert!(team.fs.device().unsent().is_empty());
        let journal = team.journal();
        assert_eq!(team.shared.county().host.entries(journal).len(), 2);
    }
}

#[test]
fn a_session_goes_on_by_itself_and_when_it_has_ended_one_logs_in() {
    let mut team = Team::new();
    team.shared.county().expire();
    team.meet(minutes(1));
    team.shared.county().end_sessions();
    team.set_group(true, "二组", minutes(2));
    let mut world = World {
        now: minutes(30),
        rng: &mut team.rng,
    };
    let ended = team.fs.sync(&mut team.shared, &mut world);
    assert!(matches!(ended, Err(SyncError::LoggedOut)), "{ended:?}");
    let wrong = team.fs.log_in("ma", "wrong", &mut team.shared, &mut world);
    assert!(matches!(wrong, Err(SyncError::Server(Failure::Problem(_)))));
    team.fs
        .log_in("ma", "correct horse", &mut team.shared, &mut world)
        .unwrap();
    team.fs.sync(&mut team.shared, &mut world).unwrap();
    assert!(team.fs.device().unsent().is_empty());
}

#[test]
fn a_device_that_was_suspended_enrols_in_place_and_nothing_is_lost() {
    let mut team = Team::new();
    team.set_group(true, "二组", minutes(1));
    let (device, user) = (team.fs.device().id(), team.fs.user());
    team.shared
        .county()
        .host
        .set_standing(device, Standing::Suspended, "lost", minutes(2));
    let code = team.shared.code(user);
    let new = NewDevice {
        server: "in-process".to_owned(),
        code,
        label: "手机".to_owned(),
    };
    let stranger = team.shared.person("王外人", "TM");
    let other = NewDevice {
        code: team.shared.code(stranger),
        ..new.clone()
    };
    let mut world = World {
        now: minutes(3),
        rng: &mut team.rng,
    };
    let refused = team.fs.enrol_in_place(&other, &mut team.shared, &mut world);
    assert!(matches!(refused, Err(EnrolError::Other)));
    team.fs
        .enrol_in_place(&new, &mut team.shared, &mut world)
        .unwrap();
    let mut team = team.reopen();
    assert_ne!(team.fs.device().id(), device);
    team.meet(minutes(4));
    assert_eq!(team.group(false).as_deref(), Some("二组"));
    assert!(team.fs.device().unsent().is_empty() && team.fs.device().to_answer().is_empty());
}

#[test]
fn a_parcel_goes_by_a_teammate() {
    let mut team = Team::new();
    team.set_group(true, "二组", minutes(1));
    let mut world = World {
        now: minutes(2),
        rng: &mut team.rng,
    };
    let parcel = team.fs.export(&mut world).unwrap().unwrap();
    assert_eq!(team.tm.carry(&mut world, &parcel.to_bytes()).unwrap(), 1);
    team.tm.sync(&mut team.shared, &mut world).unwrap();
    assert!(team.tm.carry(&mut world, b"no parcel").is_err());
    assert_eq!(team.tm.device().carries(), 0);
    assert_eq!(team.group(false).as_deref(), Some("二组"));
    team.meet(minutes(3));
    assert!(
        team.fs
            .export(&mut World {
                now: minutes(3),
                rng: &mut team.rng
            })
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_server_that_cannot_prove_which_deployment_it_is_enrols_nobody() {
    struct Impostor(Shared);
    impl device::Server for Impostor {
        fn deployment(&mut self) -> Result<Deployment, Failure> {
            let operator = SigningKey::from_seed([6; 32]).public();
            Ok(Deployment {
                operator,
                ..self.0.deployment()?
            })
        }
        fn enrol(
            &mut self,
            enrolment: &device::server::Enrolment,
        ) -> Result<device::server::Enrolled, Failure> {
            self.0.enrol(enrolment)
        }
        fn log_in(
            &mut self,
            log_in: &device::server::LogIn,
        ) -> Result<device::server::Tokens, Failure> {
            self.0.log_in(log_in)
        }
        fn refresh(
            &mut self,
            token: &str,
            proof: &sync_core::sign::Signature,
        ) -> Result<device::server::Tokens, Failure> {
            self.0.refresh(token, proof)
        }
        fn sync(
            &mut self,
            access: &str,
            request: &sync_core::sync::wire::SyncRequest,
        ) -> Result<sync_core::sync::wire::SyncResponse, Failure> {
            self.0.sync(access, request)
        }
        fn refill(
            &mut self,
            request: &sync_core::sync::refill::SignedRefill,
        ) -> Result<sync_core::sync::refill::RefillResponse, Failure> {
            self.0.refill(request)
        }
        fn catalogue(
            &mut self,
            access: &str,
            version: u32,
        ) -> Result<Vec<sync_core::catalog::SourceFile>, Failure> {
            self.0.catalogue(access, version)
        }
    }
    let shared = Shared::new();
    let user = shared.person("马第一", "FS");
    let folder = tempfile::tempdir().unwrap();
    let new = NewDevice {
        server: String::new(),
        code: shared.code(user),
        label: "手机".to_owned(),
    };
    let mut rng = TestRng::new(1);
    let mut world = World {
        now: NOW,
        rng: &mut rng,
    };
    let refused = Field::enrol(
        folder.path(),
        &pin(),
        &new,
        &mut Impostor(shared.clone()),
        &mut world,
    );
    assert!(matches!(refused, Err(EnrolError::Other)));
    // The store was made; the same code enrols it once the server is the right one.
    Field::enrol(folder.path(), &pin(), &new, &mut shared.clone(), &mut world).unwrap();
    let again = Field::enrol(folder.path(), &pin(), &new, &mut shared.clone(), &mut world);
    assert!(again.is_err());
}

#[test]
fn due_work_comes_in_the_guides_order() {
    let mut team = Team::new();
    let (journal, household) = (team.journal(), team.household);
    let me = RecordId(team.fs.user().0);
    let task = Intent::create("task")
        .with("title", Value::text("修水管"))
        .link("assignees", me)
        .link("household", household);
    let late = Intent::create("task")
        .with("title", Value::text("报材料"))
        .link("assignees", me);
    let late = late.with("deadline", Value::Int(i64::from(NOW.date().0) + 1));
    team.save(true, task, minutes(1)).unwrap();
    team.save(true, late, minutes(2)).unwrap();
    let visit = team
        .save(
            true,
            Intent::create("visit").link("household", household),
            minutes(3),
        )
        .unwrap();
    team.meet(minutes(4));
    team.set_group(true, "二组", minutes(5));
    team.set_group(false, "三组", minutes(5));
    team.meet(minutes(6));
    let due = team.fs.due(minutes(7));
    let titles: Vec<&str> = due.iter().map(|due| due.row.title.as_str()).collect();
    assert_eq!(
        titles[..3],
        ["报材料", "张三", "修水管"],
        "a clock, then what is to be settled, then tasks"
    );
    assert_eq!(due.last().unwrap().row.record, visit, "a draft is routine");
    assert_eq!(
        due.last().unwrap().row.title,
        "张三",
        "a visit is called by its household"
    );
    assert!(
        team.fs
            .view(journal, household, minutes(7))
            .unwrap()
            .conflicts()
            .count()
            == 1
    );
    let late = minutes(7).plus_ms(8 * 86_400_000);
    assert!(
        team.fs
            .due(late)
            .iter()
            .all(|due| due.row.title != "张三" || due.row.kind == "visit"),
        "others' values are hidden"
    );
}

#[test]
fn a_late_action_is_kept_and_answered() {
    let mut team = Team::new();
    let both = [&team.fs, &team.tm].map(|field| RecordId(field.user().0));
    let task = both.into_iter().fold(Intent::create("task"), |task, user| {
        task.link("assignees", user)
    });
    let task = team
        .save(true, task.with("title", Value::text("修水管")), NOW)
        .unwrap();
    team.meet(NOW);
    let report = |result: &str| Intent::act(task, "report").with("result", Value::text(result));
    team.save(false, report("已修"), minutes(1)).unwrap();
    team.save(true, report("没修好"), minutes(1)).unwrap();
    let mut world = World {
        now: minutes(2),
        rng: &mut team.rng,
    };
    team.tm.sync(&mut team.shared, &mut world).unwrap();
    team.meet(minutes(3));
    let unanswered = team.fs.device().to_answer();
    assert_eq!(unanswered.len(), 1);
    assert!(matches!(&unanswered[0].fate, Fate::NoEffect(_)));
    let mut world = World {
        now: minutes(4),
        rng: &mut team.rng,
    };
    let again = team.fs.offer_again(&mut world, unanswered[0].origin);
    assert!(matches!(
        again,
        Err(SaveError::Cannot(CannotSave::WouldNotCount(_)))
    ));
    team.fs
        .leave_aside(&mut world, unanswered[0].origin)
        .unwrap();
    let team = team.reopen();
    assert!(team.fs.device().to_answer().is_empty());
}

#[test]
fn records_are_found_by_id_and_title() {
    let mut team = Team::new();
    let other = Intent::create("household").with("householder", Value::text("张三丰"));
    let other = team.save(true, other, minutes(1)).unwrap();
    let found = |text: &str| {
        team.fs
            .find(text, Some("household"), minutes(2))
            .map(|row| row.record)
    };
    assert_eq!(
        found("张三"),
        Ok(team.household),
        "a whole title before the beginning of one"
    );
    assert_eq!(found("张三丰"), Ok(other));
    assert_eq!(found(&team.household.to_string()[..6]), Ok(team.household));
    assert!(matches!(found("张"), Err(device::look::NotOne::Several(rows)) if rows.len() == 2));
    assert!(matches!(found("李四"), Err(device::look::NotOne::None)));
    assert!(team.fs.find("张三", Some("task"), minutes(2)).is_err());
}

#[test]
fn a_form_that_stays_open_keeps_both_values() {
    let mut team = Team::new();
    let (journal, household) = (team.journal(), team.household);
    let form = team.fs.open_form(journal, Some(household));
    team.set_group(false, "二组", minutes(1));
    team.meet(minutes(2));
    let intent = Intent::set(household).with("group", Value::text("三组"));
    let mut world = World {
        now: minutes(3),
        rng: &mut team.rng,
    };
    team.fs
        .save(&mut world, journal, Some(form), intent)
        .unwrap();
    team.meet(minutes(4));
    let view = team.tm.view(journal, household, minutes(5)).unwrap();
    assert_eq!(
        view.conflicts()
            .next()
            .map(|(field, said)| (field.to_owned(), said.len())),
        Some(("group".to_owned(), 2))
    );
    let choice = Intent {
        chooses: true,
        ..Intent::set(household).with("group", Value::text("三组"))
    };
    team.save(false, choice, minutes(6)).unwrap();
    team.meet(minutes(7));
    assert_eq!(team.group(true).as_deref(), Some("三组"));
}

#[test]
fn a_reveal_is_a_command_like_any_other() {
    let mut team = Team::new();
    let visit = Intent::create("visit")
        .link("household", team.household)
        .with("illness", Value::text("高血压"));
    let visit = team.save(true, visit, minutes(1)).unwrap();
    team.meet(minutes(2));
    let reveal = Intent {
        reveals: Some("illness".to_owned()),
        reason: Some("上门送药".to_owned()),
        ..Intent::new(Target::Existing(visit), Verb::Reveal)
    };
    team.save(false, reveal, minutes(3)).unwrap();
    team.meet(minutes(4));
    let view = team.fs.view(team.journal(), visit, minutes(5)).unwrap();
    let step = view.steps.last().unwrap();
    assert_eq!(
        (step.verb, step.reason.as_deref(), &step.fate),
        (Verb::Reveal, Some("上门送药"), &Fate::Accepted)
    );
    assert!(view.value("illness").is_some(), "it changes nothing");
}

#[test]
fn a_fact_is_written_once_and_found_by_each_form_that_asks_for_it() {
    let mut team = Team::new();
    let journal = team.journal();
    let day = |field: &str, intent: &Intent| intent.values.get(field).and_then(Value::as_int);
    let visit = Intent::create("visit")
        .link("household", team.household)
        .with("occurred_on", Value::Int(i64::from(NOW.date().0) - 3))
        .with(
            "risks",
            Value::List(vec![Value::text("illness"), Value::text("disaster")]),
        )
        .with("note", Value::text("屋顶漏了"));
    let visit = team.save(true, visit, minutes(1)).unwrap();
    let look = team.fs.look(minutes(2));
    let view = look.view(journal, visit).unwrap();
    let made: Vec<_> = look
        .next(&view)
        .iter()
        .map(|next| next.kind.name.clone())
        .collect();
    expect_test::expect![[r#"
        [
            "clue",
            "diary",
            "issue",
            "need",
            "task",
        ]
    "#]]
    .assert_debug_eq(&made);

    let clue = team.fs.complete(
        journal,
        Intent::create("clue").link("visit", visit),
        minutes(2),
    );
    assert_eq!(
        clue.links
            .iter()
            .filter(|link| link.field == "household" && link.target == team.household)
            .count(),
        1
    );
    assert_eq!(day("received_on", &clue), Some(i64::from(NOW.date().0) - 3));
    assert_eq!(
        clue.values
            .get("risks")
            .map(|risks| matches!(risks, Value::List(risks) if risks.len() == 2)),
        Some(true)
    );
    assert_eq!(
        clue.values.get("note").and_then(Value::as_text),
        Some("屋顶漏了")
    );

    // What is said is not said otherwise, and what nobody knows is left open.
    let own = Intent::create("clue")
        .link("visit", visit)
        .with("note", Value::text("已看过"));
    let own = team.fs.complete(journal, own, minutes(2));
    assert_eq!(
        own.values.get("note").and_then(Value::as_text),
        Some("已看过")
    );
    assert!(!own.values.contains_key("channel"));

    // What the team keeps to itself is not carried into what more people read; the reference, which all read, is.
    let secret = Intent {
        target: Target::New {
            kind: "visit".into(),
            audience: Some(Audience::Team),
        },
        ..Intent::create("visit")
    };
    let secret = secret
        .link("household", team.household)
        .with("note", Value::text("只给队里看"));
    let secret = team.save(true, secret, minutes(3)).unwrap();
    let clue = team.fs.complete(
        journal,
        Intent::create("clue").link("visit", secret),
        minutes(4),
    );
    assert!(!clue.values.contains_key("note"));
    assert_eq!(clue.links.len(), 2);

    // Records of one village are no other's.
    let elsewhere = Wanted {
        journal: Some(JournalId([9; 16])),
        ..Wanted::default()
    };
    assert_eq!(team.fs.look(minutes(4)).rows(&elsewhere), []);

    // A record that is made from it only once it stands where that may be.
    let saved = team
        .save(true, own.with("channel", Value::text("visit")), minutes(5))
        .unwrap();
    let look = team.fs.look(minutes(6));
    let clue = look.view(journal, saved).unwrap();
    let made = |view| {
        look.next(view)
            .iter()
            .map(|next| next.kind.name.clone())
            .collect::<Vec<_>>()
    };
    assert!(!made(&clue).contains(&"case".to_owned()));
    assert!(made(&clue).contains(&"issue".to_owned()));

    // Of two values that nobody has chosen between, none is proposed.
    team.meet(minutes(7));
    let risks = |code: &str| Value::List(vec![Value::text(code)]);
    team.save(
        true,
        Intent::set(saved).with("risks", risks("illness")),
        minutes(8),
    )
    .unwrap();
    team.save(
        false,
        Intent::set(saved).with("risks", risks("schooling")),
        minutes(8),
    )
    .unwrap();
    team.meet(minutes(9));
    let case = Intent::create("case").link("clue", saved);
    let case = team.fs.complete(journal, case, minutes(10));
    assert!(!case.values.contains_key("risks"));
    assert_eq!(day("received_on", &case), Some(i64::from(NOW.date().0) - 3));
}
