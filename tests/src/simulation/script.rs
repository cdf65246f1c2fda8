//! What happens on a seed, drawn as data before anything is played.
//!
//! A step names who, what and how long after the one before; what it still has to choose (which of the records that the phone then
//! shows, say) it draws from dice of its own. So a script that leaves steps out plays the others as they were drawn, and a failing
//! script can be made shorter.

use super::people::Dice;

/// A seed's world and what happens in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) seed: u64,
    pub(super) villages: usize,
    /// The role of each person: everyone has a phone.
    pub(super) roles: Vec<&'static str>,
    pub(super) about: About,
    pub(super) steps: Vec<Step>,
}

/// What a script is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Whatever there is to do.
    Anything,
    /// What goes from desk to desk.
    Offices,
    /// One case, from its clue to where it ends.
    OneCase,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Where it was drawn: what is said in it is told apart by this.
    pub(super) number: u64,
    pub(super) after_ms: u64,
    pub(super) who: usize,
    /// Which of his phones, if there are copies.
    pub(super) copy: usize,
    pub(super) what: What,
    /// What it still has to draw, it draws from here.
    pub(super) dice: u64,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Somebody saves something: through an open form, or what he sees.
    Save,
    OpenForm,
    CloseForms,
    Sync(Line),
    /// Everyone who can reaches the server until nothing is left to say, and what must hold then is looked at.
    Meet,
    Crash,
    /// The phone's clock goes wrong by this many days.
    SetClock(i64),
    Wait(i64),
    Carry,
    OfferAgain,
    /// The phone's storage is copied to another; if the phone was lost, both get new keys.
    Clone {
        lost: bool,
    },
    Revoke,
    /// The assignment ends: another follows, unless it is for cause.
    EndAssignment {
        for_cause: bool,
    },
    Erase,
    EnrolIfTold,
    /// A month is closed.
    Seal,
    Reopen,
    /// Marks are cleared.
    Clear,
    /// The next version of the catalogue.
    Publish,
    /// The phone fetches the catalogue.
    Fetch,
    Checkpoint,
    /// The server's database is copied.
    BackUp,
    /// The database is lost, and the copy put in its place.
    Restore,
    /// The operator no longer waits for what phones could give back.
    ReopenLog,
    Intrude(Intrusion),
    /// These cannot reach the server from now on, by bits.
    Partition(u16),
    Heal,
    /// The server begins to show some a history of their own.
    Split,
    /// It shows everyone one of them again.
    Join,
}

/// What somebody with a key writes and no honest phone would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intrusion {
    /// A base beyond what its batch says was verified.
    BaseBeyondSeen,
    /// In a village that his assignment is not for.
    OtherVillage,
    /// In another phone's name.
    ForgedSignature,
    /// A number that its owner has not used yet.
    StolenOrigin,
    /// A record whose id is not its command's.
    OthersRecord,
}

/// How one exchange goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Good,
    RequestLost,
    RequestCut,
    Reordered,
    Twice,
    ReplyLost,
    CrashBeforeSealingIsStored,
    CrashBeforeReplyIsStored,
}

/// Who there is besides a first secretary, as often as they are named.
const ROLES: [&str; 9] = ["TM", "TM", "TM", "TM", "VC", "VC", "FS", "TW", "CS"];

/// Who there is on a day of offices: of the township two, for what one returns the other may just be confirming.
const OFFICES: [&str; 6] = ["FS", "TM", "VC", "TW", "TW", "CS"];

/// The member of the team who is away, on a half-year of one case, and for how many weeks at a time.
const AWAY: usize = 1;
const AWAY_WEEKS: u64 = 9;
/// How many weeks there are in it, beside those in which help has its time to work.
const CASE_WEEKS: u64 = 56;

/// After how many steps everyone on such a day reaches the server.
const OFFICES_MEET_EVERY: u64 = 15;

