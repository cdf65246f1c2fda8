use proptest::prelude::*;

use super::*;

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn the_year_2026_has_248_working_days() {
    let calendar = shipped().calendar();
    let days = calendar.working_days_between(date("2025-12-31"), date("2026-12-31"));
    assert_eq!(
        days,
        Reckoned {
            value: 248,
            certain: true
        }
    );
    assert_eq!(calendar.years().collect::<Vec<_>>(), [2026]);
    assert_eq!(calendar.holidays(2026).len(), 7);
    assert_eq!(
        calendar
            .holidays(2026)
            .iter()
            .map(|holiday| holiday.worked.len())
            .sum::<usize>(),
        6
    );
}

#[test]
fn working_days_are_those_of_the_notice() {
    let calendar = shipped().calendar();
    for (day, working) in [
        ("2026-01-02", false), // a holiday on a Friday
        ("2026-01-04", true),  // a Sunday worked for it
        ("2026-02-14", true),  // a Saturday worked
        ("2026-02-16", false), // a Monday off
        ("2026-02-24", true),  // the first day after
        ("2026-02-28", true),
        ("2026-03-01", false), // an ordinary Sunday
        ("2026-05-09", true),
        ("2026-09-20", true),
        ("2026-10-08", true),
        ("2026-10-10", true),
        ("2026-10-11", false),
    ] {
        assert_eq!(
            calendar.is_working(date(day)),
            Reckoned {
                value: working,
                certain: true
            },
            "{day}"
        );
    }
}

#[test]
fn time_limits_end_where_a_hand_counts_them_to() {
    let calendar = shipped().calendar();
    for (from, count, due, certain) in [
        ("2026-03-02", 5, "2026-03-09", true),  // Monday to Monday
        ("2026-03-06", 1, "2026-03-09", true),  // over a weekend
        ("2026-03-07", 1, "2026-03-09", true),  // from a Saturday
        ("2026-02-13", 3, "2026-02-25", true),  // Saturday worked, nine days off
        ("2026-02-27", 2, "2026-03-02", true),  // Saturday worked, Sunday not
        ("2026-09-30", 3, "2026-10-10", true),  // 8, 9 and the worked Saturday
        ("2026-12-30", 1, "2026-12-31", true),  // the last day that is known
        ("2026-12-30", 2, "2027-01-01", false), // the next year is not announced: Friday is taken for a working day
        ("2025-12-30", 3, "2026-01-05", false), // the year before is not known; New Year is, and the Sunday worked for it
        ("2026-03-07", 0, "2026-03-07", true),
    ] {
        let expected = Reckoned {
            value: date(due),
            certain,
        };
        assert_eq!(
            calendar.add_working_days(date(from), count),
            expected,
            "{count} from {from}"
        );
    }
    let days = |count, unit| Days { count, unit };
    assert_eq!(
        calendar
            .add(date("2026-02-13"), days(5, Unit::Calendar))
            .value,
        date("2026-02-18")
    );
    assert_eq!(
        calendar
            .add(date("2026-02-13"), days(5, Unit::Working))
            .value,
        date("2026-02-27")
    );
}

proptest! {
    #[test]
    fn adding_and_counting_undo_each_other(day in 20_000..22_000_i32, count in 1..200_u32) {
        let calendar = shipped().calendar();
        let due = calendar.add_working_days(Date(day), count);
        prop_assert!(calendar.is_working(due.value).value, "a time limit ends on a working day");
        let counted = calendar.working_days_between(Date(day), due.value);
        prop_assert_eq!(counted, Reckoned { value: count, certain: due.certain });
    }

    #[test]
    fn a_later_start_or_a_longer_limit_never_ends_earlier(day in 20_000..22_000_i32, count in 0..60_u32) {
        let calendar = shipped().calendar();
        let due = calendar.add_working_days(Date(day), count).value;
        prop_assert!(due <= calendar.add_working_days(Date(day + 1), count).value);
        prop_assert!(due < calendar.add_working_days(Date(day), count + 1).value);
    }

    #[test]
    fn counts_add_up(day in 20_000..22_000_i32, a in 0..300_i32, b in 0..300_i32) {
        let calendar = shipped().calendar();
        let count = |from: i32, to: i32| calendar.working_days_between(Date(from), Date(to)).value;
        prop_assert_eq!(count(day, day + a) + count(day + a, day + a + b), count(day, day + a + b));
        prop_assert_eq!(count(day + a + 1, day), 0);
    }

    #[test]
    fn no_date_is_too_far(day in any::<i32>(), count in any::<u32>()) {
        let calendar = Calendar::default();
        let due = calendar.add_working_days(Date(day), count.min(1_000));
        prop_assert!(due.value >= Date(day));
        prop_assert!(!due.certain || due.value == Date(day));
        calendar.is_working(Date(day));
        calendar.add(Date(day), Days { count, unit: Unit::Calendar });
    }
}
