//! The figures: one line of JSON for programs, and a table for people.

use std::fmt::Write as _;

/// A figure, and what it is held against.
#[derive(Debug, Clone, Copy)]
struct Figure {
    key: &'static str,
    value: Option<f64>,
    decimals: usize,
    goal: Option<Goal>,
    limit: Option<(f64, &'static str)>,
}

/// What is to be reached.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// The figures in their order.
#[derive(Debug, Default)]
pub(super) struct Figures(Vec<Figure>);

/// The keys that scripts read: they stay, and what was left out is null.
pub(super) const STABLE: [&str; 17] = [
    "idle_up_bytes",
    "idle_down_bytes",
    "return_requests",
    "return_up_bytes",
    "return_down_bytes",
    "return_content_zstd19_bytes",
    "cold_requests",
    "cold_down_bytes",
    "cold_content_zstd19_bytes",
    "cold_ready_ms",
    "admitted_returns_per_s",
    "server_cpu_ms_per_return",
    "folded_returns_per_s",
    "rss_mb_1m",
    "restart_first_sync_ms_50k",
    "restart_first_sync_ms_1m",
    "cost_ratio_1k_1m",
];

impl Figures {
    /// A count.
    #[expect(clippy::cast_precision_loss, reason = "counts here are small")]
    pub(super) fn count(&mut self, key: &'static str, value: usize) -> &mut Self {
        self.add(key, value as f64, 0)
    }

    /// A measure, with so many decimals.
    pub(super) fn add(&mut self, key: &'static str, value: f64, decimals: usize) -> &mut Self {
        self.0.push(Figure {
            key,
            value: Some(value),
            decimals,
            goal: None,
            limit: None,
        });
        self
    }

    /// What the last one is to reach.
    pub(super) fn goal(&mut self, goal: Goal) -> &mut Self {
        if let Some(last) = self.0.last_mut() {
            last.goal = Some(goal);
        }
        self
    }

    /// What the last one cannot do better than, on this machine.
    pub(super) fn limit(&mut self, limit: f64, of: &'static str) -> &mut Self {
        if let Some(last) = self.0.last_mut() {
            last.limit = Some((limit, of));
        }
        self
    }

    /// One line of JSON: the stable keys first.
    pub(super) fn json(&self) -> String {
        let of = |key: &str| self.0.iter().find(|figure| figure.key == key);
        let stable = STABLE.iter().map(|key| (*key, of(key)));
        let others = self.0.iter().filter(|figure| !STABLE.contains(&figure.key));
        let all = stable.chain(others.map(|figure| (figure.key, Some(figure))));
        let members: Vec<String> = all
            .map(|(key, figure)| {
                let number = figure
                    .and_then(|figure| Some(format!("{:.*}", figure.decimals, figure.value?)));
                format!("\"{key}\":{}", number.as_deref().unwrap_or("null"))
            })
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// A table: figure, goal, whether it is reached, and the limit.
    pub(super) fn table(&self) -> String {
        let mut table = format!(
            "{:<34} {:>12} {:>12}  {:<8} {}\n",
            "figure", "measured", "goal", "", "limit of this machine"
        );
        for figure in &self.0 {
            let Some(value) = figure.value else { continue };
            let number = |value: f64| format!("{value:.*}", figure.decimals);
            let (goal, reached) = match figure.goal {
                None => (String::new(), ""),
                Some(Goal::AtMost(goal)) => (format!("≤ {}", number(goal)), verdict(value <= goal)),
                Some(Goal::AtLeast(goal)) => {
                    (format!("≥ {}", number(goal)), verdict(value >= goal))
                }
            };
            let limit = figure.limit.map_or_else(String::new, |(limit, of)| {
                format!("{} ({of})", number(limit))
            });
            let row = format!(
                "{:<34} {:>12} {goal:>12}  {reached:<8} {limit}",
                figure.key,
                number(value)
            );
            writeln!(table, "{}", row.trim_end()).expect("a text takes any text");
        }
        table
    }
}

const fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "MISSED" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_null_and_what_is_more_stands_behind() {
        let mut figures = Figures::default();
        figures.add("another", 1.25, 1).count("idle_up_bytes", 131);
        let json: serde_json::Value = serde_json::from_str(&figures.json()).unwrap();
        assert_eq!(json["idle_up_bytes"], 131);
        assert_eq!(json["another"], 1.2);
        assert!(STABLE[1..].iter().all(|key| json[*key].is_null()));
        assert!(STABLE.iter().all(|key| json.get(*key).is_some()));
    }

    #[test]
    fn a_goal_that_is_missed_says_so() {
        let mut figures = Figures::default();
        figures.count("cold_requests", 4).goal(Goal::AtMost(3.0));
        figures.count("return_requests", 1).goal(Goal::AtMost(1.0));
        let table = figures.table();
        let verdicts: Vec<&str> = table
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().last())
            .collect();
        assert_eq!(verdicts, ["MISSED", "reached"]);
    }
}
