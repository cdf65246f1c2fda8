//! What waits for somebody on a half-year of one case: the next step of it that is his, and what that step rests on.

use sync_core::id::RecordId;
use sync_core::record::Record;
use sync_core::sync::device::Intent;
use sync_core::value::Value;

use super::{Asked, DAY, Dice, Wish, because, referred, telling};

/// The case, with what belongs to it as a phone shows it.
struct Around<'a> {
    asked: &'a Asked<'a>,
    case: &'a Record,
    /// The notices of it, the first put up first.
    notices: Vec<&'a Record>,
    measures: Vec<&'a Record>,
}

/// The next step of the one case; none if what there is to do is not his, or if there is no case yet.
pub(super) fn step(dice: &mut Dice, asked: &Asked<'_>, marker: &str) -> Option<Wish> {
    let (cases, clues) = (asked.records("case"), asked.records("clue"));
    let (notices, measures) = (asked.records("notice"), asked.records("measure"));
    let Some(case) = cases.first() else {
        return first(asked, clues.iter().map(|clue| &**clue), marker);
    };
    let of_it = |record: &&Record| referred(record, "case") == Some(case.id);
    let mut notices: Vec<&Record> = notices.iter().map(|one| &**one).filter(of_it).collect();
    notices.sort_by_key(|notice| notice.created);
    let around = Around {
        asked,
        case,
        notices,
        measures: measures.iter().map(|one| &**one).filter(of_it).collect(),
    };
    let confirmed = clues.iter().rfind(|clue| is_in(clue, &["confirmed"]));
    around.step(dice, confirmed.map(|clue| clue.id), marker)
}

/// What leads to the case: a clue that is verified at the door and found true.
fn first<'r>(
    asked: &Asked<'_>,
    clues: impl Iterator<Item = &'r Record>,
    marker: &str,
) -> Option<Wish> {
    let clues: Vec<&Record> = clues.collect();
    let one_in = |state: &str| clues.iter().find(|clue| is_in(clue, &[state]));
    match asked.role {
        "FS" if clues.is_empty() => {
            let households = asked.records("household");
            let Some(household) = households.first() else {
                let household = Intent::create("household");
                return Some(said(
                    household.with("householder", Value::text(marker)),
                    marker,
                ));
            };
            let clue = Intent::create("clue").link("household", household.id);
            let clue = clue.with("channel", Value::text("visit"));
            Some(quietly(clue.with("received_on", DAY)))
        }
        "FS" | "VC" => {
            let clue = one_in("to_verify")?;
            let mut verify = telling(clue.id, "verify", "finding", marker.to_owned());
            verify.intent = verify
                .intent
                .link("household", referred(clue, "household")?);
            Some(verify)
        }
        "TW" => {
            if let Some(clue) = one_in("confirmed") {
                let case = Intent::create("case")
                    .link("household", referred(clue, "household")?)
                    .link("clue", clue.id);
                return Some(quietly(case.with("received_on", DAY)));
            }
            Some(quietly(Intent::act(one_in("verified")?.id, "confirm")))
        }
        _ => None,
    }
}

fn is_in(record: &Record, states: &[&str]) -> bool {
    let state = record.state.as_deref();
    state.is_some_and(|state| states.contains(&state))
}

/// What is found again by the text that it brings.
fn said(intent: Intent, marker: &str) -> Wish {
    Wish {
        intent,
        marker: Some(marker.to_owned()),
    }
}

/// What nobody looks for by what was said.
fn quietly(intent: Intent) -> Wish {
    Wish {
        intent,
        marker: None,
    }
}