impl Script {
    /// Everybody through whose hands a process goes, in one village, and longer than other days: a process has many steps.
    pub(super) fn draw_of_offices(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut script = Self {
            seed,
            villages: 1,
            roles: OFFICES.to_vec(),
            about: About::Offices,
            steps: Vec::new(),
        };
        script.morning();
        for at in 0..120 + dice.below(40) {
            if at % OFFICES_MEET_EVERY == 0 {
                // Nobody can go on with what he has not received.
                (0..OFFICES.len())
                    .for_each(|who| script.add(&mut dice, who, What::Sync(Line::Good)));
            }
            let what = if dice.once_in(3) {
                What::Save
            } else {
                draw(&mut dice)
            };
            let who = dice.index(OFFICES.len());
            script.add(&mut dice, who, what);
        }
        script
    }

    /// Half a year of one case: week by week everybody syncs and does what waits for him. One member of the team is away for weeks
    /// at a time, so that what he found at a door arrives when others have long gone on.
    pub(super) fn draw_of_a_case(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut script = Self {
            seed,
            villages: 1,
            roles: OFFICES.to_vec(),
            about: About::OneCase,
            steps: Vec::new(),
        };
        script.morning();
        for week in 0..CASE_WEEKS {
            for who in 0..OFFICES.len() {
                if who != AWAY || week % AWAY_WEEKS == 0 {
                    script.add(&mut dice, who, What::Sync(Line::Good));
                }
            }
            let first = dice.index(OFFICES.len());
            for who in (0..OFFICES.len()).map(|who| (who + first) % OFFICES.len()) {
                script.add(&mut dice, who, What::Save);
            }
            if dice.once_in(3) {
                let (who, what) = (dice.index(OFFICES.len()), draw(&mut dice));
                script.add(&mut dice, who, what);
            }
            let days = if week == CASE_WEEKS / 2 { 150 } else { 6 };
            script.add(&mut dice, 0, What::Wait(days));
        }
        script
    }

    pub(super) fn draw(seed: u64, lies: bool, restores: bool) -> Self {
        let mut dice = Dice::new(seed);
        let villages = 1 + dice.index(5).saturating_sub(2);
        // Mostly few, for only who meets others can disagree with them.
        let people = 2 + dice.index(11).min(dice.index(11));
        let mut roles = vec!["FS", "TM"];
        while roles.len() < people {
            roles.push(dice.pick(&ROLES).copied().unwrap_or("TM"));
        }
        let mut script = Self {
            seed,
            villages,
            roles,
            about: About::Anything,
            steps: Vec::new(),
        };
        script.morning();
        let count = 60 + dice.below(60);
        for at in 0..count {
            if lies && at == count / 3 {
                script.add(&mut dice, 0, What::Split);
            }
            if lies && at == count * 2 / 3 {
                script.add(&mut dice, 0, What::Join);
            }
            let what = draw(&mut dice);
            let who = dice.index(people);
            script.add(&mut dice, who, what);
        }
        if restores {
            script.losses();
        }
        script
    }

    /// Once or twice the server loses its newest part. When something was signed for in between, phones refill it; when nothing was,
    /// or when the operator does not wait, its log goes on further back.
    fn losses(&mut self) {
        let mut dice = Dice::new(self.seed.rotate_left(32));
        let drawn = self.steps.len();
        for _ in 0..=dice.below(2) {
            let restored = drawn / 4 + dice.index(drawn * 3 / 4);
            let copied = restored - 1 - dice.index(30.min(restored - 1));
            let mut losses = vec![(copied, 0, What::BackUp)];
            for _ in 0..dice.below(3) {
                let signed = copied + dice.index(restored - copied);
                let before = self.before_a_checkpoint(&mut dice);
                losses.extend(before.into_iter().map(|(who, what)| (signed, who, what)));
                losses.push((signed, 0, What::Checkpoint));
            }
            losses.push((restored, 0, What::Restore));
            if dice.once_in(3) {
                losses.push((restored + 1 + dice.index(20), 0, What::ReopenLog));
            }
            losses.sort_by_key(|(at, ..)| *at);
            // The last first: so each comes where it was drawn.
            for (at, who, what) in losses.into_iter().rev() {
                let step = self.step(&mut dice, who, what);
                self.steps.insert(at.min(self.steps.len()), step);
            }
        }
    }

