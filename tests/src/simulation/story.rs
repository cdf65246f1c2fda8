//! A failing script made short, and told.

use core::fmt;

use super::Fault;
use super::script::Script;
use super::violation::{Sign, Violation};

/// How often a script is played at most to find what can be left out.
const TRIES_MAX: usize = 400;

/// The shortest story that was found of how a promise breaks.
#[derive(Debug)]
pub struct Story {
    /// The seed.
    pub seed: u64,
    /// How many steps were drawn.
    pub drawn: usize,
    /// How many of them are needed.
    pub steps: usize,
    /// What happens, a line each.
    pub lines: Vec<String>,
    /// What does not hold then.
    pub violation: Violation,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            drawn,
            steps,
            lines,
            violation,
        } = self;
        writeln!(f, "seed {seed}, {steps} of {drawn} steps:")?;
        for line in lines {
            writeln!(f, "  {line}")?;
        }
        write!(f, "  => {violation}")
    }
}

/// Tells how `sign` comes about on a script, with everything left out that is not needed for it.
pub(super) fn tell(script: &Script, fault: Option<Fault>, sign: Sign) -> Option<Story> {
    let drawn = script.steps.len();
    let short = shrink(script.clone(), |shorter| {
        shows(shorter, fault, sign, false).is_some()
    });
    let (lines, violation) = shows(&short, fault, sign, true)?;
    Some(Story {
        seed: script.seed,
        drawn,
        steps: short.steps.len(),
        lines,
        violation,
    })
}

fn shows(
    script: &Script,
    fault: Option<Fault>,
    sign: Sign,
    telling: bool,
) -> Option<(Vec<String>, Violation)> {
    let (lines, violations) = super::play(script, fault, telling);
    let shown = violations.into_iter().find(|found| found.sign == sign);
    shown.map(|violation| (lines, violation))
}

/// Leaves out steps by halves, quarters and so on to single ones, and people and villages, as long as `fails` holds.
fn shrink(mut script: Script, fails: impl Fn(&Script) -> bool) -> Script {
    let mut tries = 0;
    let mut still_fails = |shorter: &Script| {
        tries += 1;
        tries <= TRIES_MAX && fails(shorter)
    };
    let mut size = script.steps.len().div_ceil(2);
    loop {
        let before = script.steps.len();
        let mut from = 0;
        while from < script.steps.len() {
            let mut shorter = script.clone();
            let to = (from + size).min(shorter.steps.len());
            shorter.steps.drain(from..to);
            if still_fails(&shorter) {
                script = shorter;
            } else {
                from = to;
            }
        }
        if size == 1 && script.steps.len() == before {
            break;
        }
        if size == 1 {
            continue;
        }
        size = size.div_ceil(2);
    }
    for people in (1..script.roles.len()).rev() {
        let mut shorter = script.clone();
        shorter.roles.truncate(people);
        shorter.steps.retain(|step| step.who < people);
        if !still_fails(&shorter) {
            break;
        }
        script = shorter;
    }
    if script.villages > 1 {
        let mut shorter = script.clone();
        shorter.villages = 1;
        if still_fails(&shorter) {
            script = shorter;
        }
    }
    script
}