impl Around<'_> {
    fn step(&self, dice: &mut Dice, confirmed: Option<RecordId>, marker: &str) -> Option<Wish> {
        let state = self.case.state.as_deref().unwrap_or_default();
        let act = |action: &str| Intent::act(self.case.id, action);
        let back = |action: &str| Some(because(self.case.id, action, marker.to_owned()));
        // Now and then what was handed on is not good enough.
        let returns = dice.once_in(6);
        match (state, self.asked.role) {
            ("verify", "FS") if self.visit().is_none() => {
                let visit = Intent::create("visit");
                Some(quietly(
                    visit.link("household", referred(self.case, "household")?),
                ))
            }
            ("verify", "FS" | "TM" | "VC") => {
                let verified = act("verified").link("visit", self.visit()?);
                let verified = verified.with("income", Value::Int(5_000));
                Some(quietly(verified.with("authorised_on", DAY)))
            }
            ("compare", "CS") => Some(telling(
                self.case.id,
                "compared",
                "comparison",
                marker.to_owned(),
            )),
            ("deliberate" | "notice", "VC") => self.deliberate(marker),
            ("township", "TW") if returns => back("return_township"),
            ("township", "TW") => Some(quietly(act("pass"))),
            ("county", "CS") if returns => back("return_county"),
            ("county", "CS") => {
                let approve = act("approve").with("listed_on", DAY);
                Some(quietly(approve.with("announced_on", DAY)))
            }
            ("listed" | "helping", role) => self.help(dice, role, marker),
            ("c_verify" | "c_notice", role) => self.clear(dice, role, marker),
            ("c_township", "TW") if returns => back("c_return_township"),
            ("c_township", "TW") => Some(quietly(act("c_pass"))),
            ("c_county", "CS") if returns => back("c_return_county"),
            ("c_county", "CS") => Some(quietly(act("c_approve").with("announced_on", DAY))),
            // The risk is back, as a later clue says.
            ("cleared", "CS") => {
                let mut again = because(self.case.id, "roll_back", marker.to_owned());
                again.intent = again.intent.link("clue", confirmed?);
                Some(again)
            }
            _ => None,
        }
    }

    /// Any visit: what it saw is not asked.
    fn visit(&self) -> Option<RecordId> {
        Some(self.asked.records("visit").first()?.id)
    }

    /// The committee deliberates over a notice, and hands on once it was up for its days.
    fn deliberate(&self, marker: &str) -> Option<Wish> {
        let notice = match self.posted(0, marker) {
            Ok(notice) => notice,
            Err(wish) => return wish,
        };
        if is_in(self.case, &["notice"]) {
            return Some(self.taken_down(notice, "notice_ended"));
        }
        let deliberated = Intent::act(self.case.id, "deliberated")
            .with("deliberated_on", DAY)
            .with("present", Value::Int(20))
            .with("minutes", Value::text(marker))
            .link("notice", notice.id);
        Some(said(deliberated, marker))
    }

    /// A measure is brought and comes to its end; then, after its time, clearing is proposed. Of a household that was rolled back, which
    /// then leaves the village, the case ends.
    fn help(&self, dice: &mut Dice, role: &str, marker: &str) -> Option<Wish> {
        let case = self.case.id;
        let has_left = || {
            let household = referred(self.case, "household")?;
            let household = self.asked.device.record(self.asked.journal, household)?;
            Some(is_in(&household, &["moved_out", "merged", "cancelled"]))
        };
        let came_back = || {
            let mut steps = self.case.steps.iter();
            steps.any(|step| step.action.as_deref() == Some("roll_back") && step.fate.counts())
        };
        if role == "CS" && has_left()? {
            return Some(because(case, "end", marker.to_owned()));
        }
        if role == "FS" && came_back() && !has_left()? && dice.once_in(2) {
            let household = referred(self.case, "household")?;
            return Some(because(household, "move_out", marker.to_owned()));
        }
        let Some(measure) = self.measures.first() else {
            let me = RecordId(self.asked.device.identity().user.0);
            let measure = Intent::create("measure")
                .with("title", Value::text(marker))
                .link("case", case)
                .link("owners", me);
            return (role == "FS").then(|| said(measure, marker));
        };
        let state = measure.state.as_deref().unwrap_or_default();
        match (state, role) {
            ("drafted", "FS") => Some(quietly(Intent::act(measure.id, "sign"))),
            (_, "FS") if is_in(self.case, &["listed"]) => {
                let start = Intent::act(case, "start").link("measures", measure.id);
                Some(quietly(start))
            }
            ("in_hand", "FS") => Some(telling(
                measure.id,
                "carry_out",
                "effect",
                marker.to_owned(),
            )),
            ("carried_out", "TW") => Some(quietly(Intent::act(measure.id, "accept"))),
            ("done", "FS" | "VC") => {
                let propose = Intent::act(case, "propose_clear").with("income_above_since", DAY);
                Some(quietly(propose.with("expense_settled_on", DAY)))
            }
            _ => None,
        }
    }

    /// The clearing is verified at the door, and put up like the listing.
    fn clear(&self, dice: &mut Dice, role: &str, marker: &str) -> Option<Wish> {
        let posted = self.posted(1, marker);
        match (role, is_in(self.case, &["c_notice"])) {
            ("VC", true) => match posted {
                Ok(notice) => Some(self.taken_down(notice, "c_notice_ended")),
                Err(wish) => wish,
            },
            // Whoever is at the door first.
            ("FS" | "TM" | "VC", false) => match posted {
                Err(wish) => wish.filter(|_| role == "VC"),
                Ok(_) if role != "TM" && dice.once_in(2) => None,
                Ok(notice) => {
                    let verified = Intent::act(self.case.id, "c_verified")
                        .link("c_visit", self.visit()?)
                        .with("income", Value::Int(9_000))
                        .with("c_minutes", Value::text(marker))
                        .link("c_notice", notice.id);
                    Some(said(verified, marker))
                }
            },
            _ => None,
        }
    }

    /// The notice that is or was up, the first or the second; else what puts it up.
    fn posted(&self, at: usize, marker: &str) -> Result<&Record, Option<Wish>> {
        let Some(notice) = self.notices.get(at) else {
            let notice = Intent::create("notice").link("case", self.case.id);
            let notice = notice.with("title", Value::text(marker));
            return Err(Some(said(notice, marker)));
        };
        match notice.state.as_deref() {
            Some("posted" | "ended") => Ok(notice),
            Some("drafted") => {
                let post = Intent::act(notice.id, "post").with("posted_on", DAY);
                Err(Some(quietly(
                    post.with("place", Value::text("村委会公示栏")),
                )))
            }
            _ => Err(None),
        }
    }

    /// A notice that was up for its days is taken down, and then handed on.
    fn taken_down(&self, notice: &Record, then: &str) -> Wish {
        let intent = if is_in(notice, &["ended"]) {
            Intent::act(self.case.id, then)
        } else {
            Intent::act(notice.id, "end").with("ended_on", DAY)
        };
        quietly(intent)
    }
}