    /// What is worth losing: an erasure, and a batch of which its phone heard no answer, both pulled by the team.
    fn before_a_checkpoint(&self, dice: &mut Dice) -> Vec<(usize, What)> {
        let mut steps = Vec::new();
        if dice.once_in(2) {
            steps.push((0, What::Erase));
            let counties = (0..self.roles.len()).filter(|who| self.roles[*who] == "CS");
            steps.extend(counties.map(|who| (who, What::Sync(Line::Good))));
        }
        if dice.once_in(2) {
            let who = 1 + dice.index(self.roles.len() - 1);
            let lost = What::Sync(Line::ReplyLost);
            steps.extend([
                (who, What::Sync(Line::Good)),
                (who, What::Save),
                (who, lost),
            ]);
        }
        steps.push((0, What::Sync(Line::Good)));
        steps
    }

    /// The day begins with something that everyone has before him.
    fn morning(&mut self) {
        let mut dice = Dice::new(!self.seed);
        let people = self.roles.len();
        for who in 0..people.min(3) {
            (0..3).for_each(|_| self.add(&mut dice, who, What::Save));
            self.add(&mut dice, who, What::Sync(Line::Good));
        }
        (0..people).for_each(|who| self.add(&mut dice, who, What::Sync(Line::Good)));
    }

    fn add(&mut self, dice: &mut Dice, who: usize, what: What) {
        let step = self.step(dice, who, what);
        self.steps.push(step);
    }

    fn step(&self, dice: &mut Dice, who: usize, what: What) -> Step {
        Step {
            number: self.steps.len() as u64 + 1,
            after_ms: dice.below(600_000),
            who,
            copy: dice.index(4),
            what,
            dice: dice.below(u64::MAX),
        }
    }
}

fn draw(dice: &mut Dice) -> What {
    match dice.below(112) {
        100 | 101 => What::Seal,
        102 => What::Reopen,
        103 | 104 => What::Clear,
        105 | 106 => What::Publish,
        107 | 108 => What::Fetch,
        109 => What::Checkpoint,
        110 | 111 => What::Intrude(
            [
                Intrusion::BaseBeyondSeen,
                Intrusion::OtherVillage,
                Intrusion::ForgedSignature,
                Intrusion::StolenOrigin,
                Intrusion::OthersRecord,
            ][dice.index(5)],
        ),
        0..=45 => What::Save,
        46..=55 => What::OpenForm,
        56..=76 => What::Sync(draw_line(dice)),
        77..=79 => What::Crash,
        80..=81 => What::SetClock([-400, -400, 400, 1, -1, 0][dice.index(6)]),
        82..=83 => What::Wait(i64::try_from(dice.below(6)).unwrap_or(0)),
        84 => What::Wait(10 + i64::try_from(dice.below(25)).unwrap_or(0)),
        85..=86 => What::Carry,
        87..=89 => What::OfferAgain,
        90 => What::Clone {
            lost: dice.once_in(2),
        },
        91 => What::Revoke,
        92 => What::EndAssignment {
            for_cause: dice.once_in(2),
        },
        93 => What::Erase,
        94 => What::CloseForms,
        95 => What::Meet,
        96 => What::Partition(u16::try_from(dice.below(1 << 12)).unwrap_or(0)),
        97 => What::Heal,
        _ => What::EnrolIfTold,
    }
}

fn draw_line(dice: &mut Dice) -> Line {
    match dice.below(20) {
        0 => Line::RequestLost,
        1 => Line::RequestCut,
        2 => Line::Reordered,
        3 => Line::Twice,
        4..=6 => Line::ReplyLost,
        7 => Line::CrashBeforeSealingIsStored,
        8 => Line::CrashBeforeReplyIsStored,
        _ => Line::Good,
    }
}
